// What a backend must know to load a model: plain data taken from the repository's entry, for it crosses to the thread.
import { modelKey } from '../../proto/ids.js';
import type { TensorHeader } from '../../proto/tensor.js';
import { isBuiltIn } from '../models/backend.js';
import { rowSizesOf } from '../models/batching.js';
import { editionOf, type ModelEntry } from '../models/entry.js';
import { goldenTolerance } from '../models/tolerance.js';
import { variantFor } from '../models/variants.js';
import type { BackendName } from './backend.js';
import type { Device } from './device.js';
import { readSimulated, type SimulatedSettings } from './simulated.js';

export interface LoadOrder {
  readonly key: string;
  readonly model: string;
  readonly version: string;
  readonly backend: BackendName;
  /** Empty when the backend needs none. */
  readonly file: string;
  /** Where the version's files lie; the model's folder where it has no versions. */
  readonly folder: string;
  /** The owner's own backend: its full path, empty where there is none. */
  readonly module: string;
  /** As the model's config calls the backend. */
  readonly calledBackend: string;
  readonly sizeBytes: number;
  readonly nodeCount: number;
  /** The folder of optimised graphs; empty: none are kept. */
  readonly graphs: string;
  /** The first dimension of every tensor counts rows. */
  readonly batches: boolean;
  /** Every number of an answer must be finite. */
  readonly finite: boolean;
  /** How its golden input is judged; undefined: it has none. */
  readonly golden: { readonly tolerance: number } | undefined;
  readonly rowsMax: number;
  /** The only rows that a run may have, ascending; empty: any up to `rowsMax`. */
  readonly rowSizes: readonly number[];
  /** -1 in a shape: any size. With `batches` the first dimension is there, as -1. */
  readonly inputs: readonly TensorHeader[];
  readonly outputs: readonly TensorHeader[];
  readonly device: Device;
  readonly threads: number;
  readonly simulated: SimulatedSettings;
  /** For the owner's own backend. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly loadLongestMs: number;
}

export interface Machine {
  readonly device: Device;
  /** That one run may use. */
  readonly threads: number;
  /** The folder of optimised graphs; empty: none are kept. */
  readonly graphs: string;
}

/** The order, or the sentence that says why there can be none. */
export function orderOf(entry: ModelEntry, machine: Machine): LoadOrder | string {
  if (entry.state !== 'available') return entry.reason;
  const simulated = readSimulated(entry.config.simulated);
  if (typeof simulated === 'string') return simulated;
  const { file, sizeBytes, nodeCount } =
    entry.variants?.[entry.variant ?? variantFor(entry.config, machine.device) ?? ''] ?? entry;
  return {
    key: modelKey(entry.name, editionOf(entry)),
    model: entry.name,
    version: entry.version,
    backend: isBuiltIn(entry.config.backend) ? entry.config.backend : 'module',
    file,
    folder: entry.folder,
    module: entry.module,
    calledBackend: entry.config.backend,
    sizeBytes,
    nodeCount,
    graphs: machine.graphs,
    batches: entry.maxBatch > 0,
    finite: entry.config.finite,
    golden: goldenOf(entry.config),
    rowsMax: Math.max(1, entry.maxBatch),
    rowSizes: rowSizesOf(entry.config.batching),
    inputs: entry.inputs.map(headerOf),
    outputs: entry.outputs.map(headerOf),
    device: machine.device,
    threads: machine.threads,
    simulated,
    settings: entry.config.settings ?? {},
    loadLongestMs: entry.config.loadLongestMs,
  };
}

/** What must not run twice is not tried, and of a user's own backend nobody knows what a trial would do. */
function goldenOf({ golden, idempotent, backend }: ModelEntry['config']): LoadOrder['golden'] {
  const isTried = golden !== undefined || backend === 'onnxruntime' || backend === 'simulated';
  if (!isTried || !idempotent || golden?.use === 'off') return undefined;
  return { tolerance: golden?.tolerance ?? goldenTolerance };
}

function headerOf({ name, datatype, shape }: TensorHeader): TensorHeader {
  return { name, datatype, shape };
}
