// Moves jobs through their chart, does what the chart names with each move, and gives each job its one end. What the
// other parts of the router decide about a job comes about here, and what comes about is counted here.
import { isEndReason } from '../../proto/ends.js';
import type { ErrorCode } from '../../proto/errors.js';
import type { MemberId } from '../../proto/ids.js';
import type { JobEnd } from '../../proto/job.js';
import type { Message } from '../../proto/messages.js';
import { type Arm, type Effect, note, nothing, type Slice, send } from '../effects.js';
import type { Job } from '../job/job.js';
import type { JobEvent } from '../job/job.table.js';
import type { Placement } from '../job/placement.js';
import type { JobBook } from './book.js';
import { enqueueMessage, recallMessage, withdrawMessage } from './dispatch.js';
import { jobNote, lateEnd } from './endings.js';
import type { Neighbours } from './neighbours.js';

export class Conductor {
  private readonly book: JobBook;
  private readonly neighbours: Neighbours;
  private out = nothing;
  /** Is told of the end of a job that shared its run. */
  parted: (job: Job, end: JobEnd, slice: Slice | undefined, now: number) => void = () => {};
  /** Is told of the end of a job that may run twice at once. */
  concluded: (job: Job) => void = () => {};
  /** Moves that the chart does not have: always a fault of ours. */
  illegalMoves = 0;
  /** Ends for a reason that is not in the closed list of them: a fault of ours or of a worker. */
  unlistedEnds = 0;
  completed = 0;
  /** How many jobs ended for which reason. */
  readonly ended = new Map<ErrorCode, number>();

  constructor(book: JobBook, neighbours: Neighbours) {
    this.book = book;
    this.neighbours = neighbours;
  }

  takeEffects(): Effect[] {
    const effects = this.out;
    this.out = nothing;
    return effects;
  }

  /** Makes the move and does what it asks for. */
  move(job: Job, event: JobEvent, now: number, why: string | Placement): boolean {
    const actions = job.move(event, now, why);
    if (actions === undefined) {
      this.illegalMoves++;
      this.perform(note('error', 'job.movedIllegally', { job: job.number, event, state: job.state }));
      return false;
    }
    for (const action of actions) {
      if (action === 'enqueue') this.enqueue(job, now);
      else if (action === 'withdraw') this.tell(job.scheduler, withdrawMessage(job));
      else if (action === 'recall') this.tell(job.worker, recallMessage(job));
    }
    return true;
  }

  end(job: Job, event: JobEvent, now: number, end: JobEnd, slice?: Slice): void {
    // A refusal's own words hold the numbers that it was decided by.
    const why = event === 'reject' || event === 'displace' ? `${end.code}: ${end.message}` : (end.code ?? '');
    if (!this.move(job, event, now, why)) return;
    this.book.close(job);
    this.perform({ type: 'reply', job: job.number, end, record: job, slice });
    this.count(job, end);
    if (job.spec.hedge) this.concluded(job);
    if (job.sharers !== undefined) this.parted(job, end, slice, now);
  }

  /** It waits anew. What its old scheduler still decides of it is of an attempt that is over. */
  handOver(job: Job, now: number, why: string): void {
    this.tell(job.scheduler, withdrawMessage(job));
    job.settleAdmission(now);
    job.attempt++;
    this.move(job, 'orphan', now, why);
  }

  expire(job: Job, now: number): void {
    this.end(job, 'expire', now, lateEnd(job, this.neighbours.lack(job)));
  }

  perform(effect: Effect): void {
    // Mostly there is just one: an array that grows makes room for many.
    if (this.out.length === 0) this.out = [effect];
    else this.out.push(effect);
  }

  wake(timer: Arm | undefined): void {
    if (timer !== undefined) this.perform(timer);
  }

  tell(to: MemberId, message: Message): void {
    if (to !== '' && this.neighbours.hasLink(to)) this.perform(send(to, message));
  }

  private enqueue(job: Job, now: number): void {
    if (this.neighbours.hasSuccessors) this.renew(job);
    job.scheduler = this.neighbours.owner(job.spec.model, job.spec.version);
    if (job.scheduler === '') return;
    this.perform(send(job.scheduler, enqueueMessage(job, this.neighbours.owners.list.epoch, now)));
    job.askedAt = now;
  }

  /** Nobody has the edition any more that was meant when it came: the one that took its place is asked. */
  private renew(job: Job): void {
    const { model, version } = job.spec;
    const next = this.neighbours.inPlaceOf(model, version);
    if (next !== version) job.spec = { ...job.spec, version: next };
  }

  private count(job: Job, end: JobEnd): void {
    const { ending, code } = end;
    if (ending === 'completed' && code === undefined) {
      this.completed++;
      return;
    }
    if (code !== undefined) this.ended.set(code, (this.ended.get(code) ?? 0) + 1);
    this.perform(jobNote(job, end));
    if (isEndReason(ending, code)) return;
    this.unlistedEnds++;
    this.perform(note('error', 'job.endedUnlisted', { job: job.number, ending, code: code ?? '' }));
  }
}
