// A tensor's header and the datatypes of the Open Inference Protocol: what a tensor is called on every wire and how
// many bytes it must have. The bytes themselves travel in frames of their own, little-endian and row-major.

/** Bytes per element; 0 marks BYTES, whose elements carry their own length. */
export const datatypes = {
  BOOL: 1,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  FP16: 2,
  BF16: 2,
  FP32: 4,
  FP64: 8,
  BYTES: 0,
} as const;

export type Datatype = keyof typeof datatypes;

export interface TensorHeader {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
}

/** A tensor as it is handed about inside one process. */
export interface Tensor extends TensorHeader {
  readonly data: Uint8Array;
}

export function isDatatype(value: unknown): value is Datatype {
  return typeof value === 'string' && Object.hasOwn(datatypes, value);
}

/** The number of elements, or -1 when the shape is no shape or its product can't be counted exactly. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const dimension of shape) {
    if (!Number.isSafeInteger(dimension) || dimension < 0) return -1;
    count *= dimension;
    if (!Number.isSafeInteger(count)) return -1;
  }
  return count;
}

/** The exact size of a tensor's bytes; -1 when only its content can tell (BYTES) or the shape is no shape. */
export function byteSize(header: TensorHeader): number {
  const size = datatypes[header.datatype];
  const count = elementCount(header.shape);
  const bytes = size * count;
  return size === 0 || count < 0 || !Number.isSafeInteger(bytes) ? -1 : bytes;
}

/** Where each element of a BYTES tensor begins, plus its end; or the sentence that says what is wrong with it. */
export function bytesElementOffsets(data: Uint8Array, count: number): number[] | string {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const offsets: number[] = [];
  let at = 0;
  for (let element = 0; element < count; element++) {
    offsets.push(at);
    if (at + 4 > data.byteLength) {
      return `element ${element} of ${count} has no length: the data ends after ${data.byteLength} bytes`;
    }
    const length = view.getUint32(at, true);
    at += 4 + length;
    if (at > data.byteLength) {
      return `element ${element} says it has ${length} bytes, ${data.byteLength - (at - length)} are left`;
    }
  }
  if (at !== data.byteLength) return `${data.byteLength - at} bytes are left over after ${count} elements`;
  offsets.push(at);
  return offsets;
}
