// Where a batch was sent, with the numbers that decided: one for all of its jobs, written out only for who asks.
import type { MemberId } from '../../proto/ids.js';
import { figure } from './figure.js';

export class Placement {
  readonly worker: MemberId;
  rows = 0;
  /** What its run will hardly take longer than; 0 where nothing is known. */
  readonly costMs: number;
  /** The way there and back. */
  readonly transportMs: number;
  readonly at: number;

  constructor(worker: MemberId, costMs: number, transportMs: number, now: number) {
    this.worker = worker;
    this.costMs = costMs;
    this.transportMs = transportMs;
    this.at = now;
  }

  /** What another try would hardly take longer than. */
  get wholeMs(): number {
    return this.costMs + this.transportMs;
  }

  toString(): string {
    const batch = `${this.worker}, batch of ${this.rows} row${this.rows === 1 ? '' : 's'}`;
    return this.costMs === 0 ? batch : `${batch}, expected ${figure(this.costMs)} ms`;
  }
}
