// What waits for one peer until the tick ends: envelopes that will share a frame, and the tensor frames behind them.
import { encodeMessage } from '../../proto/codec.js';
import { joinEnvelopes } from '../../proto/frame.js';
import { limits } from '../../proto/limits.js';
import type { Message } from '../../proto/messages.js';

/** Past either, a delivery leaves before the tick ends. */
const envelopesMax = 1024;
const envelopeBytesMax = 256 * 1024;

/** A frame of its own costs about as much as copying so many bytes. */
const smallBytesMax = 16 * 1024;

const none: readonly Uint8Array[] = [];

export class Outbox {
  #envelopes: Uint8Array[] = [];
  #frames: Uint8Array[] = [];
  #bytes = 0;

  get length(): number {
    return this.#envelopes.length;
  }

  get full(): boolean {
    return this.#envelopes.length >= envelopesMax || this.#bytes >= envelopeBytesMax;
  }

  /** False when the peer would refuse it for its size. */
  put(message: Message, frames: readonly Uint8Array[] = none): boolean {
    const envelope = encodeMessage(message, frames.length);
    if (envelope.length > limits.envelopeBytesMax || frames.length > limits.framesPerEnvelopeMax)
      return false;
    this.#envelopes.push(envelope);
    for (const frame of frames) this.#frames.push(frame);
    this.#bytes += envelope.length;
    return true;
  }

  /** The delivery; the box is empty after it. */
  take(): readonly Uint8Array[] {
    const { inside, own } = parted(this.#frames);
    const delivery: readonly Uint8Array[] = [joinEnvelopes(this.#envelopes, inside), ...own];
    this.#envelopes = [];
    this.#frames = [];
    this.#bytes = 0;
    return delivery;
  }

  /** Moves what waits to another box. */
  pour(into: Outbox): void {
    for (const envelope of this.#envelopes) into.#envelopes.push(envelope);
    for (const frame of this.#frames) into.#frames.push(frame);
    into.#bytes += this.#bytes;
    this.#envelopes = [];
    this.#frames = [];
    this.#bytes = 0;
  }
}

/** Small tensors go along inside the first frame, for copying them costs less than a frame. */
function parted(frames: readonly Uint8Array[]): {
  readonly inside: readonly (Uint8Array | undefined)[];
  readonly own: readonly Uint8Array[];
} {
  if (!frames.some((frame) => frame.length <= smallBytesMax)) return { inside: none, own: frames };
  const own: Uint8Array[] = [];
  const inside = frames.map((frame) => {
    if (frame.length <= smallBytesMax) return frame;
    own.push(frame);
    return undefined;
  });
  return { inside, own };
}

/** One message as a delivery of its own. */
export function soleDelivery(message: Message): Uint8Array[] {
  return [joinEnvelopes([encodeMessage(message, 0)])];
}
