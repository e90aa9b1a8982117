// The latest jobs by reference, for those that ended well: so few that they are forgotten while they are young. Whatever
// grows older is moved about by the garbage collector.
import type { Reply } from '../../actors/effects.js';
import type { JobNumber } from '../../proto/ids.js';
import type { JobEnd, JobSpec, JobTimes } from '../../proto/job.js';
import type { Ended } from './journal.js';
import { Ring } from './ring.js';

/** Lists side by side instead of an object each: nothing is allocated per job. */
export class Recent extends Ring {
  private readonly orders: number[] = [];
  private readonly specs: JobSpec[] = [];
  private readonly ends: JobEnd[] = [];
  private readonly records: Reply['record'][] = [];
  private readonly times: (JobTimes | undefined)[] = [];
  private readonly endedAts: number[] = [];

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
    const at = this.place(number);
    this.orders[at] = order;
    this.specs[at] = spec;
    this.ends[at] = end;
    this.records[at] = record;
    this.times[at] = times;
    this.endedAts[at] = endedAt;
  }

  protected at(at: number): Ended {
    return {
      order: this.orders[at] as number,
      number: this.numbers[at] as JobNumber,
      spec: this.specs[at] as JobSpec,
      end: this.ends[at] as JobEnd,
      record: this.records[at] as Reply['record'],
      times: this.times[at],
      endedAt: this.endedAts[at] as number,
    };
  }
}
