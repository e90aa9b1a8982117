// What every way of computing a model offers to the thread that holds it. A backend is given one run at a time; what it
// throws ends that run alone. The modules that users write have the same four functions: README.md describes them.
import type { Tensor } from '../../proto/tensor.js';
import type { RunFailure } from './executor.js';
import type { LoadOrder } from './order.js';

export interface Backend {
  /** Rejects with a sentence when the model can't be had here. */
  load(order: LoadOrder): Promise<LoadedModel>;
}

export interface LoadedModel {
  /** What of it runs elsewhere than on the device that the order names, in words; empty or missing: nothing. */
  readonly partly?: string;
  /**
   * Gets ready for runs of so many rows. Gives the milliseconds that one takes, 0 when that can't be told, or nothing:
   * then it is run with made-up input and timed. So is a model without it.
   */
  warmup?(rows: number): Promise<number | undefined>;
  infer(batch: Batch): Promise<readonly Tensor[]>;
  /** Never called while `infer` is at work. */
  unload(): Promise<void>;
}

/** A whole batch put together; the bytes may be read until `infer` resolves, and handed out again as an output. */
export interface Batch {
  readonly inputs: readonly Tensor[];
  readonly rows: number;
  /** Names wanted, in order; never empty. */
  readonly outputs: readonly string[];
}

/** An end of a run that is known by its code; whatever else is thrown counts as MODEL_FAILED. */
export class BackendError extends Error {
  readonly code: RunFailure['code'];

  constructor(code: RunFailure['code'], reason: string) {
    super(reason);
    this.name = 'BackendError';
    this.code = code;
  }
}

/** What was given is no answer at all, whatever was asked: a model that does so while it is warmed up is not served. */
export class AnswerError extends BackendError {}

const loaders = {
  onnxruntime: async () => (await import('./backends/onnxruntime.js')).onnxruntime,
  echo: async () => (await import('./backends/echo.js')).echo,
  simulated: async () => (await import('./backends/simulated.js')).simulated,
  module: async () => (await import('./backends/module.js')).module,
} satisfies Record<string, () => Promise<Backend>>;

export type BackendName = keyof typeof loaders;

export const backendNames = Object.keys(loaders) as BackendName[];

/** Loaded on demand, so that a process pays only for the libraries that its models need. */
export function findBackend(name: BackendName): Promise<Backend> {
  return loaders[name]();
}
