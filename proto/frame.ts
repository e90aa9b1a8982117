// How envelopes to one peer share a frame: three bytes that say which protocol this is, then each envelope behind its
// length, then the tensors that are too small to travel in a frame of their own. A peer of another version can so be told apart before anything of it is read.
import { limits, protocolVersion } from './limits.js';

const mark = [0x53, 0x42] as const;
const headBytes = 3;

/** In place of a length: the tensor is the next frame of the delivery. */
const elsewhere = 0xffff_ffff;
/** Marks the length of a tensor that stands in this frame, at the next multiple of eight. */
const tensorMark = 0x8000_0000;

/**
 * Puts envelopes into one frame for one peer, and behind them the tensors that are too small for frames of their own;
 * undefined stands for one that has its own.
 */
export function joinEnvelopes(
  envelopes: readonly Uint8Array[],
  tensors: readonly (Uint8Array | undefined)[] = [],
): Buffer {
  let size = headBytes;
  for (const envelope of envelopes) size += 4 + envelope.length;
  for (const tensor of tensors) size = tensor === undefined ? size + 4 : aligned(size + 4) + tensor.length;
  // A frame of its own allocation, for it is handed to the socket without a copy.
  const frame = Buffer.allocUnsafeSlow(size);
  frame[0] = mark[0];
  frame[1] = mark[1];
  frame[2] = protocolVersion;
  let at = headBytes;
  for (const envelope of envelopes) {
    frame.writeUInt32LE(envelope.length, at);
    frame.set(envelope, at + 4);
    at += 4 + envelope.length;
  }
  for (const tensor of tensors) {
    frame.writeUInt32LE(tensor === undefined ? elsewhere : tensorMark + tensor.length, at);
    at += 4;
    if (tensor === undefined) continue;
    frame.fill(0, at, aligned(at));
    at = aligned(at);
    frame.set(tensor, at);
    at += tensor.length;
  }
  return frame;
}

export interface FrameFault {
  readonly kind: 'rubbish' | 'version';
  readonly reason: string;
}

export interface FrameParts {
  readonly envelopes: Uint8Array[];
  /** As they were joined; empty when every tensor has a frame of its own. */
  readonly tensors: readonly (Uint8Array | undefined)[];
}

/** The parts of a frame, or why it has none. */
export function splitFrame(frame: Uint8Array): FrameParts | FrameFault {
  if (frame.length < headBytes || frame[0] !== mark[0] || frame[1] !== mark[1]) {
    return rubbish('the frame does not begin with the mark of this protocol');
  }
  if (frame[2] !== protocolVersion) {
    return {
      kind: 'version',
      reason: `it speaks protocol version ${frame[2]}, this node speaks ${protocolVersion}`,
    };
  }
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const envelopes: Uint8Array[] = [];
  const tensors: (Uint8Array | undefined)[] = [];
  let at = headBytes;
  while (at < frame.length) {
    if (at + 4 > frame.length) return rubbish('the frame ends inside a length');
    const head = view.getUint32(at, true);
    at += 4;
    const isTensor = head >= tensorMark;
    if (!isTensor && tensors.length > 0) return rubbish('an envelope stands behind a tensor');
    if (head === elsewhere) tensors.push(undefined);
    else {
      const length = isTensor ? head - tensorMark : head;
      if (isTensor) at = aligned(at);
      else if (length > limits.envelopeBytesMax)
        return rubbish(`an envelope of ${length} bytes is over the bound`);
      if (at + length > frame.length)
        return rubbish(`the frame ends inside ${isTensor ? 'a tensor' : 'an envelope'}`);
      (isTensor ? tensors : envelopes).push(frame.subarray(at, at + length));
      at += length;
    }
    if (envelopes.length > limits.envelopesPerFrameMax) return rubbish('the frame holds too many envelopes');
    if (tensors.length > limits.framesPerEnvelopeMax) return rubbish('the frame holds too many tensors');
  }
  return { envelopes, tensors };
}

/** The envelopes of a frame, or why it has none. */
export function splitEnvelopes(frame: Uint8Array): Uint8Array[] | FrameFault {
  const parts = splitFrame(frame);
  return 'reason' in parts ? parts : parts.envelopes;
}

function aligned(at: number): number {
  return (at + 7) & ~7;
}

/** The envelope of a refusal, whatever the version of the frame around it: number 1 is the same in all. */
export function envelopesOfAnyVersion(frame: Uint8Array): Uint8Array[] | FrameFault {
  if (frame.length < headBytes) return rubbish('the frame is too short');
  const same = Uint8Array.from(frame);
  same[2] = protocolVersion;
  return splitEnvelopes(same);
}

function rubbish(reason: string): FrameFault {
  return { kind: 'rubbish', reason };
}
