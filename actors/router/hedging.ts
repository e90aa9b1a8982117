// A second run beside a first that takes far longer than expected (off unless the model's owner wants it): another worker
// is asked, within a small share of the load, and the first good answer wins. Only for jobs that no worker was lost under:
// a job in doubt never runs in two places. A job has one such twin in its life.
import type { MemberId } from '../../proto/ids.js';
import type { Said } from '../../proto/messages.js';
import { send } from '../effects.js';
import type { Job } from '../job/job.js';
import type { Placement } from '../job/placement.js';
import type { BatchWord, JobBook, Twin } from './book.js';
import type { Conductor } from './conductor.js';
import { enqueueMessage, recallMessage } from './dispatch.js';
import { harms, type LossCause, noteTwinLoss } from './loss.js';
import type { Neighbours } from './neighbours.js';
import { TokenBucket } from './retries.js';

export interface HedgingLimits {
  /** Second runs beside a slow first one, as a share of the jobs that are admitted. */
  readonly hedgeShare: number;
}

interface Watched {
  readonly at: number;
  readonly job: Job;
  readonly attempt: number;
}

export class Hedging {
  private readonly book: JobBook;
  private readonly neighbours: Neighbours;
  private readonly conductor: Conductor;
  private readonly bucket: TokenBucket;
  /** Running jobs that may be hedged: no more than all credits of all workers allow. */
  private watched: Watched[] = [];
  private wakesAt = Number.POSITIVE_INFINITY;

  constructor(
    book: JobBook,
    neighbours: Neighbours,
    conductor: Conductor,
    limits: HedgingLimits,
    now: number,
  ) {
    this.book = book;
    this.neighbours = neighbours;
    this.conductor = conductor;
    this.bucket = new TokenBucket(limits.hedgeShare, 0, now);
    conductor.concluded = (job) => this.conclude(job);
  }

  admitted(): void {
    this.bucket.admitted++;
  }

  /** Its run has begun: it is looked at again when it should be over. */
  watch(job: Job, now: number): void {
    const wholeMs = job.placement?.wholeMs ?? 0;
    if (wholeMs === 0 || !mayHedge(job) || this.book.twins.has(job.number)) return;
    const at = now + wholeMs;
    this.watched.push({ at, job, attempt: job.attempt });
    if (at < this.wakesAt) this.wakeAt(at);
  }

  timeCame(now: number): void {
    const due = this.watched.filter(({ at }) => at <= now);
    this.watched = this.watched.filter(({ at, job }) => at > now && !job.ended);
    for (const { job, attempt } of due) {
      if (job.is('running') && job.attempt === attempt) this.ask(job, now);
    }
    this.wakesAt = Number.POSITIVE_INFINITY;
    if (this.watched.length > 0) this.wakeAt(this.watched.reduce(soonest, this.wakesAt));
  }

  private wakeAt(at: number): void {
    this.wakesAt = at;
    this.conductor.wake({ type: 'arm', timer: 'hedges', at });
  }

  private ask(job: Job, now: number): void {
    const scheduler = this.neighbours.owner(job.spec.model, job.spec.version);
    const inTime = now + (job.placement?.wholeMs ?? 0) < job.deadline;
    if (
      scheduler === '' ||
      !mayHedge(job) ||
      !inTime ||
      this.book.twins.has(job.number) ||
      !this.bucket.take(now)
    )
      return;
    const attempt = job.attempt + 1;
    this.book.twins.set(job.number, {
      state: 'asked',
      attempt,
      scheduler,
      placement: undefined,
      begun: false,
      batch: 0,
      epoch: 0,
    });
    const enqueue = enqueueMessage(job, this.neighbours.owners.list.epoch, now);
    // As a newcomer: where there is no room it is not worth it. By itself, for a mate in its batch may be what holds it up.
    const beside = { attempt, avoid: job.worker, admitted: false, company: 'alone' } as const;
    this.conductor.tell(scheduler, { ...enqueue, ...beside });
  }

  /** True when it is the twin that the scheduler has placed, and at another worker. */
  placed(
    job: Job,
    assign: Said<'batch.assign'>,
    member: number,
    from: MemberId,
    placement: Placement,
  ): boolean {
    const twin = this.book.twins.get(job.number);
    if (twin?.state !== 'asked' || twin.attempt !== assign.attempts[member] || twin.scheduler !== from)
      return false;
    if (!job.placed || assign.worker === job.worker) {
      twin.state = 'over';
      return false;
    }
    Object.assign(twin, { state: 'placed', placement, batch: assign.batch, epoch: assign.epoch });
    return true;
  }

  /** Word that second runs have begun: should their workers be lost, that counts against them. */
  begun(word: BatchWord, worker: MemberId): void {
    for (let member = 0; this.book.twins.size > 0 && member < word.jobs.length; member++) {
      const job = this.book.twinned(word, member, worker);
      const twin = job && this.book.twins.get(job.number);
      if (twin !== undefined) twin.begun = true;
    }
  }

  /** There is no room for it. True when that was said of a twin. */
  refused(job: Job, attempt: number): boolean {
    const twin = this.book.twins.get(job.number);
    if (twin?.state !== 'asked' || twin.attempt !== attempt) return false;
    twin.state = 'over';
    return true;
  }

  /** The twin has answered first: the job is where it is, and the other run is not wanted any more. */
  win(word: BatchWord, member: number, from: MemberId): Job | undefined {
    const job = this.book.twinned(word, member, from);
    const twin = job && this.book.twins.get(job.number);
    if (job === undefined || twin === undefined) return undefined;
    this.conductor.tell(job.worker, recallMessage(job));
    adopt(job, twin);
    return job;
  }

  /** The twin is lost, handed back or failed: the first run goes on alone. */
  loseBatch(word: BatchWord, worker: MemberId, cause: LossCause): void {
    for (let member = 0; this.book.twins.size > 0 && member < word.jobs.length; member++) {
      this.loseMember(word, member, worker, cause);
    }
  }

  loseMember(word: BatchWord, member: number, worker: MemberId, cause: LossCause): void {
    const job = this.book.twinned(word, member, worker);
    if (job !== undefined) this.lose(job, cause);
  }

  loseWorker(worker: MemberId, cause: LossCause): void {
    for (const [number, twin] of this.book.twins) {
      const job = this.book.get(number);
      if (twin.state === 'placed' && twin.placement?.worker === worker && job !== undefined)
        this.lose(job, cause);
    }
  }

  lose(job: Job, cause: LossCause): void {
    const twin = this.book.twins.get(job.number);
    if (twin === undefined) return;
    twin.state = 'over';
    if (harms(cause)) noteTwinLoss(job, twin.placement?.worker ?? '', cause, twin.begun);
  }

  /** The first run is lost: where the twin runs, the job goes on there if it may. If not, the twin is called back. */
  resume(job: Job, mayGoOn: boolean, now: number): boolean {
    const twin = this.book.twins.get(job.number);
    if (twin === undefined) return false;
    if (twin.state !== 'placed' || !mayGoOn) {
      this.callBack(job, twin);
      twin.state = 'over';
      job.attempt = Math.max(job.attempt, twin.attempt);
      return false;
    }
    adopt(job, twin);
    this.conductor.move(job, 'resume', now, `${job.worker} runs it too`);
    job.unseen = !twin.begun;
    // The first loss may have been the link's, and nothing watched this run: its worker may end by what runs beside it.
    job.unsure ||= job.deaths > 0 && !job.proven;
    // In doubt it is not to wait there beside others: if it has not begun it comes back, and goes under watch.
    if (job.unseen && job.deaths > 0) this.conductor.tell(job.worker, recallMessage(job));
    return true;
  }

  private conclude(job: Job): void {
    const twin = this.book.twins.get(job.number);
    if (twin === undefined) return;
    this.callBack(job, twin);
    this.book.twins.delete(job.number);
  }

  private callBack(job: Job, { state, scheduler, attempt, batch, placement }: Twin): void {
    if (state === 'asked') this.conductor.tell(scheduler, { type: 'job.withdraw', job: job.number, attempt });
    else if (state === 'placed' && placement !== undefined) {
      this.conductor.perform(
        send(placement.worker, { type: 'batch.recall', scheduler, batch, jobs: [job.number] }),
      );
    }
  }
}

function soonest(before: number, { at }: Watched): number {
  return Math.min(before, at);
}

function mayHedge(job: Job): boolean {
  const { hedge, idempotent } = job.spec;
  return hedge && idempotent && job.deaths === 0 && job.company === 'any';
}

function adopt(job: Job, twin: Twin): void {
  const { attempt, scheduler, batch, epoch, placement } = twin;
  twin.state = 'over';
  job.attempt = attempt;
  job.scheduler = scheduler;
  job.batch = batch;
  job.epoch = epoch;
  job.unseen = false;
  job.worker = placement?.worker ?? '';
  job.placement = placement;
}
