// How one node is with one version of the store: what it is to have of it, how far that is, and when it is tried again.
import type { Manifest } from './manifest.js';
import type { HoldingState } from './placement.js';

const reasonLengthMax = 500;

export interface Held {
  manifest: Manifest;
  state: HoldingState | 'idle' | 'waiting';
  reason: string;
  /** Its workers are to have it. */
  isPlaced: boolean;
  /** It was fetched, and is offered. */
  isHere: boolean;
  /** Contents that were offered in its place, and are until it has taken over. */
  former: readonly Manifest[];
  /** Of the fetch that is under way; 0: none. */
  turn: number;
  retryAt: number;
  failures: number;
}

export function newlyHeld(manifest: Manifest, former: readonly Manifest[] = []): Held {
  return {
    manifest,
    state: 'idle',
    reason: '',
    isPlaced: false,
    isHere: false,
    former,
    turn: 0,
    retryAt: 0,
    failures: 0,
  };
}

export function fail(held: Held, reason: string, retryAt: number): void {
  held.state = 'failed';
  held.reason = reason.slice(0, reasonLengthMax);
  held.retryAt = retryAt;
}
