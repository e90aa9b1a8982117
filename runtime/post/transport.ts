// The port that carries frames between members: a ZeroMQ sibling for the world, a memory sibling for tests, one contract
// suite for both. A transport knows peers by id and frames as bytes; what they mean is the post office's business.
import type { MemberId } from '../../proto/ids.js';

/** Every event comes from the event loop, never from inside a call into the transport. */
export interface TransportEvents {
  /** Frames after the first begin at a multiple of 8 in their buffer, so that typed arrays can view them. */
  received(link: LinkId, frames: readonly Uint8Array[]): void;
  /** The link can carry frames (again): a dialled link connected, or a first frame came in over a bound one. */
  opened(link: LinkId): void;
  /** Told for whatever the transport finds out by itself, not for `hangUp` and `close`. */
  lost(link: LinkId, reason: string): void;
}

/** A bound link is named by the peer's own id, a dialled link by its endpoint. */
export type LinkId = string;

/** A peer that calls itself by an endpoint is not let in, so the two kinds of links never share a name. */
export function isDialled(link: LinkId): boolean {
  return link.includes('://');
}

export interface Transport {
  /** Once. Resolves to the endpoint actually bound; rejects with a sentence when it is in use or can't be had. */
  bind(endpoint: string): Promise<string>;
  /** Keeps trying, and again after every loss, until `hangUp`. Throws when the endpoint is none. */
  dial(endpoint: string): LinkId;
  /** Finds out why somebody there who is not dialled might not let this one in; its keys are told. */
  knock(endpoint: string): void;
  /** Ends a dialled link. A bound one is forgotten and opens anew with the peer's next frame. */
  hangUp(link: LinkId): void;
  /** At once or never: false when the link is known not to take it; when that shows later, the link is lost. */
  send(link: LinkId, frames: readonly Uint8Array[]): boolean;
  /** Frees the endpoint; what was sent still leaves within `lingerMs`. */
  close(lingerMs: number): Promise<void>;
}

export type TransportFactory = (self: MemberId, events: TransportEvents) => Transport;

/** A peer's frames as they may be handed on: copied where a typed array could not view them in place. */
export function align(frames: Uint8Array[]): Uint8Array[] {
  for (let index = 1; index < frames.length; index++) {
    const frame = frames[index] as Uint8Array;
    if (frame.byteOffset % 8 !== 0) frames[index] = new Uint8Array(frame);
  }
  return frames;
}
