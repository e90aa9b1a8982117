// What the doors (gRPC, REST) see of the system behind them: submit a request, hear its end, ask what is there. The
// node implements it over the router actor; tests may stand in for it.
import type { BatchPolicy } from '../../proto/batching.js';
import type { ErrorCode } from '../../proto/errors.js';
import type { JobNumber, MemberId } from '../../proto/ids.js';
import type { JobEnd, JobSpec, JobStep, JobTimes } from '../../proto/job.js';
import type { Tensor } from '../../proto/tensor.js';
import type { ModelEntry } from '../models/entry.js';
import type { Pipeline } from '../pipelines/declaration.js';
import type { ClusterView, NodeAction, NodeOrdered } from './cluster.js';
import type { JobList, JobQuery, JobView } from './jobs.js';

export interface Submission {
  readonly spec: JobSpec;
  /** One per input of the spec, in its order. Must not be changed until the answer. */
  readonly payload: readonly Uint8Array[];
  /** Takes off the outputs what comes of inputs that were filled up. */
  readonly restore?: ((outputs: readonly Tensor[]) => readonly Tensor[]) | undefined;
  /** For a model with steps before or after it: then the spec is what the client sees, and no job of its own. */
  readonly passing?: Passage | undefined;
}

export interface Passage {
  readonly pipeline: Pipeline;
  readonly parameters: ReadonlyMap<string, boolean | number | bigint | string>;
}

export interface Answer {
  readonly jobId: string;
  readonly end: JobEnd;
  /** In the order wanted; empty unless completed. */
  readonly outputs: readonly Tensor[];
  readonly times: JobTimes | undefined;
  /** Built on demand, for it costs. */
  path(): readonly JobStep[];
}

export interface Ticket {
  /** The client cancelled or went away. Does nothing after the end. */
  cancel(why: string): void;
}

export type ModelState = 'READY' | 'UNAVAILABLE' | 'LOADING' | 'UNLOADING';

export interface ModelStatus {
  readonly name: string;
  readonly version: string;
  readonly state: ModelState;
  readonly reason: string;
  /** In words, what it runs on in each kind of place, and in how many workers. */
  readonly runsOn?: readonly (readonly [place: string, workers: number])[];
  /** How many workers have it in memory, and what it takes there, about. */
  readonly workers?: number;
  readonly memoryMb?: number;
}

/** How a model's requests are put into batches at present, and why so; the reason is empty until somebody knows. */
export interface BatchManner {
  readonly policy: BatchPolicy;
  readonly why: string;
}

/** Counts and sums since the start, in the shape in which the statistics call reports them. */
export interface ModelCounters {
  readonly lastInferenceMs: number;
  readonly inferenceCount: number;
  readonly executionCount: number;
  readonly success: Sum;
  readonly fail: Sum;
  /** Of those that failed: how many by each code. */
  readonly codes: ReadonlyMap<ErrorCode, number>;
  readonly queue: Sum;
  readonly computeInput: Sum;
  readonly computeInfer: Sum;
  readonly computeOutput: Sum;
  readonly batches: ReadonlyMap<
    number,
    { readonly computeInput: Sum; readonly computeInfer: Sum; readonly computeOutput: Sum }
  >;
}

export interface Sum {
  readonly count: number;
  readonly ms: number;
}

export interface Engine {
  /** Calls `reply` exactly once, never before it returned. */
  submit(submission: Submission, reply: (answer: Answer) => void): Ticket;
  live(): boolean;
  /** What the router chart says: serving, and each loadable model has a worker that is trusted. */
  ready(): boolean;
  /** Why `ready` is false, for people; empty when it is true. */
  unreadyReason(): string;
  /** Calls `changed` whenever readiness of the server or of a model may have changed. Returns how to stop that. */
  onReadiness(changed: () => void): () => void;
  /** Empty version: the newest. Undefined: not in the repository. */
  model(name: string, version: string): ModelEntry | undefined;
  models(): readonly ModelEntry[];
  /** Workers load that version, and nothing of it serves meanwhile. */
  isComing(name: string, version: string): boolean;
  status(name: string, version: string): ModelStatus;
  manner(name: string, version: string): BatchManner;
  /** Resolves when the model's files as they are now serve; rejects with the reason why they do not. */
  loadModel(name: string): Promise<void>;
  /** Resolves when nothing new gets to the model. */
  unloadModel(name: string): Promise<void>;
  counters(name: string, version: string): ModelCounters;
  /** The member that takes requests here, as ids of jobs begin. */
  router(): MemberId;
  jobs(query: JobQuery): JobList;
  /** Undefined when it is not known, or not any more. */
  job(number: JobNumber): JobView | undefined;
  cluster(): ClusterView;
  /** Resolves with what the node answers; `isForced` also where nobody else could do what it does. */
  orderNode(node: string, order: NodeAction, isForced: boolean): Promise<NodeOrdered>;
  /** A door has refused a request to this model that never became a job. */
  turnedAway(name: string, version: string, code: ErrorCode): void;
}
