// The port that carries frames between members: a ZeroMQ sibling for the world, a memory sibling for tests, one contract
// suite for both. A transport knows peers by id and frames as bytes; what they mean is the post office's business.
import type { MemberId } from '../../proto/ids.js';

export interface TransportEvents {
  /** `peer` is what the other side calls itself; over a dialled link it is unknown until the post office names it. */
  received(link: LinkId, frames: readonly Uint8Array[]): void;
  /** The link can carry frames (again): a dialled link connected, or a first frame came in over a bound one. */
  opened(link: LinkId): void;
  lost(link: LinkId, reason: string): void;
}

/** A bound link is named by the peer's own id, a dialled link by its endpoint. */
export type LinkId = string;

export interface Transport {
  /** Resolves to the endpoint actually bound; rejects with a sentence when it is in use or can't be had. */
  bind(endpoint: string): Promise<string>;
  /** Keeps trying, and again after every loss, until `hangUp`. */
  dial(endpoint: string): LinkId;
  hangUp(link: LinkId): void;
  /** At once or never: false when the link is not there or its queue is full. Never reuse the buffers. */
  send(link: LinkId, frames: readonly Uint8Array[]): boolean;
  /** Flushes what can be flushed within `lingerMs`. */
  close(lingerMs: number): Promise<void>;
}

export type TransportFactory = (self: MemberId, events: TransportEvents) => Transport;
