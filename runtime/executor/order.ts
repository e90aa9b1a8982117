// What a backend must know to load a model: plain data taken from the repository's entry, for it crosses to the thread.
import { modelKey } from '../../proto/ids.js';
import type { TensorHeader } from '../../proto/tensor.js';
import { rowSizesOf } from '../models/batching.js';
import type { ModelEntry } from '../models/repository.js';
import type { BackendName } from './backend.js';
import { readSimulated, type SimulatedSettings } from './simulated.js';

export interface LoadOrder {
  readonly key: string;
  readonly backend: BackendName;
  /** Empty when the backend needs none. */
  readonly file: string;
  /** The first dimension of every tensor counts rows. */
  readonly batches: boolean;
  /** Every number of an answer must be finite. */
  readonly finite: boolean;
  readonly rowsMax: number;
  /** The only rows that a run may have, ascending; empty: any up to `rowsMax`. */
  readonly rowSizes: readonly number[];
  /** -1 in a shape: any size. With `batches` the first dimension is there, as -1. */
  readonly inputs: readonly TensorHeader[];
  readonly outputs: readonly TensorHeader[];
  readonly device: Device;
  readonly threads: number;
  readonly simulated: SimulatedSettings;
}

export const devices = ['cpu', 'webgpu', 'cuda'] as const;

export type Device = (typeof devices)[number];

export interface Machine {
  readonly device: Device;
  /** That one run may use. */
  readonly threads: number;
}

/** The order, or the sentence that says why there can be none. */
export function orderOf(entry: ModelEntry, machine: Machine): LoadOrder | string {
  if (entry.state !== 'available') return entry.reason;
  const simulated = readSimulated(entry.config.simulated);
  if (typeof simulated === 'string') return simulated;
  return {
    key: modelKey(entry.name, entry.version),
    backend: entry.config.backend,
    file: entry.file,
    batches: entry.maxBatch > 0,
    finite: entry.config.finite,
    rowsMax: Math.max(1, entry.maxBatch),
    rowSizes: rowSizesOf(entry.config.batching),
    inputs: entry.inputs.map(headerOf),
    outputs: entry.outputs.map(headerOf),
    device: machine.device,
    threads: machine.threads,
    simulated,
  };
}

function headerOf({ name, datatype, shape }: TensorHeader): TensorHeader {
  return { name, datatype, shape };
}
