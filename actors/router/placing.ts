// How a job gets to a worker: what a scheduler says of it (it goes there, it is refused, it gave way), what a worker asks
// before it starts a job under watch, and to whom a job goes when its scheduler is gone.
import { editionText, type MemberId, modelKey } from '../../proto/ids.js';
import type { JobEnd, JobSpec } from '../../proto/job.js';
import type { Said } from '../../proto/messages.js';
import { send } from '../effects.js';
import type { Job } from '../job/job.js';
import { Placement } from '../job/placement.js';
import type { JobBook } from './book.js';
import type { Conductor } from './conductor.js';
import { dispatchMessage, goMessage, withdrawMessage } from './dispatch.js';
import type { Hedging } from './hedging.js';
import type { Losses } from './losses.js';
import type { Neighbours } from './neighbours.js';

export interface PlacingLimits {
  /** Batches larger than this leave their rows in frames of their own, to be put together off the main thread. */
  readonly joinBytesMax: number;
}

export class Placing {
  private readonly book: JobBook;
  private readonly neighbours: Neighbours;
  private readonly conductor: Conductor;
  private readonly losses: Losses;
  private readonly hedging: Hedging;
  private readonly limits: PlacingLimits;

  constructor(
    book: JobBook,
    neighbours: Neighbours,
    conductor: Conductor,
    losses: Losses,
    hedging: Hedging,
    limits: PlacingLimits,
  ) {
    this.book = book;
    this.neighbours = neighbours;
    this.conductor = conductor;
    this.losses = losses;
    this.hedging = hedging;
    this.limits = limits;
  }

  assign(assign: Said<'batch.assign'>, from: MemberId, now: number): void {
    const taken: Job[] = [];
    const attempts: number[] = [];
    const placement = new Placement(assign.worker, assign.costMs, assign.transportMs, now);
    for (let member = 0; member < assign.jobs.length; member++) {
      const job = this.book.get(assign.jobs[member] as number);
      const attempt = assign.attempts[member] as number;
      if (job === undefined) continue;
      if (job.is('queued') && job.attempt === attempt) {
        job.scheduler = from;
        job.admitted = true;
        job.worker = assign.worker;
        job.epoch = assign.epoch;
        job.batch = assign.batch;
        job.placement = placement;
        job.unseen = false;
        this.conductor.move(job, 'assign', now, placement);
      } else if (!job.spec.hedge || !this.hedging.placed(job, assign, member, from, placement)) continue;
      placement.rows += job.spec.rows;
      taken.push(job);
      attempts.push(attempt);
    }
    if (taken.length > 0 && this.neighbours.trusts(assign.worker)) {
      const run = dispatchMessage(assign, from, taken, attempts, now, this.limits.joinBytesMax);
      return this.conductor.perform(send(assign.worker, run));
    }
    this.conductor.tell(from, { type: 'batch.declined', batch: assign.batch });
    for (const job of taken) {
      if (job.placement === placement) this.losses.lose(job, 'returned', now);
      else this.hedging.lose(job, 'returned');
    }
  }

  started(started: Said<'batch.started'>, from: MemberId, now: number): void {
    this.hedging.begun(started, from);
    for (const job of this.book.allCurrent(started, from)) this.start(job, now);
  }

  /** A job under watch starts only once that has been noted here. */
  letGo(prepared: Said<'batch.prepared'>, from: MemberId, now: number): void {
    const jobs = this.book.allCurrent(prepared, from).filter((job) => job.is('assigned'));
    for (const job of jobs) this.start(job, now);
    const { scheduler, batch } = prepared;
    const [first] = jobs;
    if (first !== undefined && jobs.length === prepared.jobs.length) {
      return this.conductor.tell(from, goMessage(first));
    }
    this.conductor.tell(from, { type: 'batch.recall', scheduler, batch, jobs: prepared.jobs });
  }

  private start(job: Job, now: number): void {
    job.unseen = false;
    if (!job.is('assigned')) return;
    this.conductor.move(job, 'start', now, job.worker);
    if (job.spec.hedge) this.hedging.watch(job, now);
  }

  refused(refused: Said<'job.refused'>, from: MemberId, now: number): void {
    const job = this.book.get(refused.job);
    if (job === undefined || this.hedging.refused(job, refused.attempt)) return;
    if (!job.is('queued') || job.attempt !== refused.attempt || job.scheduler !== from) return;
    const { code, reason: message, retryAfterMs } = refused;
    if (code === 'DISPLACED')
      this.conductor.end(job, 'displace', now, { ending: 'displaced', code, message, retryAfterMs });
    else this.turnAway(job, { code, message, retryAfterMs }, now);
  }

  /** Jobs that wait for an edition that no worker has any more are put to the one that took its place. */
  reviewEditions(now: number): void {
    if (!this.neighbours.hasSuccessors) return;
    for (const job of this.book.all()) {
      const { model, version } = job.spec;
      if (!job.is('queued') || this.neighbours.inPlaceOf(model, version) === version) continue;
      this.conductor.handOver(job, now, 'its model was replaced');
    }
  }

  /** Of what is listed no more, or can't be served any more, nobody waits for what no worker has. */
  giveUpAll(now: number): void {
    const waitedFor = new Map<string, JobSpec>();
    for (const job of this.book.all())
      if (job.is('queued')) waitedFor.set(modelKey(job.spec.model, job.spec.version), job.spec);
    for (const { model, version } of waitedFor.values())
      this.giveUp(model, version, this.neighbours.vainness(model, version), now);
  }

  /** Who shared the run of one of them leads after it, and so comes to its own end. */
  giveUp(model: string, version: string, lack: string, now: number): void {
    if (lack === '') return;
    const message = `model ${model} version ${editionText(version)}: ${lack}`;
    const isInVain = ({ spec }: Job): boolean => spec.model === model && spec.version === version;
    for (let found = true; found; ) {
      found = false;
      for (const job of [...this.book.all()]) {
        if (!job.is('queued') || !isInVain(job)) continue;
        found = true;
        this.conductor.tell(job.scheduler, withdrawMessage(job));
        this.turnAway(job, { code: 'MODEL_UNAVAILABLE', message, retryAfterMs: 0 }, now);
      }
    }
  }

  /** Who may have been run already was not simply turned away: another try may run it twice. */
  private turnAway(job: Job, why: Omit<JobEnd, 'ending'>, now: number): void {
    if (job.mayHaveRun && why.code === 'MODEL_UNAVAILABLE')
      this.conductor.end(job, 'giveUp', now, { ending: 'failed', ...why });
    else this.conductor.end(job, 'reject', now, { ending: 'rejected', ...why });
  }

  /** Jobs whose scheduler is gone, drains or owns their model no more, or that never had one, go to the owner of now. */
  reviewSchedulers(now: number): void {
    const { schedulers } = this.neighbours;
    for (const job of this.book.all()) {
      if (!job.is('queued')) continue;
      if (schedulers.includes(job.scheduler)) {
        const { model, version } = job.spec;
        if (this.neighbours.owner(model, version) !== job.scheduler)
          this.conductor.handOver(job, now, 'its model has another owner');
        continue;
      }
      if (this.neighbours.trusts(job.scheduler)) {
        this.conductor.handOver(job, now, `${job.scheduler} drains`);
        continue;
      }
      job.settleAdmission(now);
      job.askedAt = Number.POSITIVE_INFINITY;
      const why = job.scheduler === '' ? 'a scheduler came' : `${job.scheduler} was lost`;
      // Should the same one come back, it will have forgotten the job.
      job.scheduler = '';
      if (schedulers.length > 0) this.conductor.move(job, 'orphan', now, why);
    }
  }
}
