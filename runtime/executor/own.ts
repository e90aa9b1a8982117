// What a module of a user's own that computes models sees and gives: plain tensors of typed elements. README.md beside
// this file describes it with an example.
import type { Datatype } from '../../proto/tensor.js';

export interface OwnTensor {
  readonly name: string;
  readonly datatype: Datatype;
  /** Row-major; with rows first where the model batches. */
  readonly shape: readonly number[];
  readonly data: OwnData;
}

/** FP16 and BF16 as their bits in a Uint16Array; BOOL as a Uint8Array; BYTES as a list of byte arrays or texts. */
export type OwnData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | readonly (Uint8Array | string)[];

/** An output; what is left out is as the config declares it. */
export type OwnOutput = Pick<OwnTensor, 'name' | 'shape' | 'data'> & { readonly datatype?: Datatype };

export interface OwnModel {
  readonly name: string;
  readonly version: string;
  /** Where the files of this version lie. */
  readonly folder: string;
  /** As the config declares them; -1 in a shape: any size. */
  readonly inputs: readonly Omit<OwnTensor, 'data'>[];
  readonly outputs: readonly Omit<OwnTensor, 'data'>[];
  /** Rows that a batch may have; 0: the first dimension does not count rows. */
  readonly maxBatch: number;
  readonly device: string;
  /** That a run may use. */
  readonly threads: number;
  /** As the config has them under `settings`. */
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface OwnBatch {
  /** In the order of the config; those that requests left out are missing. To be read until `infer` is done. */
  readonly inputs: readonly OwnTensor[];
  readonly rows: number;
  /** Names of the outputs that are wanted; others may be given and are dropped. */
  readonly outputs: readonly string[];
}

type Later<T> = T | Promise<T>;

/** What `load` gives. */
export interface OwnLoaded {
  /** Gets ready for runs of so many rows. May give the milliseconds that one takes (0: unknown) to be spared trial runs on zeros. */
  warmup?(rows: number): Later<number | undefined>;
  infer(batch: OwnBatch): Later<readonly OwnOutput[]>;
  unload?(): Later<void>;
}

/** What the module exports, by name or as its default. */
export interface OwnBackend {
  load(model: OwnModel): Later<OwnLoaded>;
}
