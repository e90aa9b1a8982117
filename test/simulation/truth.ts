// What is true in a simulated run, kept apart from what the actors believe: every job with its real deadline, where it
// was sent, how often it was started and how it ended. What an actor says or does is held against this.
import type { Reply } from '../../actors/effects.js';
import { type JobNumber, type MemberId, modelKey } from '../../proto/ids.js';
import type { Said } from '../../proto/messages.js';
import type { Delivery, Process, Tokens } from './process.js';
import type { JobPlan, ModelPlan, Scenario } from './scenario.js';

/** A rule of the design that does not hold. */
export class Violation extends Error {
  readonly invariant: string;

  constructor(invariant: string, sentence: string) {
    super(`${invariant}: ${sentence}`);
    this.name = 'Violation';
    this.invariant = invariant;
  }
}

export interface TrueJob {
  readonly router: Process;
  readonly number: JobNumber;
  readonly plan: JobPlan;
  readonly probe: boolean;
  /** Counts from when its router heard of it. */
  deadline: number;
  ending: string;
  endedAt: number;
  cancelled: boolean;
  attempt: number;
  /** The batch that its latest attempt went out with. */
  dispatch: Said<'batch.run'> | undefined;
  worker: MemberId;
  /** Batches in which it was started. */
  readonly starts: Set<string>;
  /** Workers that it has ended. */
  readonly ended: Set<MemberId>;
  /** How many of them after it had been sent on. */
  endedLater: number;
}

export function require(holds: boolean, invariant: string, sentence: () => string): void {
  if (!holds) throw new Violation(invariant, sentence());
}

const jobsPerRouter = 1_000_000;
const rowsPerJob = 100;

export class Truth {
  readonly scenario: Scenario;
  readonly endings: Record<string, number> = {};
  private readonly jobs = new Map<MemberId, Map<JobNumber, TrueJob>>();
  private readonly routers: MemberId[] = [];
  private readonly owners = new Map<string, MemberId>();
  /** Batches that are to run by themselves. */
  readonly soloBatches = new Set<string>();
  /** Workers in a run that will never end, and whose run that is. */
  readonly hanging = new Map<MemberId, TrueJob>();
  private readonly sent = new WeakMap<Said<'batch.run'>, { readonly id: MemberId; readonly at: number }>();
  unfinished = 0;

  constructor(scenario: Scenario) {
    this.scenario = scenario;
  }

  submit(router: Process, number: JobNumber, plan: JobPlan, now: number, probe: boolean): TrueJob {
    const job: TrueJob = {
      router,
      number,
      plan,
      probe,
      deadline: now + plan.budgetMs,
      ending: '',
      endedAt: 0,
      cancelled: false,
      attempt: 0,
      dispatch: undefined,
      worker: '',
      starts: new Set(),
      ended: new Set(),
      endedLater: 0,
    };
    let jobs = this.jobs.get(router.id);
    if (jobs === undefined) {
      jobs = new Map();
      this.jobs.set(router.id, jobs);
      this.routers.push(router.id);
    }
    jobs.set(number, job);
    this.unfinished++;
    return job;
  }

  job(router: MemberId, number: JobNumber): TrueJob {
    const job = this.jobs.get(router)?.get(number);
    if (job === undefined)
      throw new Violation('I1', `${router} speaks of job ${number}, which nobody submitted`);
    return job;
  }

  *all(): Iterable<TrueJob> {
    for (const jobs of this.jobs.values()) yield* jobs.values();
  }

  modelOf(model: string): ModelPlan {
    return this.scenario.models.find((plan) => plan.model === model) as ModelPlan;
  }

  /** One token per row, that nothing else in the run has. */
  tokensOf(router: MemberId, number: JobNumber, rows: number): number[] {
    const first = (this.routers.indexOf(router) * jobsPerRouter + number) * rowsPerJob;
    return Array.from({ length: rows }, (_, row) => first + row);
  }

  /** A router sends a job to a scheduler. */
  enqueued(
    router: Process,
    to: MemberId,
    said: Said<'job.enqueue'>,
    schedulers: readonly MemberId[],
    now: number,
  ): void {
    const job = this.job(router.id, said.job);
    require(job.ending === '', 'I1', () => `${name(job)} has ended and is enqueued again`);
    require(said.attempt >= job.attempt, 'I3', () => `${name(job)} goes back to attempt ${said.attempt}`);
    require(said.budgetMs <= Math.max(0, job.deadline - now) + 0.001, 'I4', () =>
      `${name(job)} was given more time than it has`);
    job.attempt = said.attempt;
    job.dispatch = undefined;
    const view = `${modelKey(said.model, said.version)} of ${schedulers.join(' ')}`;
    const owner = this.owners.get(view);
    if (owner === undefined) this.owners.set(view, to);
    require((owner ?? to) === to, 'I6', () => `${view}: ${to} and ${owner} are both taken for its owner`);
    require(schedulers.includes(to), 'I6', () =>
      `${name(job)} went to ${to}, which ${router.id} does not trust`);
  }

  /** A router hands jobs to a worker. */
  dispatched(router: Process, to: MemberId, run: Said<'batch.run'>, now: number): void {
    this.sent.set(run, { id: router.id, at: now });
    const model = this.modelOf(run.model);
    const rows = run.rows.reduce((sum, count) => sum + count, 0);
    require(rows <= model.rowsMax, 'I5', () =>
      `a batch of ${rows} rows for ${model.model}, which takes ${model.rowsMax}`);
    run.jobs.forEach((number, member) => {
      const job = this.job(router.id, number);
      require(job.ending === '', 'I1', () => `${name(job)} has ended and is dispatched`);
      require(job.dispatch === undefined, 'I6', () =>
        `${name(job)} is dispatched while it is at ${job.worker}`);
      require(job.attempt === run.attempts[member], 'I3', () =>
        `${name(job)} is dispatched under an old attempt`);
      require(job.plan.model === model, 'I8', () => `${name(job)} is dispatched to ${model.model}`);
      const budget = run.budgetsMs[member] as number;
      require(budget <= Math.max(0, job.deadline - now) + 0.001, 'I4', () =>
        `${name(job)} is dispatched with more time than it has`);
      job.dispatch = run;
      job.worker = to;
    });
  }

  /** Which router sent this batch, and when. */
  sentBy(run: Said<'batch.run'>): { readonly id: MemberId; readonly at: number } {
    const sent = this.sent.get(run);
    if (sent === undefined) throw new Violation('I3', `nobody sent batch ${run.batch}`);
    return sent;
  }

  /** A worker begins to run members of a batch. */
  started(
    worker: Process,
    router: MemberId,
    run: Said<'batch.run'>,
    members: readonly number[],
    late: Late,
  ): void {
    require(members.length > 0, 'I5', () => `${worker.id} runs nobody of batch ${run.batch}`);
    for (const member of members) {
      const job = this.job(router, run.jobs[member] as number);
      const overdue = late.now - (job.deadline + late.transitMs);
      require(overdue < 0.001, 'I4', () => `${name(job)} starts ${overdue.toFixed(2)} ms after its deadline`);
      job.starts.add(`${run.scheduler}#${run.batch}`);
      // Once besides, when a batch failed for what may have been another's fault.
      const most = this.scenario.lossesMax + 1;
      require(job.starts.size <= most, 'I7', () =>
        `${name(job)} was started ${job.starts.size} times, at most ${most}`);
    }
  }

  /** A job has brought down the worker that ran it. */
  killed(job: TrueJob, worker: MemberId): void {
    job.ended.add(worker);
    // Still hanging when its router had long lost and found the worker again, and sent the job on: once is not counted.
    if (job.plan.nature === 'hang' && job.worker !== worker) job.endedLater++;
    const counted = job.ended.size - Math.max(0, job.endedLater - 1);
    require(counted <= 2, 'I11', () =>
      `${name(job)} (${job.plan.nature}) ended ${[...job.ended].join(', ')}`);
  }

  /** Somebody else ended the worker: it is no evidence against the job that held it up. */
  excuse(worker: MemberId): void {
    for (const job of this.all()) job.ended.delete(worker);
  }

  replied(router: Process, reply: Reply, delivery: Delivery, now: number): void {
    const job = this.job(router.id, reply.job);
    require(job.ending === '', 'I1', () =>
      `${name(job)} ended as ${job.ending} and again as ${reply.end.ending}`);
    const { ending, code } = reply.end;
    job.ending = code === undefined ? ending : `${ending} ${code}`;
    job.endedAt = now;
    this.unfinished--;
    if (!job.probe) this.endings[job.ending] = (this.endings[job.ending] ?? 0) + 1;
    const { nature } = job.plan;
    const fits = (holds: boolean, invariant = 'I1'): void =>
      require(holds, invariant, () =>
        `${name(job)} (${nature}) ended as ${job.ending}: ${reply.end.message}`);
    if (ending === 'completed') {
      fits(nature === 'plain', 'I8');
      this.answered(job, reply, delivery);
    } else if (ending === 'expired') fits(now >= job.deadline - 0.001);
    else if (ending === 'cancelled') fits(job.cancelled);
    else if (ending === 'rejected' || ending === 'displaced') fits(job.starts.size === 0);
    else if (code === 'MODEL_FAILED') fits(nature === 'bad', 'I8');
    // Where an answer may vanish without a word, who gave it may be taken for running still.
    else if (code === 'JOB_POISONED') fits(job.ended.size > 0 || !this.scenario.network.honest, 'I11');
    else {
      const infrastructure = ['DEVICE_LOST', 'RESULT_INVALID', 'WORKERS_LOST', 'RETRIES_SPENT'];
      fits(code !== undefined && infrastructure.includes(code));
    }
  }

  private answered(job: TrueJob, reply: Reply, { heard, from, tokens }: Delivery): void {
    const { dispatch, attempt, plan } = job;
    const { slice } = reply;
    if (heard.type !== 'batch.finished' || slice === undefined || dispatch === undefined) {
      throw new Violation('I3', `${name(job)} was completed by ${heard.type} without being at a worker`);
    }
    const place = heard.jobs.indexOf(job.number);
    require(from === job.worker &&
      heard.batch === dispatch.batch &&
      heard.epoch === dispatch.epoch, 'I3', () =>
      `${name(job)} was answered by ${from} for batch ${heard.batch}, it is at ${job.worker} in ${dispatch.batch}`);
    require(heard.attempts[place] === attempt, 'I3', () =>
      `${name(job)} was answered for an earlier attempt`);
    require(slice.rows === plan.rows, 'I8', () => `${name(job)} has ${plan.rows} rows and got ${slice.rows}`);
    require(slice.rowsTotal === tokens.length, 'I8', () =>
      `${name(job)} counts ${slice.rowsTotal} rows of ${tokens.length}`);
    const wanted = this.tokensOf(job.router.id, job.number, plan.rows);
    const given = tokens.slice(slice.rowsBefore, slice.rowsBefore + slice.rows);
    require(same(wanted, given), 'I8', () => `${name(job)} got rows ${given}, its own are ${wanted}`);
  }
}

export interface Late {
  readonly now: number;
  /** How long the batch was under way: a worker can't know of that. */
  readonly transitMs: number;
}

export function name(job: TrueJob): string {
  return `job ${job.number} of ${job.router.id}`;
}

function same(one: Tokens, other: Tokens): boolean {
  return one.length === other.length && one.every((token, index) => token === other[index]);
}
