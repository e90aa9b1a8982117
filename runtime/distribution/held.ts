// One version of the store on this node: how far it is with that, and why not further.
import { type Manifest, shortDigest } from '../../cluster/manifest.js';
import type { HoldingState } from '../../cluster/placement.js';
import type { ModelEntry } from '../models/entry.js';

export interface Held {
  readonly manifest: Manifest;
  readonly givenUp: AbortController;
  state: HoldingState | 'idle' | 'waiting';
  reason: string;
  /** Its workers are to have it. */
  isPlaced: boolean;
  /** As it was found after it was fetched. */
  entry: ModelEntry | undefined;
  retryAt: number;
  failures: number;
}

export function newlyHeld(manifest: Manifest): Held {
  return {
    manifest,
    givenUp: new AbortController(),
    state: 'idle',
    reason: '',
    isPlaced: false,
    entry: undefined,
    retryAt: 0,
    failures: 0,
  };
}

/** As every node calls it. */
export function editionIn({ version, digest }: Manifest): string {
  return `${version}+${shortDigest(digest)}`;
}
