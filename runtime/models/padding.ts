// Fills the inputs of a request with zeros to the size of its bucket, so that requests of different sizes share batches,
// and cuts what the model made of the zeros off its outputs again.
import {
  bytesElementOffsets,
  type Datatype,
  datatypes,
  elementCount,
  type Tensor,
} from '../../proto/tensor.js';
import { bucketOf, isBucketed, type ShapeBuckets } from './buckets.js';

interface Port {
  readonly name: string;
  readonly shape: readonly number[];
}

/** As a request brings it: its datatype has been looked at already. */
interface Given {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

export interface Padded<T> {
  readonly tensors: readonly (T | undefined)[];
  restore(outputs: readonly Tensor[]): readonly Tensor[];
}

export class Padding {
  private readonly buckets: ShapeBuckets;
  /** Per input of the model. */
  private readonly concerned: readonly boolean[];
  /** Per output of the model its open dimensions beside the rows. */
  private readonly openOf: ReadonlyMap<string, readonly number[]>;

  constructor(buckets: ShapeBuckets, inputs: readonly Port[], outputs: readonly Port[]) {
    this.buckets = buckets;
    this.concerned = inputs.map((input) => isBucketed(buckets, input));
    this.openOf = new Map(outputs.map(({ name, shape }) => [name, openIn(shape)]));
  }

  /**
   * Tensors in the order of the model's inputs, all looked at already; undefined where one was left out. Nothing comes
   * back where nothing is to be filled: also when inputs that belong together differ in size, which is the model's to judge.
   */
  pad<T extends Given>(tensors: readonly (T | undefined)[]): Padded<T> | undefined {
    const { dimension } = this.buckets;
    let size = -1;
    for (let index = 0; index < tensors.length; index++) {
      const own = this.concerned[index] === true ? tensors[index]?.shape[dimension] : undefined;
      if (own === undefined || own === size) continue;
      if (size >= 0) return undefined;
      size = own;
    }
    const padded = bucketOf(this.buckets, size);
    if (size < 0 || padded === size) return undefined;
    return {
      tensors: tensors.map((tensor, index) =>
        this.concerned[index] === true && tensor !== undefined ? filled(tensor, dimension, padded) : tensor,
      ),
      restore: (outputs) => outputs.map((output) => this.restored(output, padded, size)),
    };
  }

  private restored(output: Tensor, padded: number, size: number): Tensor {
    const cut = this.openOf.get(output.name)?.filter((dimension) => output.shape[dimension] === padded) ?? [];
    return cut.reduce((tensor, dimension) => shortened(tensor, dimension, size), output);
  }
}

function openIn(shape: readonly number[]): number[] {
  return shape.flatMap((size, dimension) => (size === -1 && dimension > 0 ? [dimension] : []));
}

function resized(shape: readonly number[], dimension: number, size: number): number[] {
  return shape.map((own, at) => (at === dimension ? size : own));
}

function filled<T extends Given>(tensor: T, dimension: number, size: number): T {
  const { shape, data } = tensor;
  const elementBytes = datatypes[tensor.datatype as Datatype];
  const inner = elementCount(shape.slice(dimension + 1)) * elementBytes;
  const outer = elementCount(shape.slice(0, dimension));
  const own = (shape[dimension] as number) * inner;
  const whole = new Uint8Array(outer * size * inner);
  for (let at = 0; at < outer; at++) whole.set(data.subarray(at * own, (at + 1) * own), at * size * inner);
  return { ...tensor, shape: resized(shape, dimension, size), data: whole };
}

function shortened(tensor: Tensor, dimension: number, size: number): Tensor {
  const { shape, data } = tensor;
  const inner = elementCount(shape.slice(dimension + 1));
  const outer = elementCount(shape.slice(0, dimension));
  const given = (shape[dimension] as number) * inner;
  const at = byteOffsets(tensor);
  const parts = Array.from({ length: outer }, (_, part) =>
    data.subarray(at(part * given), at(part * given + size * inner)),
  );
  return { ...tensor, shape: resized(shape, dimension, size), data: Buffer.concat(parts) };
}

/** Where an element begins. */
function byteOffsets({ datatype, shape, data }: Tensor): (element: number) => number {
  const elementBytes = datatypes[datatype];
  if (elementBytes > 0) return (element) => element * elementBytes;
  const offsets = bytesElementOffsets(data, elementCount(shape));
  return (element) => (typeof offsets === 'string' ? 0 : (offsets[element] as number));
}
