// A light simulator of one model's queue and its workers in virtual time, for policies that are compared by the thousand:
// arrivals in order, all with the same budget; nothing else costs time.
import type { Cell } from './cells.js';

export interface Strategy {
  /** Whether the request that arrives now is queued. */
  admit(engine: Engine): boolean;
  /** Asked while a worker is free and somebody waits: how many to start now; 0 waits, until `engine.lookAt` at most. */
  decide(engine: Engine): number;
  /** A batch that ran. */
  learn?(rows: number, ms: number): void;
}

/** The same chances for every policy and every rate. */
export interface Chances {
  /** Gaps between arrivals, their mean 1. */
  readonly gaps: Float64Array;
  /** What costs are multiplied with, batch after batch; the length a power of two. */
  readonly noise: Float64Array;
  /** So many requests come before any is counted: whoever learns has learned by then. */
  readonly uncounted: number;
}

export interface Outcome {
  readonly offered: number;
  readonly inTime: number;
  readonly admitted: number;
}

export class Engine {
  now = 0;
  lookAt = Number.POSITIVE_INFINITY;
  head = 0;
  tail = 0;
  free: number;
  /** When those who wait arrived: from `head` to before `tail`. */
  readonly arrivals: Float64Array;
  /** When each worker will be done in truth; a policy must not look. */
  private readonly doneAt: Float64Array;
  /** When each worker is expected to be done. */
  readonly expectedAt: Float64Array;
  private readonly batchRows: Int32Array;
  private readonly batchMs: Float64Array;
  private batches = 0;
  inTime = 0;
  private countedFrom = Number.POSITIVE_INFINITY;
  admitted = 0;
  readonly sloMs: number;
  readonly workers: number;

  constructor(
    readonly cell: Cell,
    private readonly chances: Chances,
  ) {
    this.sloMs = cell.sloMs;
    this.workers = cell.workers;
    this.free = cell.workers;
    this.arrivals = new Float64Array(chances.gaps.length);
    this.doneAt = new Float64Array(cell.workers).fill(Number.POSITIVE_INFINITY);
    this.expectedAt = new Float64Array(cell.workers);
    this.batchRows = new Int32Array(cell.workers);
    this.batchMs = new Float64Array(cell.workers);
  }

  get waiting(): number {
    return this.tail - this.head;
  }

  /** When the longest waiting arrived. */
  get oldest(): number {
    return this.arrivals[this.head] as number;
  }

  run(rate: number, strategy: Strategy): Outcome {
    const { gaps } = this.chances;
    const arriving = gaps.length;
    let next = 0;
    let nextAt = (gaps[0] as number) / rate;
    for (;;) {
      let worker = -1;
      let at = nextAt;
      for (let index = 0; index < this.workers; index++) {
        const doneAt = this.doneAt[index] as number;
        if (doneAt <= at && doneAt < Number.POSITIVE_INFINITY) {
          at = doneAt;
          worker = index;
        }
      }
      if (this.lookAt < at) {
        this.now = Math.max(this.now, this.lookAt);
      } else if (worker >= 0) {
        this.now = at;
        this.doneAt[worker] = Number.POSITIVE_INFINITY;
        this.free++;
        strategy.learn?.(this.batchRows[worker] as number, this.batchMs[worker] as number);
      } else if (next < arriving) {
        this.now = at;
        if (next === this.chances.uncounted) this.countedFrom = at;
        if (strategy.admit(this)) {
          this.arrivals[this.tail++] = at;
          if (next >= this.chances.uncounted) this.admitted++;
        }
        next++;
        nextAt = next < arriving ? nextAt + (gaps[next] as number) / rate : Number.POSITIVE_INFINITY;
      } else break;
      this.lookAt = Number.POSITIVE_INFINITY;
      while (this.free > 0 && this.tail > this.head) {
        const rows = strategy.decide(this);
        if (rows === 0) break;
        this.start(rows);
      }
    }
    return { offered: arriving - this.chances.uncounted, inTime: this.inTime, admitted: this.admitted };
  }

  private start(rows: number): void {
    const { noise } = this.chances;
    let worker = 0;
    while (this.doneAt[worker] !== Number.POSITIVE_INFINITY) worker++;
    const mean = this.cell.model.meanMs[rows] as number;
    const ms = mean * (noise[this.batches++ & (noise.length - 1)] as number);
    const done = this.now + ms;
    this.doneAt[worker] = done;
    this.expectedAt[worker] = this.now + mean;
    this.batchRows[worker] = rows;
    this.batchMs[worker] = ms;
    this.free--;
    const latest = Math.max(done - this.sloMs, this.countedFrom);
    const end = this.head + rows;
    let at = this.head;
    while (at < end && (this.arrivals[at] as number) < latest) at++;
    this.inTime += end - at;
    this.head = end;
  }
}
