// What real runs of a model cost, remembered so that the next start begins with it: also of sizes that were too long to
// be measured while it was loaded.
import { limits } from '../../proto/limits.js';
import type { Cost } from './executor.js';

/** Fewer runs of a size say too little. */
const runsLeast = 8;
/** Of each size: what was long ago says nothing of today. */
const runsMost = 32;

export class LearnedCosts {
  readonly #sizes = new Map<number, { readonly ms: number[]; at: number }>();

  note(rows: number, ms: number): void {
    let size = this.#sizes.get(rows);
    if (size === undefined) {
      if (this.#sizes.size >= limits.batchSizesMax) return;
      size = { ms: [], at: 0 };
      this.#sizes.set(rows, size);
    }
    size.ms[size.at] = ms;
    size.at = (size.at + 1) % runsMost;
  }

  /** What was measured, with what was learned in its place and beside it; nothing where nothing was learned. */
  beside(measured: readonly Cost[]): readonly Cost[] | undefined {
    const costs = new Map(measured);
    let isAny = false;
    for (const [rows, { ms }] of this.#sizes) {
      if (ms.length < runsLeast || (costs.size >= limits.batchSizesMax && !costs.has(rows))) continue;
      isAny = true;
      costs.set(rows, median(ms));
    }
    return isAny ? levelled([...costs].sort(([one], [other]) => one - other)) : undefined;
  }
}

/** Fewer rows never cost more: they could be filled up. What says otherwise is noise. */
export function levelled(costs: readonly Cost[]): Cost[] {
  let least = Number.POSITIVE_INFINITY;
  return [...costs]
    .reverse()
    .map(([rows, ms]): Cost => {
      least = Math.min(least, Math.round(ms * 10_000) / 10_000);
      return [rows, least];
    })
    .reverse();
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[sorted.length >> 1] as number;
}
