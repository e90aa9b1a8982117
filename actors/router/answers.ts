// What a worker's answer means for each member of its batch: its rows of the outputs, the model's own "no", or that it
// is to be tried again.
import type { MemberId } from '../../proto/ids.js';
import type { Said } from '../../proto/messages.js';
import type { Job } from '../job/job.js';
import type { JobBook } from './book.js';
import type { Conductor } from './conductor.js';
import { goMessage, timesOf } from './dispatch.js';
import { completed, endOf } from './endings.js';
import type { Hedging } from './hedging.js';
import type { Losses } from './losses.js';

export class Answers {
  private readonly book: JobBook;
  private readonly conductor: Conductor;
  private readonly losses: Losses;
  private readonly hedging: Hedging;

  constructor(book: JobBook, conductor: Conductor, losses: Losses, hedging: Hedging) {
    this.book = book;
    this.conductor = conductor;
    this.losses = losses;
    this.hedging = hedging;
  }

  finish(finished: Said<'batch.finished'>, from: MemberId, now: number): void {
    let rowsBefore = 0;
    let rowsTotal = 0;
    for (let member = 0; member < finished.jobs.length; member++) {
      if (finished.codes[member] === '') rowsTotal += finished.rows[member] as number;
    }
    for (let member = 0; member < finished.jobs.length; member++) {
      const rows = finished.rows[member] as number;
      const code = finished.codes[member] as Said<'batch.finished'>['codes'][number];
      const job = this.book.current(finished, member, from) ?? this.twin(finished, member, from);
      if (job?.company === 'solo') this.conductor.tell(from, goMessage(job));
      if (job !== undefined && code === '') {
        const slice = { member, rowsBefore, rows, rowsTotal, times: timesOf(job, finished, rowsTotal) };
        this.conductor.end(job, 'complete', now, completed, slice);
      } else if (job !== undefined && code !== '') this.notAnswered(job, code, finished, now);
      else this.losses.answered(finished, member, from, now);
      if (code === '') rowsBefore += rows;
    }
  }

  /** Of a second run only a good answer counts. */
  private twin(finished: Said<'batch.finished'>, member: number, from: MemberId): Job | undefined {
    if (this.book.twins.size === 0) return undefined;
    if (finished.codes[member] === '') return this.hedging.win(finished, member, from);
    this.hedging.loseMember(finished, member, from, 'returned');
    return undefined;
  }

  private notAnswered(
    job: Job,
    code: Exclude<Said<'batch.finished'>['codes'][number], ''>,
    finished: Said<'batch.finished'>,
    now: number,
  ): void {
    switch (code) {
      case 'returned':
      case 'CANCELLED':
        return this.losses.lose(job, 'returned', now);
      case 'withheld':
        return this.losses.lose(job, 'withheld', now, 'WORKERS_LOST', finished.reason);
      case 'DEADLINE_EXCEEDED':
        // It left the batch before it started: its own end is due here too.
        return this.conductor.expire(job, now);
      case 'DEVICE_LOST':
        return this.losses.lose(job, 'device', now, code, finished.reason);
      case 'RESULT_INVALID':
        return this.losses.lose(job, 'garbled', now, code, finished.reason);
      default:
        // Each goes once by itself: one round tells who is guilty, beside each other at all workers. Halving would compute
        // fewer runs of a large batch, but keeps its last members waiting through one failing run after another.
        if (finished.jobs.length > 1) return this.losses.lose(job, 'split', now, code, finished.reason);
        this.conductor.end(job, 'fail', now, endOf('failed', code, finished.reason));
    }
  }
}
