// Jobs that ask for the same while one of them is in flight run once. The first leads and runs; the others wait beside
// it, each with its own deadline, and get its answer. When it ends without one that holds for all, the most urgent of
// them leads, with all that the first went through: what ended workers is no news because another asks for it.
import type { JobEnd } from '../../proto/job.js';
import type { Slice } from '../effects.js';
import type { Job, Sharers } from '../job/job.js';
import type { Conductor } from './conductor.js';
import { lossEnd, spentEnd } from './endings.js';
import type { Retries } from './retries.js';

export interface SharingLimits {
  /** Jobs that wait for the run of one other; one more leads others of its own. */
  readonly sharersMax: number;
}

export class Sharing {
  private readonly conductor: Conductor;
  private readonly retries: Retries;
  private readonly limits: SharingLimits;
  /** By identity those whom a newcomer may join. */
  private readonly open = new Map<string, Sharers>();

  constructor(conductor: Conductor, retries: Retries, limits: SharingLimits) {
    this.conductor = conductor;
    this.retries = retries;
    this.limits = limits;
    conductor.parted = (job, end, slice, now) => this.parted(job, end, slice, now);
  }

  /** True when the job waits beside another. If not, others may wait beside it. */
  join(job: Job, now: number): boolean {
    const { identity, idempotent } = job.spec;
    // What may run once only was meant to run once for each who asked.
    if (identity === '' || !idempotent) return false;
    const sharers = this.open.get(identity);
    if (sharers === undefined || !this.mayJoin(job, sharers)) {
      this.lead(job, []);
      return false;
    }
    job.sharers = sharers;
    sharers.followers.push(job);
    this.conductor.move(job, 'share', now, `with job ${sharers.leader.number.toString(36)}`);
    return true;
  }

  /** Nobody waits behind one who goes later than itself would, unless that one is with a worker already. */
  private mayJoin(job: Job, { leader, followers }: Sharers): boolean {
    const { model, version, shapeKey } = leader.spec;
    const same = job.spec.model === model && job.spec.version === version && job.spec.shapeKey === shapeKey;
    if (!same || followers.length >= this.limits.sharersMax) return false;
    return leader.placed || (job.spec.priority >= leader.spec.priority && job.deadline >= leader.deadline);
  }

  private lead(leader: Job, followers: Job[]): void {
    leader.sharers = { leader, followers };
    for (const follower of followers) follower.sharers = leader.sharers;
    this.open.set(leader.spec.identity, leader.sharers);
  }

  private parted(job: Job, end: JobEnd, slice: Slice | undefined, now: number): void {
    const { leader, followers } = job.sharers as Sharers;
    const { identity } = job.spec;
    if (job !== leader) {
      followers.splice(followers.indexOf(job), 1);
      return;
    }
    if (this.open.get(identity) === job.sharers) this.open.delete(identity);
    if (followers.length === 0) return;
    const waiting = followers.splice(0);
    const shared = job.deaths >= 2 && end.ending !== 'completed' ? doubtedEnd(job, end) : end;
    if (holdsForAll(shared)) for (const follower of waiting) this.endWith(follower, job, shared, slice, now);
    else this.promote(job, waiting, end, now);
  }

  private endWith(follower: Job, leader: Job, end: JobEnd, slice: Slice | undefined, now: number): void {
    follower.sharers = undefined;
    if (slice === undefined) return this.conductor.end(follower, 'fail', now, end);
    const queueMs = Math.max(0, (leader.placement?.at ?? now) - follower.admittedAt);
    this.conductor.end(follower, 'complete', now, end, { ...slice, times: { ...slice.times, queueMs } });
  }

  private promote(leader: Job, waiting: Job[], end: JobEnd, now: number): void {
    waiting.sort((one, other) => one.spec.priority - other.spec.priority || one.deadline - other.deadline);
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      next.sharers = undefined;
      if (next.deadline <= now) {
        this.conductor.expire(next, now);
        continue;
      }
      inherit(next, leader);
      // The try that the leader did not get is not had for free.
      const lack = end.code === 'RETRIES_SPENT' ? this.retries.take(next, now) : '';
      if (lack !== '') {
        this.conductor.end(next, 'fail', now, spentEnd(next, end.message, lack));
        continue;
      }
      // Whoever the queue had taken keeps its place there, unless the queue itself let go of it.
      next.admitted = leader.settleAdmission(now) && end.ending !== 'rejected' && end.ending !== 'displaced';
      this.lead(next, waiting);
      this.conductor.move(next, 'lead', now, `job ${leader.number.toString(36)} ${end.ending}`);
      return;
    }
  }
}

/** An answer, or a failure that the same request would meet again. */
function holdsForAll(end: JobEnd): boolean {
  return end.ending === 'completed' || (end.ending === 'failed' && end.code !== 'RETRIES_SPENT');
}

/** It may have ended two workers: whatever its own end was, no third is risked for those who asked for the same. */
function doubtedEnd(leader: Job, end: JobEnd): JobEnd {
  return end.ending === 'failed' ? end : lossEnd(leader, 'exhausted', 'unknown', 'WORKERS_LOST', '');
}

function inherit(heir: Job, leader: Job): void {
  heir.company = leader.company;
  heir.deaths = leader.deaths;
  heir.losses = leader.losses;
  heir.failures = leader.failures;
  heir.doubted = leader.doubted;
  heir.cameBack = leader.cameBack;
  heir.proven = leader.proven;
  heir.unsure = leader.unsure;
  heir.avoid = leader.avoid;
  heir.placement = leader.placement;
}
