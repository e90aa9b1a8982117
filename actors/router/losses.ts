// Jobs whose worker or whose run was lost: the judgement over each is carried out here, and what is heard later of a
// worker's end or life is held against those that were lost with it.
import type { ErrorCode } from '../../proto/errors.js';
import type { MemberId } from '../../proto/ids.js';
import type { Cause, Said } from '../../proto/messages.js';
import type { Job } from '../job/job.js';
import type { JobBook } from './book.js';
import type { Conductor } from './conductor.js';
import { lossEnd, spentEnd } from './endings.js';
import type { Hedging } from './hedging.js';
import {
  hearAnswer,
  hearEnd,
  hearReturn,
  isFailure,
  judgeLoss,
  type LossCause,
  type LossLimits,
  noteLoss,
  reviseLoss,
  type Verdict,
  type WordFate,
} from './loss.js';
import type { Retries } from './retries.js';

const backoffFirstMs = 4;
const backoffMostMs = 128;
/** How long word of a worker's end is waited for: on a busy machine a process takes its time to end. */
const wordWaitMs = 3000;

/** The first invalid answer to a batch may be any member's fault: all go again, each by itself. */
function mayBeAnothers({ failures, placement, spec }: Job, cause: LossCause): boolean {
  return cause === 'garbled' && failures === 1 && (placement?.rows ?? spec.rows) > spec.rows;
}

export class Losses {
  private readonly book: JobBook;
  private readonly conductor: Conductor;
  private readonly retries: Retries;
  private readonly hedging: Hedging;
  private readonly limits: LossLimits;

  constructor(book: JobBook, conductor: Conductor, retries: Retries, hedging: Hedging, limits: LossLimits) {
    this.book = book;
    this.conductor = conductor;
    this.retries = retries;
    this.hedging = hedging;
    this.limits = limits;
  }

  lose(job: Job, cause: LossCause, now: number, code: ErrorCode = 'WORKERS_LOST', reason = ''): void {
    const verdict = judgeLoss(job, cause, this.limits);
    if (!this.conductor.move(job, 'lose', now, `${job.worker} ${cause}`)) return;
    noteLoss(job, verdict, cause);
    job.avoid = job.worker;
    job.returns = cause === 'returned' ? job.returns + 1 : 0;
    if (job.spec.hedge && this.hedging.resume(job, verdict.fate === 'requeue', now)) return;
    job.attempt++;
    if (!this.goesOn(job, verdict.fate, cause, now, code, reason)) return;
    // Handed back again and again: it would go round in circles without a pause.
    const pauseMs = Math.min(backoffMostMs, backoffFirstMs * 2 ** Math.min(job.returns, 10));
    if (job.returns < 2) this.conductor.move(job, 'requeue', now, `attempt ${job.attempt}`);
    else this.conductor.wake(this.book.postpone(job, now + pauseMs));
  }

  private goesOn(
    job: Job,
    fate: Verdict['fate'],
    cause: LossCause,
    now: number,
    code: ErrorCode,
    reason: string,
  ): boolean {
    if (fate === 'undecided') this.conductor.wake(this.book.postpone(job, now + wordWaitMs));
    else if (fate !== 'requeue') {
      this.conductor.end(job, 'giveUp', now, lossEnd(job, fate, cause, code, reason));
    } else {
      const lack = this.lack(job, cause, now);
      if (lack === '') return true;
      this.conductor.end(job, 'giveUp', now, spentEnd(job, reason, lack));
    }
    return false;
  }

  /** Why it is not tried again; or nothing. */
  private lack(job: Job, cause: LossCause, now: number): string {
    if (!isFailure(cause)) return '';
    return mayBeAnothers(job, cause) ? this.retries.lateness(job, now) : this.retries.take(job, now);
  }

  /** A batch of which its scheduler says that it is lost. */
  loseBatch(lost: Said<'batch.lost'>, now: number): void {
    this.hedging.loseBatch(lost, lost.worker, lost.cause);
    for (const job of this.book.allCurrent(lost, lost.worker)) this.lose(job, lost.cause, now);
  }

  loseWorker(worker: MemberId, cause: Cause | 'silent', now: number): void {
    this.hedging.loseWorker(worker, cause);
    for (const job of this.book.all()) if (job.worker === worker && job.placed) this.lose(job, cause, now);
  }

  /**
   * The link to its node's own process is lost. Worker processes end with that, and the end of the larger is seen later: what
   * may run twice does not wait for it.
   */
  loseOrphan(worker: MemberId, now: number): void {
    for (const job of this.book.all())
      if (job.worker === worker && job.placed && job.spec.idempotent) this.lose(job, 'unknown', now);
  }

  exited(worker: MemberId, cause: Cause, now: number): void {
    this.loseWorker(worker, cause, now);
    this.reconsider((job) => hearEnd(job, worker, cause), cause, `${worker} ${cause}`, now);
  }

  /** A member's link has opened: should it have been away, what it answered meanwhile is lost. */
  cameBack(member: MemberId): void {
    for (const job of this.book.all()) hearReturn(job, member);
  }

  /** An answer that came too late to count, even a failure, still tells who did not end the worker. */
  answered(word: Said<'batch.finished'>, member: number, worker: MemberId, now: number): void {
    const job = this.book.get(word.jobs[member] as number);
    if (job?.is('retrying') !== true || job.batch !== word.batch || job.epoch !== word.epoch) return;
    if (hearAnswer(job, worker) !== 'requeue') return;
    const code = word.codes[member];
    if (code === 'DEVICE_LOST' || code === 'RESULT_INVALID') {
      const cause = code === 'DEVICE_LOST' ? 'device' : 'garbled';
      const fate = reviseLoss(job, cause, this.limits);
      if (!this.goesOn(job, fate, cause, now, code, word.reason)) return;
    }
    this.conductor.move(job, 'requeue', now, `${worker} had answered`);
  }

  /** It has waited long enough. No third worker is risked for a job that may have ended two. */
  retry(job: Job, now: number): void {
    if (job.deaths < 2) this.conductor.move(job, 'requeue', now, `attempt ${job.attempt}`);
    else {
      const end = lossEnd(job, 'exhausted', 'unknown', 'WORKERS_LOST', '');
      this.conductor.end(job, 'giveUp', now, end);
    }
  }

  private reconsider(judge: (job: Job) => WordFate, cause: Cause, why: string, now: number): void {
    for (const job of this.book.all()) {
      const fate = judge(job);
      if (fate === 'poisoned' || fate === 'exhausted') {
        this.conductor.end(job, 'giveUp', now, lossEnd(job, fate, cause, 'WORKERS_LOST', ''));
      } else if (fate === 'requeue') this.conductor.move(job, 'requeue', now, why);
      else if (fate === 'freed') this.conductor.handOver(job, now, why);
    }
  }
}
