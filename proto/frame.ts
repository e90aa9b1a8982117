// How envelopes to one peer share a frame: three bytes that say which protocol this is, then each envelope behind its
// length. A peer of another version can so be told apart before anything of it is read.
import { limits, protocolVersion } from './limits.js';

const mark = [0x53, 0x42] as const;
const headBytes = 3;

/** Puts envelopes into one frame for one peer. */
export function joinEnvelopes(envelopes: readonly Uint8Array[]): Buffer {
  let size = headBytes;
  for (const envelope of envelopes) size += 4 + envelope.length;
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
  return frame;
}

export interface FrameFault {
  readonly kind: 'rubbish' | 'version';
  readonly reason: string;
}

/** The envelopes of a frame, or why it has none. */
export function splitEnvelopes(frame: Uint8Array): Uint8Array[] | FrameFault {
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
  let at = headBytes;
  while (at < frame.length) {
    if (at + 4 > frame.length) return rubbish('the frame ends inside a length');
    const length = view.getUint32(at, true);
    at += 4;
    if (length > limits.envelopeBytesMax) return rubbish(`an envelope of ${length} bytes is over the bound`);
    if (at + length > frame.length) return rubbish('the frame ends inside an envelope');
    if (envelopes.length === limits.envelopesPerFrameMax)
      return rubbish('the frame holds too many envelopes');
    envelopes.push(frame.subarray(at, at + length));
    at += length;
  }
  return envelopes;
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
