// What a worker process runs models with: places (main thread, compute thread) that hold loaded models and run batches.
import type { Golden } from '../../actors/facts.js';
import type { ErrorCode } from '../../proto/errors.js';
import type { Place } from '../../proto/messages.js';
import type { Tensor, TensorHeader } from '../../proto/tensor.js';
import type { ModelEntry } from '../models/entry.js';

export interface Run {
  /** Chosen by the caller, given back with the result. */
  readonly key: string;
  readonly model: string;
  readonly version: string;
  readonly place: Place;
  /** Headers of the whole batch; per input either one frame with all rows, or one frame per job to be put together. */
  readonly inputs: readonly { readonly header: TensorHeader; readonly frames: readonly Uint8Array[] }[];
  /** Rows of each job, in order. */
  readonly rows: readonly number[];
  /** Names wanted, in order; empty: all. */
  readonly outputs: readonly string[];
}

export type RunResult = RunSuccess | RunFailure;

export interface RunSuccess {
  readonly key: string;
  readonly ok: true;
  readonly outputs: readonly Tensor[];
  readonly inputMs: number;
  readonly computeMs: number;
  readonly outputMs: number;
}

export interface RunFailure {
  readonly key: string;
  readonly ok: false;
  readonly code: Extract<ErrorCode, 'MODEL_FAILED' | 'DEVICE_LOST' | 'RESULT_INVALID'>;
  readonly reason: string;
}

export type Cost = readonly [rows: number, ms: number];

export type Loaded =
  | {
      readonly ok: true;
      readonly place: Place;
      readonly rowsMax: number;
      /** Of a warm run with the fewest rows that it can have. */
      readonly runMs: number;
      /** Rows, ascending, and milliseconds of measured runs; empty where a run's cost depends on more than its rows. */
      readonly costs: readonly Cost[];
      readonly golden: Golden;
      /** In words: a device, and what else there is to be known of that. */
      readonly runsOn: string;
      /** Why it runs on the CPU though it was to have another device; empty or missing: it does not. */
      readonly fallback?: string;
    }
  /** `suspect`: it was loaded, and answered its golden input otherwise than before. */
  | {
      readonly ok: false;
      readonly reason: string;
      readonly suspect?: boolean;
      /** Its files are others than when they were listed. */
      readonly stale?: boolean;
    };

export interface Executor {
  load(entry: ModelEntry): Promise<Loaded>;
  unload(model: string, version: string): void;
  run(run: Run, done: (result: RunResult) => void): void;
  /** Runs the golden inputs of these models: how the first that fails does, or nothing. */
  probe(models: readonly Pick<Run, 'model' | 'version'>[]): Promise<string>;
  /** Resolves when no run is in flight and its thread has gone. */
  close(): Promise<void>;
}
