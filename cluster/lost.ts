// What nodes serve out of the store and it no longer has, though nobody took it out: it is gone with them.
import { modelKey } from '../proto/ids.js';
import { manifestKey } from './manifest.js';
import type { Place } from './placement.js';

/** `isKnown`: the store has told of that key since it was opened, or that somebody took it out. */
export function lostOf(places: readonly Place[], isKnown: (key: string) => boolean): string[] {
  const served = places.flatMap(({ holdings = [] }) => holdings.filter(({ state }) => state === 'ready'));
  const lost = served.filter(({ model, version }) => !isKnown(manifestKey(model, version)));
  return [...new Set(lost.map(({ model, version }) => modelKey(model, version)))].sort();
}
