// Whether a job that arrives can still be answered in time, and whether those who wait still can with it: the lane's
// schedule walked through with the costs that are expected and the times at which workers will be free. Asked for every
// job, so it keeps its numbers in place and looks no further than it must.
import type { Backlog } from './backlog.js';
import type { CostTable } from './cost.js';
import { promiseCaution, rowsWithin } from './policy.js';

const workersMost = 256;
/** Beyond so many batches the walk goes by averages. */
const batchesMost = 32;

export interface Newcomer {
  readonly priority: number;
  readonly deadline: number;
  readonly rows: number;
}

/** What stands against a newcomer: its own answer, those of others, or that so small a batch costs others too much. */
export type Cause = 'late' | 'others' | 'worth';

export class Projection {
  private readonly freeAt = new Float64Array(workersMost);
  private readonly start = new Float64Array(workersMost);
  private readonly costs: CostTable[] = [];
  /** Where in the backlog the walk met somebody who would be late. */
  lateAt = 0;
  private latestFree = 0;
  private slowest: CostTable | undefined;
  private fastest: CostTable | undefined;
  transportMs = 0;
  /** Rows of a full batch, and of the smallest worth beginning: see `Planner`. */
  full = 1;
  leastWorth = 1;
  /** Among how many sorts the rows are spread that may not share a batch. */
  sorts = 1;
  /** Whose turn it is among the sorts, and the rows that were taken out of the order since the first of them had its own. */
  private round = 0;
  private owed = 0;
  /** The part of the workers' time that is this lane's. */
  share = 1;
  /** When the newcomer asked for last would be answered at the latest. */
  finishAt = 0;
  /** Why it did not fit; of others, when the first of those is due who would be late. */
  cause: Cause = 'late';
  othersDue = 0;
  /** The rows of the batch that it would have begun. */
  begun = 0;

  /** Forgets the workers: they are said anew whenever one took or finished something. */
  clear(): void {
    this.costs.length = 0;
    this.latestFree = 0;
    this.slowest = undefined;
    this.fastest = undefined;
  }

  get workers(): number {
    return this.costs.length;
  }

  /** One that serves the lane, and when it is expected to be done with what it has. */
  add(freeAt: number, cost: CostTable): void {
    if (this.costs.length === workersMost) return;
    this.freeAt[this.costs.length] = freeAt;
    this.costs.push(cost);
    this.latestFree = Math.max(this.latestFree, freeAt);
    if (this.slowest === undefined || cost.high(1) > this.slowest.high(1)) this.slowest = cost;
    if (this.fastest === undefined || cost.mean(1) < this.fastest.mean(1)) this.fastest = cost;
  }

  /** What a run of so many rows takes by itself, where it is fastest. */
  aloneMs(rows: number): number {
    return this.fastest?.mean(rows) ?? 0;
  }

  /** Until the first of the workers is done with what it has. */
  freeInMs(now: number): number {
    return this.freeAt
      .subarray(0, this.costs.length)
      .reduce((least, at) => Math.min(least, Math.max(0, at - now)), Infinity);
  }

  /** Until all that runs and so many rows are done, in full batches. */
  drainMs(rows: number, now: number): number {
    let rate = 0;
    let busyMs = 0;
    for (let worker = 0; worker < this.costs.length; worker++) {
      rate += this.full / (this.costs[worker] as CostTable).mean(this.full);
      busyMs += Math.max(0, (this.freeAt[worker] as number) - now);
    }
    return rate === 0 ? 0 : busyMs / this.costs.length + rows / (rate * this.share);
  }

  /**
   * `all`: nobody who waits is late for it. `equals`: nobody of its own priority or a higher one; some of a lower one
   * would have to go.
   */
  fits(newcomer: Newcomer, backlog: Backlog, now: number, others: 'all' | 'equals' = 'all'): boolean {
    const { slowest } = this;
    this.finishAt = newcomer.deadline;
    this.cause = 'late';
    if (slowest === undefined) return true;
    for (let worker = 0; worker < this.costs.length; worker++) {
      if (!(this.costs[worker] as CostTable).known) return true;
    }
    return this.fitsEasily(slowest, newcomer, backlog, now) || this.walk(newcomer, backlog, now, others);
  }

  /** Whether all those of lower priority than this one are still in time; if not, `lateAt` rows are before the first. */
  holds(priority: number, backlog: Backlog, now: number): boolean {
    if (this.costs.length === 0) return true;
    this.begin(now);
    backlog.rewind();
    let at = 0;
    for (let batch = 0; batch < batchesMost && at < backlog.rows; batch++) {
      const worker = this.nextWorker();
      const cost = this.costs[worker] as CostTable;
      const begin = this.start[worker] as number;
      let size = rowsWithin(cost, backlog.deadlineHere - begin, this.full, 1, promiseCaution);
      if (size === 0 && backlog.priorityHere > priority) {
        this.lateAt = at;
        return false;
      }
      size = Math.max(1, size);
      this.start[worker] = begin + cost.mean(size) / this.share;
      backlog.skip(size);
      at += size;
    }
    return true;
  }

  /** Even on the slowest worker, and behind all others. */
  private fitsEasily(slowest: CostTable, newcomer: Newcomer, backlog: Backlog, now: number): boolean {
    const size = Math.max(1, Math.floor(Math.max(this.full, newcomer.rows) / this.sorts));
    const batches = Math.ceil((backlog.rows + newcomer.rows) / size / this.costs.length);
    const startAt = Math.max(now, this.latestFree) + this.transportMs;
    const finishAt = startAt + (batches / this.share) * slowest.high(Math.max(size, newcomer.rows));
    if (finishAt > newcomer.deadline || finishAt > backlog.soonest) return false;
    this.finishAt = finishAt;
    return true;
  }

  private walk(newcomer: Newcomer, backlog: Backlog, now: number, others: 'all' | 'equals'): boolean {
    const { start, costs } = this;
    const { priority, deadline, rows } = newcomer;
    this.begin(now);
    const ahead = backlog.ahead(priority, deadline);
    const total = backlog.rows + rows;
    let placed = false;
    let at = 0;
    backlog.rewind();
    this.round = 0;
    this.owed = 0;
    for (let batch = 0; batch < batchesMost; batch++) {
      const worker = this.nextWorker();
      const cost = costs[worker] as CostTable;
      const begin = start[worker] as number;
      const begins = !placed && at >= ahead;
      if (placed && others === 'equals' && backlog.priorityHere > priority) return true;
      const due = begins ? deadline : backlog.deadlineHere;
      const least = begins ? rows : 1;
      let size = rowsWithin(cost, due - begin, Math.max(this.full, least), least, promiseCaution);
      if (begins) {
        if (size < rows) {
          this.finishAt = begin + cost.mean(rows) * (1 + (cost.spread() - 1) * promiseCaution);
          return false;
        }
        this.finishAt = begin + cost.high(rows);
        if (size < this.leastWorth) return this.isLittle(size);
      } else if (size === 0) {
        if (placed) return this.isLateFor(due);
        size = 1;
      }
      if (this.sorts > 1) size = Math.max(least, Math.min(size, Math.ceil((total - at) / this.sorts)));
      start[worker] = begin + cost.mean(size) / this.share;
      const step = this.sorts > 1 ? this.stepOf(size, least) : size;
      if (!placed && at + step > ahead) {
        placed = true;
        this.finishAt = begin + cost.high(size);
        if (this.finishAt > deadline) return false;
        if (ahead === backlog.rows) return true;
        backlog.skip(Math.max(0, step - rows));
      } else backlog.skip(step);
      at += step;
      if (at >= total) return true;
    }
    return placed || this.fitsFarOff(ahead + rows - at, at / batchesMost, deadline);
  }

  /** A batch takes of its own sort also who is less urgent, so in the order of all the walk comes on with every sort's turn. */
  private stepOf(size: number, least: number): number {
    this.round++;
    if (this.round < this.sorts) {
      const step = Math.max(least, Math.ceil(size / this.sorts));
      this.owed += size - step;
      return step;
    }
    const step = size + this.owed;
    this.round = 0;
    this.owed = 0;
    return step;
  }

  private isLittle(size: number): false {
    this.cause = 'worth';
    this.begun = size;
    return false;
  }

  private isLateFor(due: number): false {
    this.cause = 'others';
    this.othersDue = due;
    return false;
  }

  private begin(now: number): void {
    for (let worker = 0; worker < this.costs.length; worker++) {
      this.start[worker] = Math.max(now, this.freeAt[worker] as number) + this.transportMs;
    }
  }

  /** The one that would be done first with a row. */
  private nextWorker(): number {
    let best = 0;
    let bestAt = Number.POSITIVE_INFINITY;
    for (let worker = 0; worker < this.costs.length; worker++) {
      const doneAt = (this.start[worker] as number) + (this.costs[worker] as CostTable).mean(1);
      if (doneAt >= bestAt) continue;
      best = worker;
      bestAt = doneAt;
    }
    return best;
  }

  /** If batches go on as they did so far. */
  private fitsFarOff(rows: number, size: number, deadline: number): boolean {
    let rate = 0;
    let from = 0;
    for (let worker = 0; worker < this.costs.length; worker++) {
      const each = size / (this.costs[worker] as CostTable).high(size);
      rate += each;
      from += each * (this.start[worker] as number);
    }
    this.finishAt = from / rate + rows / rate;
    return this.finishAt <= deadline;
  }
}
