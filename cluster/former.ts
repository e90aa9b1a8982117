// What a node offered of a version before its content was replaced in the store: workers that start anew need those files until
// the new content has taken over, which it may never do.
import type { Held } from './held.js';
import type { Manifest } from './manifest.js';

export interface Parted {
  readonly kept: readonly Manifest[];
  /** Nobody needs them any more. */
  readonly spare: readonly Manifest[];
}

/** Something else is in its place in the store from now on. */
export function whenReplaced({ manifest, isHere, former }: Held): Parted {
  const isKnown = former.some(({ digest }) => digest === manifest.digest);
  if (isKnown) return { kept: former, spare: [] };
  return isHere ? { kept: [...former, manifest], spare: [] } : { kept: former, spare: [manifest] };
}

/** It is here: what its workers are not to have is in use as soon as those who have it say so. */
export function whenHere(
  { manifest, former, state, isPlaced }: Held,
  isServed: (one: Manifest) => boolean,
): Parted {
  const others = former.filter(({ digest }) => digest !== manifest.digest);
  const hasCome = state === 'ready' || !isPlaced;
  const kept = others.filter((one) => !hasCome || isServed(one));
  return { kept, spare: others.filter((one) => !kept.includes(one)) };
}
