// The book of a router's live jobs: who they are, how much payload they keep in memory, and what time will do to them
// next. A job is in the book from its arrival to its end; everything that is said of it is looked up here.

import type { JobNumber, MemberId } from '../../proto/ids.js';
import type { JobSpec } from '../../proto/job.js';
import type { Arm } from '../effects.js';
import { Job } from '../job/job.js';
import type { Placement } from '../job/placement.js';
import { Numbered } from '../numbered.js';
import { Wheel } from './wheel.js';

/** What a message says of the jobs of one batch. */
export interface BatchWord {
  readonly batch: number;
  readonly epoch: number;
  readonly jobs: readonly JobNumber[];
  readonly attempts: readonly number[];
}

/** A second run of a job beside its first. */
export interface Twin {
  /** `over`: refused, lost, or the job's only run now; kept so that its attempt is not used twice. */
  state: 'asked' | 'placed' | 'over';
  readonly attempt: number;
  readonly scheduler: MemberId;
  placement: Placement | undefined;
  /** Word has come that it runs. */
  begun: boolean;
  batch: number;
  epoch: number;
}

export class JobBook {
  private readonly jobs = new Numbered<Job>();
  private readonly wheel: Wheel<Job>;
  private readonly postponed: { readonly until: number; readonly job: Job }[] = [];
  private wakesAt = Number.POSITIVE_INFINITY;
  payloadBytes = 0;
  readonly twins = new Map<JobNumber, Twin>();
  /** What was dropped because it came from an attempt or an epoch that is over. */
  fenced = 0;

  constructor(now: number) {
    this.wheel = new Wheel<Job>(now);
  }

  get size(): number {
    return this.jobs.size;
  }

  get(number: JobNumber): Job | undefined {
    return this.jobs.get(number);
  }

  all(): IterableIterator<Job> {
    return this.jobs.values().values();
  }

  open(number: JobNumber, spec: JobSpec, now: number): Job {
    const job = new Job(number, spec, now);
    this.jobs.set(number, job);
    this.payloadBytes += spec.bytes;
    return job;
  }

  close(job: Job): void {
    if (!this.jobs.delete(job.number)) return;
    this.wheel.remove(job);
    this.payloadBytes -= job.spec.bytes;
  }

  /** From now on the job's deadline is kept; the timer for it, where an earlier one does not do. */
  watch(job: Job, now: number): Arm | undefined {
    this.wheel.add(job, now);
    return job.deadline < this.wakesAt ? this.wakeAt(Math.ceil(job.deadline)) : undefined;
  }

  /** Hands over every job whose time is up; the timer for the next. */
  takeLate(now: number, late: (job: Job) => void): Arm | undefined {
    this.wakesAt = Number.POSITIVE_INFINITY;
    this.wheel.advance(now, late);
    const next = this.wheel.nextAt();
    return next < Number.POSITIVE_INFINITY ? this.wakeAt(Math.ceil(next)) : undefined;
  }

  /** Keeps a job from being tried again too soon. */
  postpone(job: Job, until: number): Arm | undefined {
    job.waitsUntil = until;
    this.postponed.push({ until, job });
    return this.nextRetry();
  }

  /** Hands over every job that has waited long enough; the timer for the next. */
  takePostponed(now: number, ready: (job: Job) => void): Arm | undefined {
    const due = this.postponed.filter((entry) => entry.until <= now);
    const later = this.postponed.filter((entry) => entry.until > now && !entry.job.ended);
    this.postponed.splice(0, this.postponed.length, ...later);
    for (const { until, job } of due) if (job.is('retrying') && job.waitsUntil === until) ready(job);
    return this.nextRetry();
  }

  /** The job, when it is still as the message says: same attempt, same epoch, same batch, same worker. */
  current(word: BatchWord, member: number, worker: MemberId): Job | undefined {
    const job = this.jobs.get(word.jobs[member] as JobNumber);
    const same =
      job?.placed === true &&
      job.attempt === word.attempts[member] &&
      job.epoch === word.epoch &&
      job.batch === word.batch &&
      job.worker === worker;
    if (same) return job;
    if (this.twins.size === 0 || this.twinned(word, member, worker) === undefined) this.fenced++;
    return undefined;
  }

  /** The job, when the message speaks of its twin. */
  twinned(word: BatchWord, member: number, worker: MemberId): Job | undefined {
    const number = word.jobs[member] as JobNumber;
    const twin = this.twins.get(number);
    const same =
      twin?.state === 'placed' &&
      twin.attempt === word.attempts[member] &&
      twin.epoch === word.epoch &&
      twin.batch === word.batch &&
      twin.placement?.worker === worker;
    return same ? this.jobs.get(number) : undefined;
  }

  allCurrent(word: BatchWord, worker: MemberId): Job[] {
    const jobs: Job[] = [];
    for (let member = 0; member < word.jobs.length; member++) {
      const job = this.current(word, member, worker);
      if (job !== undefined) jobs.push(job);
    }
    return jobs;
  }

  private wakeAt(at: number): Arm {
    this.wakesAt = at;
    return { type: 'arm', timer: 'deadlines', at };
  }

  private nextRetry(): Arm | undefined {
    if (this.postponed.length === 0) return undefined;
    const at = this.postponed.reduce(
      (soonest, entry) => Math.min(soonest, entry.until),
      Number.POSITIVE_INFINITY,
    );
    return { type: 'arm', timer: 'retries', at };
  }
}
