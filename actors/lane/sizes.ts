// Which batch sizes are worth sending on a worker: those that do more rows per millisecond than every smaller one. With
// real models they are few (a step in the cost ends just behind one), and all choices of a batch's size are among them.
import type { CostTable } from './cost.js';

/** Batches between two reviews. */
const runsBetween = 16;
/** A batch so much worse than the next smaller good size is cut down to that. */
const cutBelow = 0.95;

export class Sizes {
  private readonly good: number[] = [];
  private readonly rates: number[] = [];
  /** What each of them takes. */
  private readonly times: number[] = [];
  private fullRows = 1;
  private cost: CostTable | undefined;
  private version = 0;
  private workers = 0;
  private budgetMs = 0;
  private rowsMax = 0;

  /**
   * Looks again at what has changed. Workers and budgets are a little different whenever somebody asks: the good sizes do
   * not hang on them, only which of those is a full batch.
   */
  review(cost: CostTable, workers: number, budgetMs: number, rowsMax: number): void {
    const sameCost =
      cost === this.cost && Math.abs(cost.version - this.version) < runsBetween && rowsMax === this.rowsMax;
    if (sameCost && workers === this.workers && budgetMs === this.budgetMs) return;
    if (!sameCost) {
      this.cost = cost;
      this.version = cost.version;
      this.rowsMax = rowsMax;
      this.find(cost);
    }
    this.workers = workers;
    this.budgetMs = budgetMs;
    this.fullRows = this.within(budgetMs / (cost.spread() + 1 / Math.max(1, workers)));
  }

  get crew(): number {
    return Math.max(1, this.workers);
  }

  /** With which the workers do most while its first row can wait for it: staggered workers are free in turn. */
  get full(): number {
    return this.fullRows;
  }

  /** How much more a full batch does in the same time than one half as large. */
  get gain(): number {
    if (this.cost === undefined) return 1;
    const half = Math.max(1, this.fullRows >> 1);
    return (this.fullRows * this.cost.mean(half)) / (half * this.cost.mean(this.fullRows));
  }

  /** How much of what the workers do in full batches is wanted of them. */
  load(rowsPerMs: number): number {
    if (this.cost === undefined) return 0;
    return (rowsPerMs * this.cost.mean(this.fullRows)) / this.fullRows / this.workers;
  }

  /** The smallest with which the workers keep up with so many rows per millisecond; `most` when none does. */
  wanted(rowsPerMs: number, most: number): number {
    const perWorker = rowsPerMs / this.workers;
    for (let at = 0; at < this.good.length; at++) {
      const rows = this.good[at] as number;
      if (rows >= most) return most;
      if ((this.rates[at] as number) >= perWorker) return rows;
    }
    return most;
  }

  /** So many rows, or fewer where the last ones cost too much. */
  cut(rows: number): number {
    let low = 0;
    let high = this.good.length - 1;
    if (high < 0 || this.cost === undefined) return rows;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.good[middle] as number) <= rows) low = middle;
      else high = middle - 1;
    }
    const size = this.good[low] as number;
    return size < rows && rows / this.cost.mean(rows) < cutBelow * (this.rates[low] as number) ? size : rows;
  }

  /** The largest good size that takes no longer than that; 1 when none does. */
  private within(mostMs: number): number {
    let low = 0;
    let high = this.times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.times[middle] as number) <= mostMs) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 1 : (this.good[low - 1] as number);
  }

  private find(cost: CostTable): void {
    this.good.length = 0;
    this.rates.length = 0;
    this.times.length = 0;
    let best = 0;
    for (let rows = 1; rows <= this.rowsMax; rows = rows < 256 ? rows + 1 : Math.ceil(rows * 1.0625)) {
      const ms = cost.mean(rows);
      if (!(rows / ms > best)) continue;
      best = rows / ms;
      this.good.push(rows);
      this.rates.push(best);
      this.times.push(ms);
    }
  }
}
