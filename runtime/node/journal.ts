// What is remembered of jobs that have ended: those that ended well apart from the others, so that a flood of good ones
// does not push out what went wrong. Keeping costs a few references; the path is told only when asked for.
import type { Reply } from '../../actors/effects.js';
import type { JobNumber } from '../../proto/ids.js';
import type { JobEnd, JobSpec, JobTimes } from '../../proto/job.js';

export interface Ended {
  readonly number: JobNumber;
  readonly spec: JobSpec;
  readonly end: JobEnd;
  readonly record: Reply['record'];
  readonly times: JobTimes | undefined;
  /** Milliseconds since 1970. */
  readonly endedAt: number;
}

/** Whatever outlives its request is moved about by the garbage collector: with many kept, of every good job as well. */
const goodShare = 1 / 8;

export class Journal {
  private readonly good: Ring;
  private readonly bad: Ring;
  private count = 0;

  /** So many that did not end well, and fewer of the others. */
  constructor(keptMax: number) {
    this.good = new Ring(Math.ceil(keptMax * goodShare));
    this.bad = new Ring(keptMax);
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
  last(count: number, isFailed: boolean, fits: (spec: JobSpec) => boolean): Ended[] {
    const rings = isFailed ? [this.bad] : [this.good, this.bad];
    const found = rings.flatMap((ring) => ring.latest(count, fits));
    return found
      .sort((a, b) => a.order - b.order)
      .slice(-count)
      .map(({ ended }) => ended);
  }
}

/** Lists side by side instead of an object each: nothing is allocated per job. */
class Ring {
  private readonly size: number;
  private readonly orders: number[] = [];
  private readonly numbers: JobNumber[] = [];
  private readonly specs: JobSpec[] = [];
  private readonly ends: JobEnd[] = [];
  private readonly records: Reply['record'][] = [];
  private readonly times: (JobTimes | undefined)[] = [];
  private readonly endedAts: number[] = [];
  private next = 0;

  constructor(size: number) {
    this.size = size;
  }

  keep(
    order: number,
    number: JobNumber,
    spec: JobSpec,
    end: JobEnd,
    record: Reply['record'],
    times: JobTimes | undefined,
    endedAt: number,
  ): void {
    if (this.size === 0) return;
    const at = this.next;
    this.next = at + 1 === this.size ? 0 : at + 1;
    this.orders[at] = order;
    this.numbers[at] = number;
    this.specs[at] = spec;
    this.ends[at] = end;
    this.records[at] = record;
    this.times[at] = times;
    this.endedAts[at] = endedAt;
  }

  find(number: JobNumber): Ended | undefined {
    const at = this.numbers.indexOf(number);
    return at < 0 ? undefined : this.at(at);
  }

  latest(count: number, fits: (spec: JobSpec) => boolean): { order: number; ended: Ended }[] {
    const found: { order: number; ended: Ended }[] = [];
    const kept = this.numbers.length;
    for (let back = 1; back <= kept && found.length < count; back++) {
      const at = (this.next - back + kept) % kept;
      if (fits(this.specs[at] as JobSpec))
        found.push({ order: this.orders[at] as number, ended: this.at(at) });
    }
    return found;
  }

  private at(at: number): Ended {
    return {
      number: this.numbers[at] as JobNumber,
      spec: this.specs[at] as JobSpec,
      end: this.ends[at] as JobEnd,
      record: this.records[at] as Reply['record'],
      times: this.times[at],
      endedAt: this.endedAts[at] as number,
    };
  }
}
