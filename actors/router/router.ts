// The router actor: admits requests as jobs, has a scheduler place them, hands their payload to the worker and gives
// each job exactly one end. It holds a job until then, which is what makes trying again possible.
import type { ErrorCode } from '../../proto/errors.js';
import type { JobEnd, JobSpec } from '../../proto/job.js';
import { type JobNumber, type MemberId, modelKey } from '../../proto/ids.js';
import type { Cause, Message, Said } from '../../proto/messages.js';
import type { Actor, Heard } from '../actor.js';
import { type Chart, startChart } from '../chart.js';
import { Directory } from '../directory.js';
import { type Effect, note, type Reply, type Slice, send } from '../effects.js';
import { Job } from '../job/job.js';
import type { JobEvent } from '../job/job.table.js';
import { dispatchMessage } from './dispatch.js';
import { Coverage, type ModelCondition } from './coverage.js';
import { endOf, jobNote, lossEnd } from './endings.js';
import { judgeLoss, type LossCause } from './loss.js';
import { ownerOf } from './owner.js';
import { routerMachine } from './router.machine.js';
import { Wheel } from './wheel.js';

export interface RouterLimits {
  readonly jobsMax: number;
  readonly payloadBytesMax: number;
  readonly lossesMax: number;
  /** Batches larger than this leave their rows in frames of their own, to be put together off the main thread. */
  readonly joinBytesMax: number;
}

const backoffFirstMs = 4;
const backoffMostMs = 128;

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
  private readonly jobs = new Map<JobNumber, Job>();
  private readonly directory = new Directory();
  private readonly distrusted = new Set<MemberId>();
  private readonly coverage = new Coverage();
  private readonly wheel: Wheel<Job>;
  private readonly waiting: { readonly at: number; readonly job: Job }[] = [];
  private schedulers: readonly MemberId[] = [];
  private armedAt = Number.POSITIVE_INFINITY;
  private bytes = 0;
  private out: Effect[] = [];
  /** What was dropped because it came from an attempt or an epoch that is over. */
  fenced = 0;
  /** Moves that the chart does not have: always a fault of ours. */
  illegalMoves = 0;

  private readonly limits: RouterLimits;

  constructor(limits: RouterLimits, now: number) {
    this.limits = limits;
    this.wheel = new Wheel<Job>(now);
  }

  receive(heard: Heard, from: MemberId, now: number): Effect[] {
    this.hear(heard, from, now);
    const effects = this.out;
    this.out = [];
    return effects;
  }

  get liveJobs(): number {
    return this.jobs.size;
  }

  job(number: JobNumber): Job | undefined {
    return this.jobs.get(number);
  }

  allJobs(): IterableIterator<Job> {
    return this.jobs.values();
  }

  condition(model: string, version: string): ModelCondition {
    return this.coverage.condition(modelKey(model, version), this.schedulers);
  }

  /** Why it is not ready, for people; empty when it is. */
  unreadyReason(): string {
    if (this.chart.has('draining')) return 'the node is draining';
    return this.chart.has('ready') ? '' : (this.coverage.gap(this.schedulers) ?? 'the node is starting');
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
        for (const job of this.current(heard, from)) if (job.is('assigned')) this.move(job, 'start', now, from);
        return;
      case 'batch.prepared':
        return this.letGo(heard, from, now);
      case 'timer.fired':
        return heard.timer === 'deadlines' ? this.expire(now) : this.requeueWaiting(now);
      case 'job.cancelled':
        return this.cancel(heard.job, heard.why, now);
      case 'job.refused':
        return this.refused(heard, from, now);
      case 'batch.lost':
        for (const job of this.current(heard, heard.worker)) this.lose(job, 'unanswered', now);
        return;
      case 'worker.exited':
        this.loseWorker(heard.worker, heard.cause, now);
        return;
      default:
        return this.hearOfOthers(heard, from, now);
    }
  }

  private hearOfOthers(heard: Heard, from: MemberId, now: number): void {
    switch (heard.type) {
      case 'link.opened':
        this.directory.open(heard.member, heard.roles);
        return this.reviewSchedulers(now);
      case 'link.lost': {
        this.directory.close(heard.member);
        this.coverage.forget(heard.member);
        this.distrusted.delete(heard.member);
        this.loseWorker(heard.member, 'unknown', now);
        return this.reviewSchedulers(now);
      }
      case 'peer.judged':
        if (heard.verdict === 'down') {
          this.distrusted.add(heard.member);
          this.loseWorker(heard.member, 'silent', now);
        } else {
          this.distrusted.delete(heard.member);
        }
        return this.reviewSchedulers(now);
      case 'models.listed':
        this.coverage.list(heard.models);
        return this.reviewCoverage();
      case 'model.reported':
        this.coverage.report(from, heard);
        return this.reviewCoverage();
      case 'drain.requested':
        this.chart.move('drain');
        return this.stopWhenEmpty();
    }
  }

  private admit(number: JobNumber, spec: JobSpec, now: number): void {
    const job = new Job(number, spec, now);
    this.jobs.set(number, job);
    this.bytes += spec.bytes;
    const refusal = this.refusal(spec);
    if (refusal !== undefined) {
      const [code, message, retryAfterMs] = refusal;
      return this.end(job, 'reject', now, { ending: 'rejected', code, message, retryAfterMs });
    }
    if (spec.budgetMs <= 0) {
      const message = 'the deadline had passed when the request came in';
      return this.end(job, 'expire', now, endOf('expired', 'DEADLINE_EXCEEDED', message));
    }
    this.wheel.add(job, now);
    if (job.deadline < this.armedAt) this.arm(Math.ceil(job.deadline));
    this.move(job, 'admit', now, '');
  }

  private refusal(spec: JobSpec): readonly [ErrorCode, string, number] | undefined {
    if (!this.chart.has('routable')) return ['DRAINING', 'the node is shutting down and takes no new work', 1000];
    if (this.jobs.size > this.limits.jobsMax) {
      return ['QUEUE_FULL', `the router holds ${this.limits.jobsMax} jobs, its bound (jobsMax)`, 100];
    }
    if (this.bytes > this.limits.payloadBytesMax) {
      return ['QUEUE_FULL', `the router holds payload up to its bound of ${this.limits.payloadBytesMax} bytes`, 100];
    }
    const condition = this.condition(spec.model, spec.version);
    if (condition.ready === 0 && condition.failed > 0) {
      return ['MODEL_UNAVAILABLE', `model ${spec.model} version ${spec.version}: ${condition.reason}`, 0];
    }
    return undefined;
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
      else if (action === 'withdraw') this.tell(job.scheduler, withdrawal(job));
      else if (action === 'recall') this.recall(job);
    }
    return true;
  }

  private end(job: Job, event: JobEvent, now: number, end: JobEnd, slice?: Slice): void {
    if (!this.move(job, event, now, end.code ?? '')) return;
    this.jobs.delete(job.number);
    this.wheel.remove(job);
    this.bytes -= job.spec.bytes;
    const reply: Reply = { type: 'reply', job: job.number, end, record: job, slice };
    this.out.push(reply);
    if (end.ending !== 'completed') this.out.push(jobNote(job, end));
    if (this.jobs.size === 0) this.stopWhenEmpty();
  }

  private enqueue(job: Job, now: number): void {
    const { spec } = job;
    job.scheduler = ownerOf(modelKey(spec.model, spec.version), this.schedulers) ?? '';
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
        company: job.company,
        avoid: job.avoid,
      }),
    );
  }

  private assign(assign: Said<'batch.assign'>, from: MemberId, now: number): void {
    const taken: Job[] = [];
    const reachable = this.directory.has(assign.worker) && !this.distrusted.has(assign.worker);
    for (let member = 0; member < assign.jobs.length; member++) {
      const job = this.jobs.get(assign.jobs[member] as number);
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
    const jobs = this.current(prepared, from).filter((job) => job.is('assigned'));
    for (const job of jobs) this.move(job, 'start', now, from);
    const { scheduler, batch } = prepared;
    if (jobs.length === prepared.jobs.length) this.tell(from, { type: 'batch.go', scheduler, batch });
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
      const job = this.jobs.get(finished.jobs[member] as number);
      if (!isCurrent(job, finished.attempts[member], finished.epoch, finished.batch, from)) this.fenced++;
      else if (code === '') {
        const times = {
          queueMs: job.assignedAt - job.admittedAt,
          computeInputMs: finished.inputMs,
          computeMs: finished.computeMs,
          computeOutputMs: finished.outputMs,
          batchRows: rowsTotal,
        };
        this.end(job, 'complete', now, completed, { member, rowsBefore, rows, rowsTotal, times });
      } else this.notAnswered(job, code, finished, now);
      if (code === '') rowsBefore += rows;
    }
  }

  private notAnswered(job: Job, code: ErrorCode | 'returned', finished: Said<'batch.finished'>, now: number): void {
    if (code === 'returned') return this.lose(job, 'returned', now);
    if (code === 'DEADLINE_EXCEEDED' || code === 'CANCELLED') {
      // It left the batch before it started: its own end is due here too.
      return code === 'CANCELLED' ? this.lose(job, 'returned', now) : this.expireJob(job, now);
    }
    if (code === 'DEVICE_LOST' || code === 'RESULT_INVALID') return this.lose(job, 'device', now, code, finished.reason);
    if (finished.jobs.length > 1) return this.lose(job, 'split', now, code, finished.reason);
    this.end(job, 'fail', now, endOf('failed', code, finished.reason));
  }

  private lose(job: Job, cause: LossCause, now: number, code: ErrorCode = 'WORKERS_LOST', reason = ''): void {
    const verdict = judgeLoss(job, cause, this.limits);
    const returns = cause === 'returned' && job.avoid === job.worker;
    if (!this.move(job, 'lose', now, `${job.worker} ${cause}`)) return;
    job.attempt++;
    job.losses = verdict.losses;
    job.deaths = verdict.deaths;
    job.company = verdict.company;
    job.avoid = job.worker;
    if (verdict.fate !== 'requeue') return this.end(job, 'giveUp', now, lossEnd(job, verdict.fate, cause, code, reason));
    if (!returns) {
      this.move(job, 'requeue', now, '');
      return;
    }
    // Handed back twice by the same worker: it would go round in circles without a pause.
    const at = now + Math.min(backoffMostMs, backoffFirstMs * 2 ** Math.min(job.attempt, 5));
    this.waiting.push({ at, job });
    this.out.push({ type: 'arm', timer: 'retries', at: Math.min(...this.waiting.map((entry) => entry.at)) });
  }

  private requeueWaiting(now: number): void {
    const due = this.waiting.filter((entry) => entry.at <= now);
    const later = this.waiting.filter((entry) => entry.at > now);
    this.waiting.splice(0, this.waiting.length, ...later);
    for (const { job } of due) if (job.is('retrying')) this.move(job, 'requeue', now, '');
    if (later.length > 0) {
      this.out.push({ type: 'arm', timer: 'retries', at: Math.min(...later.map((entry) => entry.at)) });
    }
  }

  private loseWorker(worker: MemberId, cause: Cause | 'silent', now: number): void {
    for (const job of this.jobs.values()) if (job.worker === worker && job.placed) this.lose(job, cause, now);
  }

  private refused(refused: Said<'job.refused'>, from: MemberId, now: number): void {
    const job = this.jobs.get(refused.job);
    if (job === undefined || !job.is('queued') || job.attempt !== refused.attempt || job.scheduler !== from) return;
    const { code, reason, retryAfterMs } = refused;
    this.end(job, 'reject', now, { ending: 'rejected', code, message: reason, retryAfterMs });
  }

  private cancel(number: JobNumber, why: string, now: number): void {
    const job = this.jobs.get(number);
    if (job !== undefined) this.end(job, 'cancel', now, endOf('cancelled', 'CANCELLED', why));
  }

  private expire(now: number): void {
    this.armedAt = Number.POSITIVE_INFINITY;
    this.wheel.advance(now, (job) => this.expireJob(job, now));
    const next = this.wheel.nextAt();
    if (next < Number.POSITIVE_INFINITY) this.arm(Math.ceil(next));
  }

  private expireJob(job: Job, now: number): void {
    this.end(job, 'expire', now, lossEnd(job, 'expired', 'silent', 'DEADLINE_EXCEEDED', ''));
  }

  private arm(at: number): void {
    this.armedAt = at;
    this.out.push({ type: 'arm', timer: 'deadlines', at });
  }

  private recall(job: Job): void {
    this.tell(job.worker, { type: 'batch.recall', scheduler: job.scheduler, batch: job.batch, jobs: [job.number] });
  }

  private tell(to: MemberId, message: Message): void {
    if (to !== '' && this.directory.has(to)) this.out.push(send(to, message));
  }

  /** The jobs of a message that are still as it says: same attempt, same epoch, same batch, same worker. */
  private current(
    said: { readonly jobs: readonly number[]; readonly attempts: readonly number[]; epoch: number; batch: number },
    worker: MemberId,
  ): Job[] {
    const jobs: Job[] = [];
    said.jobs.forEach((number, member) => {
      const job = this.jobs.get(number);
      if (isCurrent(job, said.attempts[member], said.epoch, said.batch, worker)) jobs.push(job);
      else this.fenced++;
    });
    return jobs;
  }

  /** Jobs whose scheduler is gone, or that never had one, go to the owner that there is now. */
  private reviewSchedulers(now: number): void {
    this.schedulers = this.directory.with('scheduler').filter((member) => !this.distrusted.has(member));
    for (const job of this.jobs.values()) {
      if (job.is('queued') && !this.schedulers.includes(job.scheduler) && this.schedulers.length > 0) {
        this.move(job, 'orphan', now, job.scheduler === '' ? 'a scheduler came' : `${job.scheduler} was lost`);
      }
    }
    this.reviewCoverage();
  }

  private reviewCoverage(): void {
    const covered = this.coverage.gap(this.schedulers) === undefined;
    const before = this.chart.state;
    if (this.chart.move(covered ? 'cover' : 'uncover')) {
      const reason = this.unreadyReason();
      this.out.push(note(covered ? 'info' : 'warn', 'router.moved', { from: before, to: this.chart.state, reason }));
    }
  }

  private stopWhenEmpty(): void {
    if (this.jobs.size > 0 || this.chart.state !== 'draining') return;
    this.chart.move('empty');
    this.out.push({ type: 'stopped' });
  }
}

const completed: JobEnd = { ending: 'completed', code: undefined, message: '', retryAfterMs: 0 };

function isCurrent(
  job: Job | undefined,
  attempt: number | undefined,
  epoch: number,
  batch: number,
  worker: MemberId,
): job is Job {
  return (
    job?.placed === true &&
    job.attempt === attempt &&
    job.epoch === epoch &&
    job.batch === batch &&
    job.worker === worker
  );
}

function withdrawal(job: Job): Said<'job.withdraw'> {
  return { type: 'job.withdraw', job: job.number, attempt: job.attempt };
}
