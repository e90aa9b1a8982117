// What is remembered of jobs that have ended: those that ended well apart from the others, so that a flood of good ones
// does not push out what went wrong. Of a few good ones references are kept; what went wrong is kept for longer, in writing.
import type { Reply } from '../../actors/effects.js';
import type { JobNumber } from '../../proto/ids.js';
import type { JobEnd, JobSpec, JobTimes } from '../../proto/job.js';
import { Recent } from './recent.js';
import { Written } from './written.js';

/** What is told of a request. */
export type Asked = Pick<JobSpec, 'model' | 'version' | 'rows' | 'bytes' | 'priority' | 'budgetMs'>;

/** A job that has ended, and the how manieth it was. */
export interface Ended {
  readonly order: number;
  readonly number: JobNumber;
  readonly spec: Asked;
  readonly end: JobEnd;
  readonly record: Reply['record'];
  readonly times: JobTimes | undefined;
  /** Milliseconds since 1970. */
  readonly endedAt: number;
}

/** Whatever outlives its request is moved about by the garbage collector: with many kept, of every good job as well. */
const goodShare = 1 / 8;

export class Journal {
  private readonly good: Recent;
  private readonly bad: Written;
  private count = 0;

  /** So many that did not end well, and fewer of the others. */
  constructor(keptMax: number) {
    this.good = new Recent(Math.ceil(keptMax * goodShare));
    this.bad = new Written(keptMax);
  }

  keep(
    number: JobNumber,
    spec: JobSpec,
    end: JobEnd,
    record: Reply['record'],
    times: JobTimes | undefined,
    endedAt: number,
  ): void {
    const ring = end.ending === 'completed' ? this.good : this.bad;
    ring.keep(++this.count, number, spec, end, record, times, endedAt);
  }

  find(number: JobNumber): Ended | undefined {
    return this.bad.find(number) ?? this.good.find(number);
  }

  /** The latest that fit, in the order in which they ended. */
  last(count: number, isFailed: boolean, fits: (asked: Asked) => boolean): Ended[] {
    const rings = isFailed ? [this.bad] : [this.good, this.bad];
    const found = rings.flatMap((ring) => ring.latest(count, fits));
    return found.sort((a, b) => a.order - b.order).slice(-count);
  }
}
