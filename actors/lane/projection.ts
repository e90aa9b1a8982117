// What the workers of a lane can still finish by a deadline: from when each is expected to be free and what a full batch
// takes there. Asked for every job that arrives, so it keeps its numbers in place.
import type { CostTable } from './cost.js';
import { rowsWithin } from './policy.js';

const workersMost = 256;

export class Projection {
  private readonly freeAt = new Float64Array(workersMost);
  private readonly share = new Float64Array(workersMost);
  private readonly costs: CostTable[] = [];
  private readonly full = new Int32Array(workersMost);
  private count = 0;
  transportMs = 0;
  rowsMax = 1;

  /** Forgets the workers: they are said anew whenever one of them took or finished something. */
  clear(): void {
    this.count = 0;
    this.costs.length = 0;
  }

  get workers(): number {
    return this.count;
  }

  /** `share`: the part of its time that is this lane's. `full`: the rows of a full batch there. */
  add(freeAt: number, cost: CostTable, full: number, share = 1): void {
    if (this.count === workersMost) return;
    this.freeAt[this.count] = freeAt;
    this.share[this.count] = share;
    this.full[this.count] = full;
    this.costs[this.count++] = cost;
  }

  /** How many rows are finished by then at the least, if all that wait are taken in their order; infinite while unknown. */
  rowsBy(deadline: number, now: number): number {
    let rows = 0;
    for (let worker = 0; worker < this.count; worker++) rows += this.rowsOf(worker, deadline, now);
    return rows;
  }

  /** When the last of so many rows is finished at the latest. */
  finishOf(rows: number, now: number): number {
    let low = now;
    let high = now + 1;
    for (let tries = 0; tries < 40 && this.rowsBy(high, now) < rows; tries++) high = now + (high - now) * 2;
    for (let tries = 0; tries < 16; tries++) {
      const middle = (low + high) / 2;
      if (this.rowsBy(middle, now) >= rows) high = middle;
      else low = middle;
    }
    return high;
  }

  private rowsOf(worker: number, deadline: number, now: number): number {
    const cost = this.costs[worker] as CostTable;
    if (!cost.known) return Number.POSITIVE_INFINITY;
    const full = this.full[worker] as number;
    const leftMs = deadline - this.transportMs - Math.max(now, this.freeAt[worker] as number);
    const lastMs = cost.high(full);
    const eachMs = cost.mean(full) / (this.share[worker] as number);
    if (leftMs < lastMs) return rowsWithin(cost, leftMs, full, 1);
    const before = Math.floor((leftMs - lastMs) / eachMs);
    return (before + 1) * full + rowsWithin(cost, leftMs - lastMs - before * eachMs, full, 1) * 0;
  }
}
