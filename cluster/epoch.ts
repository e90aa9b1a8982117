// Fencing: each time that something changes hands its epoch rises, and who speaks under an older one is not heard. The
// store may have lost writes that it had acknowledged, so the highest epoch that anybody reports counts as well.
import type { Store } from './store.js';

const triesMax = 16;

export function epochAfter(kept: number, reported: number): number {
  return Math.max(kept, reported) + 1;
}

/** No two callers get the same one, as long as the store keeps what it has acknowledged. */
export async function raiseEpoch(store: Store, key: string, reported: number): Promise<number> {
  for (let tries = 0; tries < triesMax; tries++) {
    const entry = await store.read(key);
    const epoch = epochAfter(keptIn(entry?.text), reported);
    if ((await store.write(key, String(epoch), entry?.revision ?? 0)) !== undefined) return epoch;
  }
  throw new Error(`the epoch of ${key} could not be raised: ${triesMax} times somebody else was first`);
}

/** What is no number says nothing. */
function keptIn(text = '0'): number {
  const kept = Number(text);
  return Number.isSafeInteger(kept) && kept >= 0 ? kept : 0;
}
