// The router actor: admits requests as jobs, has a scheduler place them, hands their payload to the worker and gives
// each job exactly one end. It holds a job until then, which is what makes trying again possible.
import type { ErrorCode } from '../../proto/errors.js';
import type { JobNumber, MemberId } from '../../proto/ids.js';
import type { JobEnd, JobSpec } from '../../proto/job.js';
import type { Cause, Message, Said } from '../../proto/messages.js';
import type { Actor, Heard } from '../actor.js';
import { type Chart, startChart } from '../chart.js';
import { type Arm, type Effect, note, type Slice, send } from '../effects.js';
import type { Job } from '../job/job.js';
import type { JobEvent } from '../job/job.table.js';
import { type AdmissionLimits, refusal } from './admission.js';
import { JobBook } from './book.js';
import type { ModelCondition } from './coverage.js';
import { dispatchMessage, goMessage, recallMessage, timesOf, withdrawMessage } from './dispatch.js';
import { completed, endOf, jobNote, lateEnd, lossEnd } from './endings.js';
import {
  hearEnd,
  hearLife,
  judgeLoss,
  type LossCause,
  type LossLimits,
  noteLoss,
  type WordFate,
} from './loss.js';
import { Neighbours } from './neighbours.js';
import { routerMachine } from './router.machine.js';

export interface RouterLimits extends AdmissionLimits, LossLimits {
  /** Batches larger than this leave their rows in frames of their own, to be put together off the main thread. */
  readonly joinBytesMax: number;
}

const backoffFirstMs = 4;
const backoffMostMs = 128;
/** How long word of a worker's end is waited for: on a busy machine a process takes its time to end. */
const wordWaitMs = 3000;

export class Router implements Actor {
  readonly hears: ReadonlySet<Heard['type']> = new Set<Heard['type']>([
    'job.submitted',
    'job.cancelled',
    'job.refused',
    'batch.assign',
    'batch.lost',
    'batch.prepared',
    'batch.started',
    'batch.finished',
    'model.reported',
    'models.listed',
    'peer.judged',
    'worker.exited',
    'link.opened',
    'link.lost',
    'timer.fired',
    'drain.requested',
  ]);
  readonly chart: Chart = startChart(routerMachine);
  private readonly book: JobBook;
  private readonly neighbours = new Neighbours();
  private readonly limits: RouterLimits;
  private out: Effect[] = [];
  /** Moves that the chart does not have: always a fault of ours. */
  illegalMoves = 0;

  constructor(limits: RouterLimits, now: number) {
    this.limits = limits;
    this.book = new JobBook(now);
  }

  receive(heard: Heard, from: MemberId, now: number): Effect[] {
    this.hear(heard, from, now);
    const effects = this.out;
    this.out = [];
    return effects;
  }

  get liveJobs(): number {
    return this.book.size;
  }

  /** What was dropped because it came from an attempt or an epoch that is over. */
  get fenced(): number {
    return this.book.fenced;
  }

  job(number: JobNumber): Job | undefined {
    return this.book.get(number);
  }

  allJobs(): IterableIterator<Job> {
    return this.book.all();
  }

  condition(model: string, version: string): ModelCondition {
    return this.neighbours.condition(model, version);
  }

  /** Why it is not ready, for people; empty when it is. */
  unreadyReason(): string {
    if (this.chart.has('draining')) return 'the node is draining';
    if (this.illegalMoves > 0) return 'an invariant was violated: a job moved against its chart, see the log';
    return this.chart.has('ready') ? '' : (this.neighbours.gap() ?? 'the node is starting');
  }

  get ready(): boolean {
    return this.unreadyReason() === '';
  }

  private hear(heard: Heard, from: MemberId, now: number): void {
    switch (heard.type) {
      case 'job.submitted':
        return this.admit(heard.job, heard.spec, now);
      case 'batch.assign':
        return this.assign(heard, from, now);
      case 'batch.finished':
        return this.finish(heard, from, now);
      case 'batch.started':
        for (const job of this.book.allCurrent(heard, from))
          if (job.is('assigned')) this.move(job, 'start', now, from);
        return;
      case 'batch.prepared':
        return this.letGo(heard, from, now);
      case 'timer.fired':
        return this.timeCame(heard.timer, now);
      case 'job.cancelled':
        return this.cancel(heard.job, heard.why, now);
      case 'job.refused':
        return this.refused(heard, from, now);
      case 'batch.lost':
        for (const job of this.book.allCurrent(heard, heard.worker)) this.lose(job, heard.cause, now);
        return;
      case 'worker.exited':
        return this.exited(heard.worker, heard.cause, now);
      default:
        return this.hearOfOthers(heard, from, now);
    }
  }

  private hearOfOthers(heard: Heard, from: MemberId, now: number): void {
    switch (heard.type) {
      case 'link.opened':
        this.neighbours.open(heard.member, heard.roles);
        return this.reviewSchedulers(now);
      case 'link.lost':
        this.neighbours.close(heard.member);
        this.loseWorker(heard.member, 'unknown', now);
        return this.reviewSchedulers(now);
      case 'peer.judged':
        this.neighbours.judge(heard.member, heard.verdict === 'down');
        if (heard.verdict === 'down') this.loseWorker(heard.member, 'silent', now);
        if (heard.verdict === 'trusted') this.vouch(heard.member, now);
        return this.reviewSchedulers(now);
      case 'models.listed':
        this.neighbours.list(heard.models);
        return this.reviewCoverage();
      case 'model.reported':
        this.neighbours.report(from, heard);
        return this.reviewCoverage();
      case 'drain.requested':
        if (this.chart.can('drain')) this.chart.move('drain');
        return this.stopWhenEmpty();
    }
  }

  private admit(number: JobNumber, spec: JobSpec, now: number): void {
    if (this.book.get(number) !== undefined) {
      this.out.push(note('error', 'job.submittedTwice', { job: number }));
      return;
    }
    const job = this.book.open(number, spec, now);
    const condition = this.condition(spec.model, spec.version);
    const refused = refusal(spec, this.chart.has('routable'), condition, this.book, this.limits);
    if (refused !== undefined) return this.end(job, 'reject', now, refused);
    if (spec.budgetMs <= 0) {
      const message = 'the deadline had passed when the request came in';
      return this.end(job, 'expire', now, endOf('expired', 'DEADLINE_EXCEEDED', message));
    }
    this.wake(this.book.watch(job, now));
    this.move(job, 'admit', now, '');
  }

  /** Makes the move and does what it asks for. */
  private move(job: Job, event: JobEvent, now: number, why: string): boolean {
    const actions = job.move(event, now, why);
    if (actions === undefined) {
      this.illegalMoves++;
      this.out.push(note('error', 'job.movedIllegally', { job: job.number, event, state: job.state }));
      return false;
    }
    for (const action of actions) {
      if (action === 'enqueue') this.enqueue(job, now);
      else if (action === 'withdraw') this.tell(job.scheduler, withdrawMessage(job));
      else if (action === 'recall') this.tell(job.worker, recallMessage(job));
    }
    return true;
  }

  private end(job: Job, event: JobEvent, now: number, end: JobEnd, slice?: Slice): void {
    if (!this.move(job, event, now, end.code ?? '')) return;
    this.book.close(job);
    this.out.push({ type: 'reply', job: job.number, end, record: job, slice });
    if (end.ending !== 'completed') this.out.push(jobNote(job, end));
    if (this.book.size === 0) this.stopWhenEmpty();
  }

  private enqueue(job: Job, now: number): void {
    const { spec } = job;
    job.scheduler = this.neighbours.owner(spec.model, spec.version);
    if (job.scheduler === '') return;
    this.out.push(
      send(job.scheduler, {
        type: 'job.enqueue',
        job: job.number,
        attempt: job.attempt,
        model: spec.model,
        version: spec.version,
        shapeKey: spec.shapeKey,
        rows: spec.rows,
        bytes: spec.bytes,
        priority: spec.priority,
        budgetMs: Math.max(0, job.deadline - now),
        admitted: job.admitted,
        company: job.company,
        avoid: job.avoid,
      }),
    );
    job.admitted = true;
  }

  private assign(assign: Said<'batch.assign'>, from: MemberId, now: number): void {
    const taken: Job[] = [];
    const reachable = this.neighbours.trusts(assign.worker);
    for (let member = 0; member < assign.jobs.length; member++) {
      const job = this.book.get(assign.jobs[member] as number);
      if (job === undefined || !job.is('queued') || job.attempt !== assign.attempts[member]) continue;
      job.scheduler = from;
      job.worker = assign.worker;
      job.epoch = assign.epoch;
      job.batch = assign.batch;
      job.assignedAt = now;
      this.move(job, 'assign', now, assign.worker);
      taken.push(job);
    }
    if (taken.length > 0 && reachable) {
      this.out.push(send(assign.worker, dispatchMessage(assign, from, taken, now, this.limits.joinBytesMax)));
      return;
    }
    this.tell(from, { type: 'batch.declined', batch: assign.batch });
    for (const job of taken) this.lose(job, 'returned', now);
  }

  private letGo(prepared: Said<'batch.prepared'>, from: MemberId, now: number): void {
    const jobs = this.book.allCurrent(prepared, from).filter((job) => job.is('assigned'));
    for (const job of jobs) this.move(job, 'start', now, from);
    const { scheduler, batch } = prepared;
    const [first] = jobs;
    if (first !== undefined && jobs.length === prepared.jobs.length) this.tell(from, goMessage(first));
    else this.tell(from, { type: 'batch.recall', scheduler, batch, jobs: prepared.jobs });
  }

  private finish(finished: Said<'batch.finished'>, from: MemberId, now: number): void {
    let rowsBefore = 0;
    let rowsTotal = 0;
    for (let member = 0; member < finished.jobs.length; member++) {
      if (finished.codes[member] === '') rowsTotal += finished.rows[member] as number;
    }
    for (let member = 0; member < finished.jobs.length; member++) {
      const rows = finished.rows[member] as number;
      const code = finished.codes[member] as Said<'batch.finished'>['codes'][number];
      const job = this.book.current(finished, member, from);
      if (job?.company === 'solo') this.tell(from, goMessage(job));
      if (job !== undefined && code === '') {
        const slice = { member, rowsBefore, rows, rowsTotal, times: timesOf(job, finished, rowsTotal) };
        this.end(job, 'complete', now, completed, slice);
      } else if (job !== undefined && code !== '') this.notAnswered(job, code, finished, now);
      if (code === '') rowsBefore += rows;
    }
  }

  private notAnswered(
    job: Job,
    code: ErrorCode | 'returned',
    finished: Said<'batch.finished'>,
    now: number,
  ): void {
    if (code === 'returned') return this.lose(job, 'returned', now);
    if (code === 'DEADLINE_EXCEEDED' || code === 'CANCELLED') {
      // It left the batch before it started: its own end is due here too.
      return code === 'CANCELLED' ? this.lose(job, 'returned', now) : this.expire(job, now);
    }
    if (code === 'DEVICE_LOST' || code === 'RESULT_INVALID')
      return this.lose(job, 'device', now, code, finished.reason);
    if (finished.jobs.length > 1) return this.lose(job, 'split', now, code, finished.reason);
    this.end(job, 'fail', now, endOf('failed', code, finished.reason));
  }

  private lose(job: Job, cause: LossCause, now: number, code: ErrorCode = 'WORKERS_LOST', reason = ''): void {
    const verdict = judgeLoss(job, cause, this.limits);
    if (!this.move(job, 'lose', now, `${job.worker} ${cause}`)) return;
    job.attempt++;
    noteLoss(job, verdict, cause);
    job.avoid = job.worker;
    job.returns = cause === 'returned' ? job.returns + 1 : 0;
    if (verdict.fate === 'undecided') return this.wake(this.book.postpone(job, now + wordWaitMs));
    if (verdict.fate !== 'requeue')
      return this.end(job, 'giveUp', now, lossEnd(job, verdict.fate, cause, code, reason));
    // Handed back again and again: it would go round in circles without a pause.
    const pauseMs = Math.min(backoffMostMs, backoffFirstMs * 2 ** Math.min(job.returns, 10));
    if (job.returns < 2) this.move(job, 'requeue', now, '');
    else this.wake(this.book.postpone(job, now + pauseMs));
  }

  private loseWorker(worker: MemberId, cause: Cause | 'silent', now: number): void {
    for (const job of this.book.all()) if (job.worker === worker && job.placed) this.lose(job, cause, now);
  }

  private exited(worker: MemberId, cause: Cause, now: number): void {
    this.loseWorker(worker, cause, now);
    this.reconsider((job) => hearEnd(job, worker, cause), cause, `${worker} ${cause}`, now);
  }

  /** Whoever fell silent under these jobs lives. Of one without a link such word may be older than its end. */
  private vouch(worker: MemberId, now: number): void {
    if (!this.neighbours.hasLink(worker)) return;
    this.reconsider((job) => hearLife(job, worker), 'unknown', `${worker} lives`, now);
  }

  private reconsider(judge: (job: Job) => WordFate, cause: Cause, why: string, now: number): void {
    for (const job of this.book.all()) {
      const fate = judge(job);
      if (fate === 'poisoned') this.end(job, 'giveUp', now, lossEnd(job, fate, cause, 'JOB_POISONED', ''));
      else if (fate === 'requeue') this.move(job, 'requeue', now, why);
    }
  }

  /** It has waited long enough. No third worker is risked for a job that may have ended two. */
  private retry(job: Job, now: number): void {
    if (job.deaths < 2) this.move(job, 'requeue', now, '');
    else this.end(job, 'giveUp', now, lossEnd(job, 'exhausted', 'unknown', 'WORKERS_LOST', ''));
  }

  private refused(refused: Said<'job.refused'>, from: MemberId, now: number): void {
    const job = this.book.get(refused.job);
    if (job === undefined || !job.is('queued') || job.attempt !== refused.attempt || job.scheduler !== from)
      return;
    const { code, reason, retryAfterMs } = refused;
    this.end(job, 'reject', now, { ending: 'rejected', code, message: reason, retryAfterMs });
  }

  private cancel(number: JobNumber, why: string, now: number): void {
    const job = this.book.get(number);
    if (job !== undefined) this.end(job, 'cancel', now, endOf('cancelled', 'CANCELLED', why));
  }

  private timeCame(timer: string, now: number): void {
    if (timer === 'deadlines') this.wake(this.book.takeLate(now, (job) => this.expire(job, now)));
    else this.wake(this.book.takePostponed(now, (job) => this.retry(job, now)));
  }

  private expire(job: Job, now: number): void {
    this.end(job, 'expire', now, lateEnd(job, this.neighbours.lack(job)));
  }

  private wake(timer: Arm | undefined): void {
    if (timer !== undefined) this.out.push(timer);
  }

  private tell(to: MemberId, message: Message): void {
    if (to !== '' && this.neighbours.hasLink(to)) this.out.push(send(to, message));
  }

  /** Jobs whose scheduler is gone, or that never had one, go to the owner that there is now. */
  private reviewSchedulers(now: number): void {
    const { schedulers } = this.neighbours;
    for (const job of this.book.all()) {
      if (!job.is('queued') || schedulers.includes(job.scheduler)) continue;
      const why = job.scheduler === '' ? 'a scheduler came' : `${job.scheduler} was lost`;
      // Should the same one come back, it will have forgotten the job.
      job.scheduler = '';
      if (schedulers.length > 0) this.move(job, 'orphan', now, why);
    }
    this.reviewCoverage();
  }

  private reviewCoverage(): void {
    if (!this.chart.can('cover')) return;
    const covered = this.neighbours.gap() === undefined;
    const from = this.chart.state;
    if (!this.chart.move(covered ? 'cover' : 'uncover')) return;
    const moved = { from, to: this.chart.state, reason: this.unreadyReason() };
    this.out.push(note(covered ? 'info' : 'warn', 'router.moved', moved));
  }

  private stopWhenEmpty(): void {
    if (this.book.size > 0 || this.chart.state !== 'draining') return;
    this.chart.move('empty');
    this.out.push({ type: 'stopped' });
  }
}
