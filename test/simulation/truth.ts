// What is true in a simulated run, kept apart from what the actors believe: every job with its real deadline, where it
// was sent, how often it was started and how it ended. What an actor says or does is held against this.
import { type JobNumber, type MemberId, modelKey } from '../../proto/ids.js';
import type { Said } from '../../proto/messages.js';
import { OwningWitness } from './owning.js';
import type { Process } from './process.js';
import type { JobPlan, ModelPlan, Scenario } from './scenario.js';
import { require, Violation } from './violation.js';

export interface TrueJob {
  readonly router: Process;
  readonly number: JobNumber;
  readonly plan: JobPlan;
  readonly probe: boolean;
  /** Its router has heard of it. */
  told: boolean;
  /** Counts from when its router heard of it. */
  deadline: number;
  ending: string;
  endedAt: number;
  cancelled: boolean;
  attempt: number;
  /** The batch that its latest attempt went out with. */
  dispatch: Said<'batch.run'> | undefined;
  worker: MemberId;
  /** A second run beside the first; a job has one in its life. */
  twin: Twin | undefined;
  /** Batches in which it was started, with the attempt that it was of. */
  readonly starts: Map<string, number>;
  /** Those who asked for the same and shared a run one after another: itself, and whoever led it or was led. */
  kin: Kin;
}

export interface Twin {
  readonly attempt: number;
  dispatch: Said<'batch.run'> | undefined;
  worker: MemberId;
  /** The first run was lost, and the job goes on as its twin. */
  adopted: boolean;
  /** Its router still counts on it. */
  live: boolean;
}

export interface Kin {
  readonly members: TrueJob[];
  /** Workers that they have ended. */
  readonly ended: Set<MemberId>;
  /** How many of them after the job had been sent on. */
  endedLater: number;
  /** Runs of leaders that went meanwhile: what their workers did later nobody heard. */
  leftRunning: number;
}

const jobsPerRouter = 1_000_000;
const rowsPerJob = 100;
/** Stands for a router where tokens tell of a content. */
const contents = 1000;

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
  readonly owning = new OwningWitness();

  constructor(scenario: Scenario) {
    this.scenario = scenario;
  }

  submit(router: Process, number: JobNumber, plan: JobPlan, now: number, probe: boolean): TrueJob {
    const job: TrueJob = {
      router,
      number,
      plan,
      probe,
      told: false,
      deadline: now + plan.budgetMs,
      ending: '',
      endedAt: 0,
      cancelled: false,
      attempt: 0,
      dispatch: undefined,
      worker: '',
      twin: undefined,
      starts: new Map(),
      kin: { members: [], ended: new Set(), endedLater: 0, leftRunning: 0 },
    };
    job.kin.members.push(job);
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

  /** One token per row, that nothing else in the run has but who asks for the same. */
  tokensOf(router: MemberId, number: JobNumber, rows: number): number[] {
    const content = this.jobs.get(router)?.get(number)?.plan.content ?? 0;
    const family = content > 0 ? contents : this.routers.indexOf(router);
    const first = (family * jobsPerRouter + (content || number)) * rowsPerJob;
    return Array.from({ length: rows }, (_, row) => first + row);
  }

  /** A router sends a job to a scheduler. */
  enqueued(
    router: Process,
    to: MemberId,
    said: Said<'job.enqueue'>,
    schedulers: readonly MemberId[],
    /** All else that an owner is chosen by. */
    seen: string,
    beside: boolean,
    now: number,
  ): void {
    const job = this.job(router.id, said.job);
    require(job.ending === '', 'I1', () => `${name(job)} has ended and is enqueued again`);
    require(said.attempt >= job.attempt, 'I3', () => `${name(job)} goes back to attempt ${said.attempt}`);
    require(said.budgetMs <= Math.max(0, job.deadline - now) + 0.001, 'I4', () =>
      `${name(job)} was given more time than it has`);
    if (beside) twinned(job, said);
    else {
      require(job.plan.model.idempotent || job.starts.size === 0, 'I7', () =>
        `${name(job)} has begun, is not to be run twice and is enqueued again`);
      job.attempt = said.attempt;
      job.dispatch = undefined;
      // One in its life: it is remembered.
      if (job.twin !== undefined) job.twin.live = false;
    }
    const view = `${modelKey(said.model, said.version)} of ${schedulers.join(' ')}, ${seen}`;
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
      const { twin } = job;
      const attempt = run.attempts[member] as number;
      if (twin?.live === true && twin.dispatch === undefined && attempt === twin.attempt) {
        require(job.dispatch !== undefined && to !== job.worker, 'I6', () =>
          `${name(job)} runs a second time at ${to}, the first is at ${job.worker}`);
        twin.dispatch = run;
        twin.worker = to;
      } else {
        require(job.dispatch === undefined, 'I6', () =>
          `${name(job)} is dispatched while it is at ${job.worker}`);
        require(job.attempt === attempt, 'I3', () => `${name(job)} is dispatched under an old attempt`);
        job.dispatch = run;
        job.worker = to;
      }
      require(job.plan.model === model, 'I8', () => `${name(job)} is dispatched to ${model.model}`);
      const budget = run.budgetsMs[member] as number;
      require(budget <= Math.max(0, job.deadline - now) + 0.001, 'I4', () =>
        `${name(job)} is dispatched with more time than it has`);
      require(run.rows[member] === job.plan.rows, 'I8', () =>
        `${name(job)} has ${job.plan.rows} rows, ${run.rows[member]} are dispatched`);
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
      this.startedOnce(job, run, member);
      // Once besides, when a batch failed for what may have been another's fault, and once when it is hedged.
      const most = this.scenario.lossesMax + (job.twin === undefined ? 1 : 2);
      require(job.starts.size <= most, 'I7', () =>
        `${name(job)} was started ${job.starts.size} times, at most ${most}`);
    }
  }

  /** Each run is of another attempt; and of some jobs there is none but the first. */
  private startedOnce(job: TrueJob, run: Said<'batch.run'>, member: number): void {
    const batch = `${run.scheduler}#${run.batch}`;
    const attempt = run.attempts[member] as number;
    for (const [other, before] of job.starts) {
      require(other === batch || before !== attempt, 'I2', () =>
        `${name(job)} is started in ${batch} and was in ${other}, both as attempt ${attempt}`);
    }
    require(job.plan.model.idempotent || job.starts.size === 0, 'I7', () =>
      `${name(job)} is started again in ${batch}, it must not run twice`);
    job.starts.set(batch, attempt);
  }

  /** A job has brought down the worker that ran it. */
  killed(job: TrueJob, worker: MemberId): void {
    const { kin } = job;
    kin.ended.add(worker);
    // Still hanging when its router had long lost and found the worker again, and sent the job on: once is not counted.
    const isThere = kin.members.some((member) => member.worker === worker || member.twin?.worker === worker);
    if (job.plan.nature === 'hang' && !isThere) kin.endedLater++;
    const counted = kin.ended.size - Math.max(0, kin.endedLater - 1) - kin.leftRunning;
    require(counted <= 2, 'I11', () =>
      `${name(job)} (${job.plan.nature}) ended ${[...kin.ended].join(', ')}`);
  }

  /** Somebody else ended the worker: it is no evidence against the job that held it up. */
  excuse(worker: MemberId): void {
    for (const job of this.all()) job.kin.ended.delete(worker);
  }

  /** The job waits beside the other for its answer. */
  joined(job: TrueJob, leader: TrueJob): void {
    require(sameContent(job, leader), 'I8', () => `${name(job)} shares a run with ${name(leader)}`);
    require(job.kin === leader.kin || job.kin.members.length === 1, 'I8', () =>
      `${name(job)} leaves those with whom it shares a run`);
    if (job.kin === leader.kin) return;
    job.kin = leader.kin;
    job.kin.members.push(job);
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

/** What is asked for, as its door would write it; empty where nobody asks for the same. */
export function identityOf({ model, shapeKey, rows, content }: JobPlan): string {
  return content === 0 ? '' : `${model.model} ${shapeKey} ${rows} ${content}`;
}

export function sameContent(one: TrueJob, other: TrueJob): boolean {
  return one.plan.content > 0 && identityOf(one.plan) === identityOf(other.plan);
}

/** A second run is asked for beside the first. */
function twinned(job: TrueJob, said: Said<'job.enqueue'>): void {
  const { hedge, idempotent } = job.plan.model;
  require(hedge && idempotent && job.twin === undefined && said.company === 'alone', 'I7', () =>
    `${name(job)} is not to have a second run`);
  require(job.dispatch !== undefined && said.attempt === job.attempt + 1, 'I3', () =>
    `${name(job)} asks for a second run without a first, or under a wrong attempt`);
  const { attempt } = said;
  job.twin = { attempt, dispatch: undefined, worker: '', adopted: false, live: true };
}
