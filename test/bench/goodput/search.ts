// The highest rate at which a strategy answers enough of all requests in time.
import { bound, type Cell } from './cells.js';
import { type Chances, Engine, type Strategy } from './engine.js';

export const enough = 0.99;

export function inTimeShare(cell: Cell, chances: Chances, rate: number, make: () => Strategy): number {
  const { inTime, offered } = new Engine(cell, chances).run(rate, make());
  return inTime / offered;
}

/** As a share of the bound. A member of a family that can't beat `floor` there is given up at once. */
export function highestRate(
  cell: Cell,
  chances: Chances,
  makes: readonly (() => Strategy)[],
  precision: number,
): number {
  const full = bound(cell);
  let best = 0;
  for (const make of makes) {
    const holds = (share: number) => inTimeShare(cell, chances, share * full, make) >= enough;
    let low = best;
    if (low > 0 && !holds(low + precision)) continue;
    let high = 1.3;
    while (high - low > precision) {
      const middle = (low + high) / 2;
      if (holds(middle)) low = middle;
      else high = middle;
    }
    best = low;
  }
  return best;
}
