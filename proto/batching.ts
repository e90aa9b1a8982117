// How the jobs of a model are gathered into batches and given to workers, as its owner may set it: the words that the
// configuration, the workers and the schedulers share.

/** `auto` chooses among the others from the costs that it has seen, the workers that live and the load. */
export const batchPolicies = ['auto', 'eager', 'deferred', 'window', 'edf'] as const;
export type BatchPolicy = (typeof batchPolicies)[number];

export const workerChoices = ['earliest-finish', 'least-loaded', 'round-robin', 'fastest'] as const;
export type WorkerChoice = (typeof workerChoices)[number];

export interface Batching {
  readonly policy: BatchPolicy;
  /** Rows at which a batch is worth sending at once, ascending; empty for none. */
  readonly preferred: readonly number[];
  /** For `window`: how long the first of a batch waits for others at most. */
  readonly delayMostMs: number;
  /** The model's share of workers that are wanted by several. */
  readonly weight: number;
  /** 0: as the scheduler has it. */
  readonly depthMax: number;
  readonly bytesMax: number;
  /** Empty: as the scheduler has it. */
  readonly choice: '' | WorkerChoice;
  /** Tags that a worker must have to run it, and tags of workers that go first where they are free as soon. */
  readonly needs: readonly string[];
  readonly prefers: readonly string[];
}

export const batchingDefaults: Batching = {
  policy: 'auto',
  preferred: [],
  delayMostMs: 0,
  weight: 1,
  depthMax: 0,
  bytesMax: 0,
  choice: '',
  needs: [],
  prefers: [],
};
