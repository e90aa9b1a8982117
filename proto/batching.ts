// How the jobs of a model are gathered into batches and given to workers, as its owner may set it: the words that the
// configuration, the workers and the schedulers share.

/** `auto` chooses among eager, deferred and edf from the costs seen, the workers that live and the load. */
export const batchPolicies = ['auto', 'eager', 'deferred', 'window', 'edf'] as const;
export type BatchPolicy = (typeof batchPolicies)[number];

export const batchPolicyMeanings: Readonly<Record<BatchPolicy, string>> = {
  auto: 'Gathers no more than the load needs and deadlines allow: a lone request goes at once.',
  eager: 'What waits goes as soon as a worker takes it, up to `maxBatch` rows, whatever the deadlines.',
  deferred:
    'Waits until there are the rows with which the workers do most, or the most urgent request has to go.',
  window: 'Waits for a full batch, `maxDelayMs` at most, and no longer than the most urgent request can.',
  edf: 'What waits goes as soon as a worker takes it, no more rows together than the most urgent has time for.',
};

export const workerChoices = ['earliest-finish', 'least-loaded', 'round-robin', 'fastest'] as const;
export type WorkerChoice = (typeof workerChoices)[number];

/** All of them among those that would be in time, where there are such. */
export const workerChoiceMeanings: Readonly<Record<WorkerChoice, string>> = {
  'earliest-finish':
    'Whoever is expected to have it done first, the way there included; a slow one only where that is worth it.',
  'least-loaded': 'Whoever has been given the fewest rows that are not done.',
  'round-robin': 'Whoever has waited longest for one: each in turn.',
  fastest: 'Whoever is expected to take the least time for it by itself.',
};

export interface Batching {
  readonly policy: BatchPolicy;
  /** Rows at which a batch is worth sending at once, ascending; empty for none. */
  readonly preferred: readonly number[];
  /** How long the first of a batch waits for others at most, by any policy that waits. */
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

/** Longer than any batch is gathered. */
export const batchDelayMostMs = 60_000;

export const batchingDefaults: Batching = {
  policy: 'auto',
  preferred: [],
  delayMostMs: batchDelayMostMs,
  weight: 1,
  depthMax: 0,
  bytesMax: 0,
  choice: '',
  needs: [],
  prefers: [],
};
