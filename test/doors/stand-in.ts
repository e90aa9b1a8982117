// A system behind the doors that answers at once, holds or refuses, as a test wants it; and the models that it has.
import type { ErrorCode } from '../../proto/errors.js';
import { SignalboxError } from '../../proto/errors.js';
import { type JobNumber, jobId, type MemberId } from '../../proto/ids.js';
import type { JobEnd } from '../../proto/job.js';
import { type Datatype, datatypes, type Tensor } from '../../proto/tensor.js';
import { settle } from '../../runtime/clock.js';
import type { ClusterView, NodeAction, NodeOrdered } from '../../runtime/doors/cluster.js';
import type { DoorLog } from '../../runtime/doors/door.js';
import type {
  Answer,
  BatchManner,
  Engine,
  ModelCounters,
  ModelState,
  ModelStatus,
  Submission,
  Ticket,
} from '../../runtime/doors/engine.js';
import type { JobList, JobQuery, JobView } from '../../runtime/doors/jobs.js';
import { readModelConfig } from '../../runtime/models/config.js';
import type { ModelEntry } from '../../runtime/models/entry.js';
import { entry, port } from './entries.js';

export interface Held {
  readonly submission: Submission;
  readonly cancelled: string[];
  finish(end?: Partial<JobEnd>): void;
}

const completed: JobEnd = { ending: 'completed', code: undefined, message: '', retryAfterMs: 0 };

export const models: readonly ModelEntry[] = [
  batching(
    entry('digits', '1', 32, [port('image', 'FP32', [-1, 64])], [port('scores', 'FP32', [-1, 64])]),
    'batching: { preferred: [8, 16], maxDelayMs: 2.5, queueDepthMax: 90 }',
  ),
  entry('twice', '1', 0, [port('x', 'FP32', [2])], [port('y', 'FP32', [2])]),
  entry('twice', '2', 0, [port('x', 'FP32', [2])], [port('y', 'FP32', [2])]),
  entry(
    'pair',
    '1',
    8,
    [port('a', 'FP32', [-1, 2]), port('b', 'INT32', [-1, 3]), port('c', 'UINT8', [-1, 1], true)],
    [port('first', 'FP32', [-1, 2]), port('second', 'INT32', [-1, 3])],
  ),
  entry('grid', '1', 4, [port('x', 'FP32', [-1, 3, -1])], [port('y', 'FP32', [-1, 3, -1])]),
  entry('pixels', '1', 0, [port('x', 'UINT8', [-1, 2])], [port('y', 'UINT8', [-1, 2])]),
  ...(Object.keys(datatypes) as Datatype[]).map((datatype) =>
    entry(`echo_${datatype}`, '1', 8, [port('x', datatype, [-1, -1])], [port('y', datatype, [-1, -1])]),
  ),
  { ...entry('broken', '1', 0, [], []), state: 'unavailable', reason: 'model.onnx is no ONNX file' },
];

export class StandIn implements Engine {
  view: ClusterView = { cluster: 'c', self: 'me', by: 'nats', state: 'live', reason: '', members: [] };
  /** Jobs wait until the test ends them. */
  holding = false;
  readonly held: Held[] = [];
  readonly submissions: Submission[] = [];
  readonly states = new Map<string, ModelState>();
  /** Models of which no version has served yet. */
  readonly coming = new Set<string>();
  readonly refused: string[] = [];
  readonly queries: JobQuery[] = [];
  /** What was loaded and unloaded. */
  readonly acts: string[] = [];
  /** The jobs that it tells of. */
  views: JobView[] = [];
  isReady = true;
  /** What a job ends as instead of completing. */
  ending: Partial<JobEnd> | undefined;
  /** Gives other outputs than the inputs. */
  outputs: ((submission: Submission) => readonly Tensor[]) | undefined;
  #watchers = new Set<() => void>();
  #awaiting: { count: number; tell: () => void }[] = [];
  #jobs = 0;

  submit(submission: Submission, reply: (answer: Answer) => void): Ticket {
    this.submissions.push(submission);
    const number = ++this.#jobs;
    let over = false;
    const cancelled: string[] = [];
    const finish = (end: Partial<JobEnd> = this.ending ?? {}) => {
      if (over) return;
      over = true;
      const full = { ...completed, ...end };
      const outputs = full.ending === 'completed' ? this.#answer(submission) : [];
      reply({ jobId: `router-1/${number}`, end: full, outputs, times: undefined, path: () => path });
    };
    if (this.holding) this.held.push({ submission, cancelled, finish });
    else settle(() => finish());
    this.#tellAwaiting();
    return {
      cancel: (why) => {
        if (over) return;
        cancelled.push(why);
        this.#tellAwaiting();
        finish({ ending: 'cancelled', code: 'CANCELLED', message: why });
      },
    };
  }

  /** Resolves when so many jobs are held. */
  async holds(count: number): Promise<void> {
    while (this.held.length < count) await this.#next();
  }

  /** Resolves when so many of the held jobs were cancelled. */
  async cancels(count: number): Promise<void> {
    while (this.held.filter(({ cancelled }) => cancelled.length > 0).length < count) await this.#next();
  }

  async loadModel(name: string): Promise<void> {
    await Promise.resolve();
    if (this.model(name, '') === undefined)
      throw new SignalboxError('MODEL_UNKNOWN', `there is no model ${name}`);
    this.acts.push(`load ${name}`);
  }

  async unloadModel(name: string): Promise<void> {
    await Promise.resolve();
    if (this.model(name, '') === undefined)
      throw new SignalboxError('MODEL_UNKNOWN', `there is no model ${name}`);
    this.acts.push(`unload ${name}`);
  }

  setReady(ready: boolean): void {
    this.isReady = ready;
    this.changed();
  }

  changed(): void {
    for (const watcher of this.#watchers) watcher();
  }

  live(): boolean {
    return true;
  }

  ready(): boolean {
    return this.isReady;
  }

  async orderNode(node: string, order: NodeAction, isForced: boolean): Promise<NodeOrdered> {
    this.acts.push(`${order} ${node}${isForced ? ' by force' : ''}`);
    return { node, state: 'draining' };
  }

  cluster(): ClusterView {
    return this.view;
  }

  unreadyReason(): string {
    return this.isReady ? '' : 'no worker is ready';
  }

  onReadiness(changed: () => void): () => void {
    this.#watchers.add(changed);
    return () => this.#watchers.delete(changed);
  }

  model(name: string, version: string): ModelEntry | undefined {
    const versions = models.filter((model) => model.name === name);
    if (version === '' && this.coming.has(name)) return undefined;
    return version === '' ? versions.at(-1) : versions.find((model) => model.version === version);
  }

  models(): readonly ModelEntry[] {
    return models;
  }

  isComing(name: string): boolean {
    return this.coming.has(name);
  }

  status(name: string, version: string): ModelStatus {
    const state = this.states.get(name) ?? 'READY';
    return { name, version, state, reason: state === 'READY' ? '' : 'no worker has it' };
  }

  router(): MemberId {
    return 'router-1';
  }

  jobs(query: JobQuery): JobList {
    this.queries.push(query);
    return { router: this.router(), ended: this.views, live: [] };
  }

  job(number: JobNumber): JobView | undefined {
    return this.views.find(({ id }) => id === jobId(this.router(), number));
  }

  manner(): BatchManner {
    return { policy: 'deferred', why: 'two workers and a large fixed cost' };
  }

  turnedAway(name: string, version: string, code: ErrorCode): void {
    this.refused.push(`${name}:${version} ${code}`);
  }

  counters(): ModelCounters {
    const sum = { count: 3, ms: 1.5 };
    return {
      lastInferenceMs: 1_700_000_000_000,
      inferenceCount: 7,
      executionCount: 3,
      success: sum,
      fail: { count: 3, ms: 0 },
      codes: new Map<ErrorCode, number>([
        ['DEADLINE_PAST', 2],
        ['CANCELLED', 1],
      ]),
      queue: sum,
      computeInput: sum,
      computeInfer: sum,
      computeOutput: sum,
      batches: new Map([[4, { computeInput: sum, computeInfer: sum, computeOutput: sum }]]),
    };
  }

  /** Each output is the input in its place, or the first. */
  #answer(submission: Submission): readonly Tensor[] {
    if (this.outputs !== undefined) return this.outputs(submission);
    const { spec, payload } = submission;
    const outputs = this.model(spec.model, spec.version)?.outputs ?? [];
    const wanted = spec.outputs.length === 0 ? outputs.map((output) => output.name) : spec.outputs;
    return wanted.map((name) => {
      const at = outputs.findIndex((output) => output.name === name);
      const input = spec.inputs[at] ?? spec.inputs[0];
      if (input === undefined) throw new Error(`the stand-in has nothing to echo as ${name}`);
      return { ...input, name, data: payload[spec.inputs.indexOf(input)] as Uint8Array };
    });
  }

  #next(): Promise<void> {
    return new Promise((tell) => this.#awaiting.push({ count: 0, tell }));
  }

  #tellAwaiting(): void {
    for (const { tell } of this.#awaiting.splice(0)) tell();
  }
}

function batching(model: ModelEntry, words: string): ModelEntry {
  const read = readModelConfig(`backend: echo\nmaxBatch: ${model.maxBatch}\n${words}`);
  if (typeof read === 'string') throw new Error(read);
  return { ...model, config: read };
}

const path = [
  { state: 'queued', afterMs: 0, why: '' },
  { state: 'running', afterMs: 1.25, why: 'on worker-1' },
];

export class KeptLog implements DoorLog {
  readonly lines: string[] = [];
  info(event: string): void {
    this.lines.push(`info ${event}`);
  }
  warn(event: string): void {
    this.lines.push(`warn ${event}`);
  }
  error(event: string): void {
    this.lines.push(`error ${event}`);
  }
}

export function floats(...values: number[]): Buffer {
  return Buffer.from(new Float32Array(values).buffer);
}
