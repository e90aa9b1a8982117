// The system as the doors see it, over the router actor of this process: keeps each request's payload and its client
// until the job's end.
import type { Reply, Slice } from '../../actors/effects.js';
import { Numbered } from '../../actors/numbered.js';
import { draining } from '../../actors/router/admission.js';
import { isUnavailable, type ModelCondition } from '../../actors/router/coverage.js';
import { endOf } from '../../actors/router/endings.js';
import type { Router } from '../../actors/router/router.js';
import { type ErrorCode, SignalboxError } from '../../proto/errors.js';
import { type JobNumber, jobId, type MemberId, modelKey, versionOf } from '../../proto/ids.js';
import type { JobSpec, JobStep } from '../../proto/job.js';
import type { Message, Said } from '../../proto/messages.js';
import type { Tensor } from '../../proto/tensor.js';
import { settle, wallTime } from '../clock.js';
import type { Supply } from '../distribution/supply.js';
import type { ClusterView, NodeAction, NodeOrdered } from '../doors/cluster.js';
import type {
  Answer,
  BatchManner,
  Engine,
  ModelCounters,
  ModelStatus,
  Passage,
  Submission,
  Ticket,
} from '../doors/engine.js';
import type { JobList, JobQuery, JobView } from '../doors/jobs.js';
import type { Frames, Host, Occasion } from '../host/host.js';
import { editionOf, type ModelEntry } from '../models/entry.js';
import { memoryMbOf } from '../models/memory.js';
import { pickedFrom } from '../models/picked.js';
import type { Pipeline } from '../pipelines/declaration.js';
import type { Pipelines } from '../pipelines/pipelines.js';
import type { Catalogue } from './catalogue.js';
import { type Asked, Journal } from './journal.js';
import type { Keeper } from './keeper.js';
import { settledManner } from './manner.js';
import type { Orders } from './orders.js';
import { rowsOf } from './rows.js';
import { Statistics } from './statistics.js';
import { endedView, viewOf } from './views.js';

type Shelf = Pick<Catalogue, 'find' | 'models'> &
  Partial<Pick<Catalogue, 'isUnloaded' | 'amissWith' | 'isFirst'>>;

interface Pending {
  readonly submission: Submission;
  readonly reply: (answer: Answer) => void;
}

const noFrames: Frames = [];
const pooledBytesMax = 4096;
const comingReason = 'workers load it: it serves when they have it';
const restingReason = 'no worker has it in memory at present: it is loaded when it is asked for';

export class NodeEngine implements Engine {
  private readonly self: MemberId;
  private readonly actor: Router;
  private readonly repository: Shelf;
  private readonly pending = new Numbered<Pending>();
  private readonly statistics = new Statistics();
  private readonly journal: Journal;
  private readonly watchers = new Set<() => void>();
  private host: Host | undefined;
  private pipelines: Pipelines | undefined;
  private keeper: Keeper | undefined;
  private look: (() => ClusterView) | undefined;
  private orders: Orders | undefined;
  /** Of the models that its cluster shares. */
  supply: Pick<Supply, 'behind' | 'whyNowhere' | 'takers' | 'lost'> = {
    lost: () => [],
    behind: () => '',
    whyNowhere: () => '',
    takers: () => undefined,
  };
  private submitted = 0;
  private submitting = 0;
  private isClosing = false;
  /** Why it says that it is not ready, though it answers what comes; empty while it does not say so. */
  private asideFor = '';
  private control: 'on' | 'off' = 'on';
  /** The last answer of a worker whose run was counted. */
  private counted: Occasion['heard'] | undefined;

  constructor(self: MemberId, router: Router, repository: Shelf, jobsKeptMax = 0) {
    this.journal = new Journal(jobsKeptMax);
    this.self = self;
    this.actor = router;
    this.repository = repository;
  }

  attach(host: Host): void {
    this.host = host;
  }

  submit(submission: Submission, reply: (answer: Answer) => void): Ticket {
    if (this.isClosing) return this.turnBack(submission, reply);
    if (submission.passing !== undefined) return this.pass(submission, submission.passing, reply);
    return this.submitPiece(submission, reply);
  }

  /** Of a request that was taken: it is run even while nothing new is. */
  submitPiece(submission: Submission, reply: (answer: Answer) => void): Ticket {
    const job = ++this.submitted;
    this.pending.set(job, { submission, reply });
    this.submitting = job;
    this.host?.hear({ type: 'job.submitted', job, spec: submission.spec });
    this.submitting = 0;
    return { cancel: (why) => this.host?.hear({ type: 'job.cancelled', job, why }) };
  }

  /** Clients are turned back from now on; what the steps still make of what was taken is run. */
  close(): void {
    this.isClosing = true;
    this.readinessChanged();
  }

  standAside(reason: string): void {
    this.asideFor = reason;
    this.readinessChanged();
  }

  /** The edition of a model that serves now stays until it is released, whatever takes over meanwhile. */
  hold(name: string, version: string): () => void {
    return this.keeper?.hold(name, version) ?? (() => {});
  }

  /** `control`: whether clients may load and unload. */
  attachKeeper(keeper: Keeper, control: 'on' | 'off' = 'on'): void {
    this.control = control;
    this.keeper = keeper;
  }

  /** How this node sees the cluster that it is in. */
  attachCluster(look: () => ClusterView, orders?: Orders): void {
    this.look = look;
    this.orders = orders;
  }

  async orderNode(node: string, order: NodeAction, isForced: boolean): Promise<NodeOrdered> {
    if (this.orders !== undefined) return this.orders.give(node, order, isForced);
    throw new SignalboxError('UNSUPPORTED', 'this node is in no cluster');
  }

  cluster(): ClusterView {
    if (this.look !== undefined) return this.look();
    throw new SignalboxError('UNSUPPORTED', 'this node is in no cluster');
  }

  /** Those of models with steps before or after them go through these. */
  attachPipelines(pipelines: Pipelines): void {
    this.pipelines = pipelines;
  }

  private pass(
    submission: Submission,
    { pipeline, parameters }: Passage,
    reply: (answer: Answer) => void,
  ): Ticket {
    if (this.pipelines === undefined) throw new SignalboxError('UNSUPPORTED', 'this node has no pipelines');
    const job = ++this.submitted;
    return this.pipelines.submit(pipeline, submission, parameters, (answer) => {
      this.passed(job, submission.spec, pipeline, answer);
      reply({ ...answer, jobId: jobId(this.self, job) });
    });
  }

  private turnBack({ spec }: Submission, reply: (answer: Answer) => void): Ticket {
    const job = ++this.submitted;
    const path = [{ state: draining.ending, afterMs: 0, why: draining.message }];
    this.statistics.failed(spec.model, spec.version, 'DRAINING');
    this.journal.keep(job, spec, draining, recordOf(path), undefined, wallTime());
    const answer = {
      jobId: jobId(this.self, job),
      end: draining,
      outputs: [],
      times: undefined,
      path: () => path,
    };
    settle(() => reply(answer));
    return { cancel: () => {} };
  }

  /** Its runs are those of the tensor model, which are counted where that has them. */
  private passed(job: JobNumber, spec: JobSpec, { runs }: Pipeline, { end, path }: Answer): void {
    const endedAt = wallTime();
    const steps = path();
    if (end.code !== undefined) this.statistics.failed(spec.model, spec.version, end.code);
    else if (runs !== '') this.statistics.passed(spec.model, spec.version, steps, endedAt);
    this.journal.keep(job, spec, end, recordOf(steps), undefined, endedAt);
  }

  router(): MemberId {
    return this.self;
  }

  live(): boolean {
    return true;
  }

  ready(): boolean {
    return this.actor.ready && !this.isClosing && this.asideFor === '' && this.supply.behind() === '';
  }

  get liveJobs(): number {
    return this.actor.liveJobs;
  }

  unreadyReason(): string {
    if (this.isClosing) return draining.message;
    return this.asideFor || this.actor.unreadyReason() || this.supply.behind();
  }

  onReadiness(changed: () => void): () => void {
    this.watchers.add(changed);
    return () => this.watchers.delete(changed);
  }

  readinessChanged(): void {
    for (const watcher of this.watchers) watcher();
  }

  model(name: string, version: string): ModelEntry | undefined {
    return this.repository.find(name, version);
  }

  models(): readonly ModelEntry[] {
    return this.repository.models;
  }

  isComing(name: string, version: string): boolean {
    return this.repository.isFirst?.(name, version) === true;
  }

  status(name: string, version: string): ModelStatus {
    const entry = this.repository.find(name, version);
    const condition = this.actor.shownCondition(name, entry === undefined ? version : editionOf(entry));
    const about = { name, version };
    if (this.repository.isUnloaded?.(name) === true && entry !== undefined) {
      const state = condition.ready > 0 ? 'UNLOADING' : 'UNAVAILABLE';
      return { ...about, state, reason: entry.reason };
    }
    if (this.isComing(name, version))
      return { ...about, state: 'LOADING', reason: this.comingReason(name, version, condition) };
    if (condition.ready + condition.resting > 0) {
      const amiss = this.repository.amissWith?.(name, version) ?? '';
      const serves = amiss && `it serves as it was loaded before, for its files can't be now: ${amiss}`;
      const unpicked = entry === undefined ? '' : this.unpickedReason(entry);
      const reason = serves || unpicked || (condition.ready > 0 ? '' : restingReason);
      const memoryMb = entry === undefined ? 0 : memoryMbOf(entry, '');
      return {
        ...about,
        state: 'READY',
        reason,
        runsOn: condition.runsOn,
        workers: condition.ready,
        memoryMb,
      };
    }
    if (isUnavailable(condition)) return { ...about, state: 'UNAVAILABLE', reason: condition.reason };
    const started = this.actor.chart.state !== 'starting';
    const reason = started ? 'no worker has it ready at present' : 'no worker has reported it ready yet';
    return { ...about, state: started ? 'UNAVAILABLE' : 'LOADING', reason };
  }

  private comingReason(name: string, version: string, { loading }: ModelCondition): string {
    return (loading === 0 && this.supply.whyNowhere(name, version)) || comingReason;
  }

  /** Which of its variants for requests no worker could load; empty: none. */
  private unpickedReason(entry: ModelEntry): string {
    const reasons = pickedFrom(entry).flatMap((picked) => {
      const condition = this.actor.condition(picked.name, editionOf(picked));
      return isUnavailable(condition) ? [`variant ${picked.variant}: ${condition.reason}`] : [];
    });
    return reasons.length === 0 ? '' : `no request can choose ${reasons.join('; ')}`;
  }

  manner(name: string, version: string): BatchManner {
    const entry = this.repository.find(name, version);
    const condition = this.actor.condition(name, entry === undefined ? version : editionOf(entry));
    return (entry && settledManner(entry, condition)) ?? { policy: condition.policy, why: condition.why };
  }

  async loadModel(name: string): Promise<void> {
    await this.keeping().load(name);
  }

  async unloadModel(name: string): Promise<void> {
    await this.keeping().unload(name);
  }

  private keeping(): Keeper {
    if (this.control === 'off') {
      const message =
        'models are not loaded or unloaded by clients of this node: its setting modelControl is off';
      throw new SignalboxError('UNSUPPORTED', message);
    }
    if (this.keeper !== undefined) return this.keeper;
    throw new SignalboxError('UNSUPPORTED', 'this node does not look after a repository');
  }

  counters(name: string, version: string): ModelCounters {
    return this.statistics.of(name, version);
  }

  jobs({ last, failed, model }: JobQuery): JobList {
    const fits = (spec: Asked): boolean =>
      model === '' || model === spec.model || model === modelKey(spec.model, versionOf(spec.version));
    const live = failed ? [] : [...this.actor.allJobs()].filter((job) => fits(job.spec)).slice(-last);
    return {
      router: this.self,
      ended: this.journal.last(last, failed, fits).map((ended) => endedView(this.self, ended)),
      live: live.map((job) => viewOf(this.self, job.number, job.spec, job.path())),
    };
  }

  job(number: JobNumber): JobView | undefined {
    const live = this.actor.job(number);
    if (live !== undefined) return viewOf(this.self, number, live.spec, live.path());
    const ended = this.journal.find(number);
    return ended && endedView(this.self, ended);
  }

  turnedAway(name: string, version: string, code: ErrorCode): void {
    this.statistics.failed(name, version, code);
  }

  /** The tensors that go along with a batch: each job's own frames, or one frame per input with all rows in it. */
  payloadOf(run: Said<'batch.run'>): Frames {
    const payloads = run.jobs.map((job) => this.pending.get(job)?.submission.payload ?? noFrames);
    if (payloads.length === 1) return payloads[0] as Frames;
    return run.inputs.flatMap((_, input) => {
      const rows = payloads.map((payload) => payload[input] as Uint8Array);
      return run.split ? rows : [joined(rows)];
    });
  }

  /** Carries out a reply: the client hears, the payload goes. */
  reply(effect: Reply, { heard, frames }: Occasion): void {
    const pending = this.pending.get(effect.job);
    if (pending === undefined) return;
    this.pending.delete(effect.job);
    const { spec } = pending.submission;
    const rows = effect.slice && rowsOf(heard as Said<'batch.finished'>, frames, effect.slice);
    const isWrong = typeof rows === 'string';
    const slice = isWrong ? undefined : effect.slice;
    const end = isWrong ? endOf('failed', 'RESULT_INVALID', rows) : effect.end;
    const endedAt = wallTime();
    if (slice === undefined) this.statistics.failed(spec.model, spec.version, end.code ?? 'INTERNAL');
    else this.statistics.answered(spec.model, spec.version, slice, endedAt, this.isNews(heard, slice));
    this.journal.keep(effect.job, spec, end, effect.record, slice?.times, endedAt);
    const answer: Answer = {
      jobId: jobId(this.self, effect.job),
      end,
      outputs: isWrong ? [] : restored(pending.submission, rows ?? []),
      times: slice?.times,
      path: () => effect.record.path(),
    };
    // A refusal comes before `submit` has returned its ticket: it waits for that.
    if (effect.job === this.submitting) settle(() => pending.reply(answer));
    else pending.reply(answer);
  }

  /** The first member of a batch stands for its run; those who share its rows do not. */
  private isNews(heard: Occasion['heard'], { rowsBefore }: Slice): boolean {
    if (rowsBefore > 0 || heard === this.counted) return false;
    this.counted = heard;
    return true;
  }

  frames(message: Message): Frames {
    return message.type === 'batch.run' ? this.payloadOf(message) : noFrames;
  }
}

/** Made apart from the answer, which would be kept in memory with it. */
function recordOf(steps: readonly JobStep[]): Reply['record'] {
  return { path: () => steps };
}

function restored({ restore }: Submission, outputs: readonly Tensor[]): readonly Tensor[] {
  return restore === undefined || outputs.length === 0 ? outputs : restore(outputs);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const part of parts) size += part.length;
  // Small ones are copied into the frame of their message; a large one leaves as it is, in memory of its own.
  const whole = size <= pooledBytesMax ? Buffer.allocUnsafe(size) : Buffer.allocUnsafeSlow(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
