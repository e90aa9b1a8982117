// What every way of computing a model offers to the place that holds it. A backend lives on one thread and is given one
// run at a time; what it throws ends that run alone.
import type { Tensor } from '../../proto/tensor.js';
import type { RunFailure } from './executor.js';
import type { LoadOrder } from './order.js';

export interface Backend {
  /** Rejects with a sentence when the model can't be had here. */
  load(order: LoadOrder): Promise<LoadedModel>;
}

export interface LoadedModel {
  /** Runs on made-up input until a run is warm: its milliseconds, or 0 when that can't be told. */
  warmup(rows: number): Promise<number>;
  /** What a run of so many rows costs, once the model is warm: milliseconds, or 0 when that can't be told. */
  measure(rows: number): Promise<number>;
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

const loaders = {
  onnxruntime: async () => (await import('./backends/onnxruntime.js')).onnxruntime,
  echo: async () => (await import('./backends/echo.js')).echo,
  simulated: async () => (await import('./backends/simulated.js')).simulated,
} satisfies Record<string, () => Promise<Backend>>;

export type BackendName = keyof typeof loaders;

export const backendNames = Object.keys(loaders) as BackendName[];

/** Loaded on demand, so that a process pays only for the libraries that its models need. */
export function findBackend(name: BackendName): Promise<Backend> {
  return loaders[name]();
}
