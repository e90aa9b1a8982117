// One version of one model as the repository has it: what doors, actors and workers are told of it.
import type { Datatype } from '../../proto/tensor.js';
import type { Pipeline } from '../pipelines/declaration.js';
import type { ModelConfig } from './config.js';
import type { VariantFiles } from './variant-files.js';

export interface ModelTensor {
  readonly name: string;
  readonly datatype: Datatype;
  /** With rows first where the model batches; -1 takes any size. */
  readonly shape: readonly number[];
  readonly optional?: boolean | undefined;
}

/** One version of one model, as plain data. */
export interface ModelEntry {
  readonly name: string;
  readonly version: string;
  /** What the actors know it by, where files of this version have served before; else the version itself. */
  readonly edition?: string | undefined;
  /** Tells its files and its configuration from others. */
  readonly stamp?: string | undefined;
  /** Its content, in short, where it is named by that: the same on every node. */
  readonly content?: string | undefined;
  /** It came out of the store of its cluster. */
  readonly isShared?: boolean | undefined;
  /** It is to take over from what serves: workers make room for it. */
  readonly isComing?: boolean | undefined;
  /** `unchosen`: it could be served, and its owner chose others. `unloaded`: an operator took it away. */
  readonly state: 'available' | 'unavailable' | 'unchosen' | 'unloaded';
  /** Empty when available. */
  readonly reason: string;
  readonly config: ModelConfig;
  readonly inputs: readonly ModelTensor[];
  readonly outputs: readonly ModelTensor[];
  readonly maxBatch: number;
  /** The model file; empty for backends that need none. */
  readonly file: string;
  readonly sizeBytes: number;
  /** Of the model file's graph; 0 without one. */
  readonly nodeCount: number;
  /** The steps before and after it; undefined: none. With `runs` it has no tensors of its own, and no worker loads it. */
  readonly pipeline?: Pipeline | undefined;
  /** By name, all with the same tensors; nothing where it has none. */
  readonly variants?: VariantFiles | undefined;
  /** The only one of them that this entry stands for, whatever the device. */
  readonly variant?: string | undefined;
  /** Where the version's files lie; the model's folder where it has no versions. */
  readonly folder: string;
  /** The full path of the owner's own backend; empty where it is a built-in one. */
  readonly module: string;
}

export function editionOf({ version, edition }: Pick<ModelEntry, 'version' | 'edition'>): string {
  return edition ?? version;
}

/** What runs another model needs no worker of its own. */
export function needsWorker({ pipeline }: ModelEntry): boolean {
  return pipeline === undefined || pipeline.runs === '';
}
