// A tensor's bytes seen as its elements, without a copy where memory allows it.
import { bytesElementOffsets, type Datatype, datatypes } from '../../proto/tensor.js';

const arrays = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP16: Uint16Array,
  BF16: Uint16Array,
  FP32: Float32Array,
  FP64: Float64Array,
} as const;

type NumericDatatype = keyof typeof arrays;

export type Elements = InstanceType<(typeof arrays)[NumericDatatype]>;

/** A view; a copy only where the bytes do not lie on a multiple of the element's size. BYTES has no such view. */
export function viewElements(datatype: Datatype, data: Uint8Array): Elements {
  const size = datatypes[datatype];
  if (size === 0) throw new TypeError('BYTES elements have no common size');
  const aligned = data.byteOffset % size === 0 ? data : Uint8Array.from(data);
  const View = arrays[datatype as NumericDatatype];
  return new View(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength / size);
}

/** Whether a user's data is what tensors of this datatype are handed about as. */
export function isArrayOf(datatype: Datatype, data: unknown): data is ArrayLike<unknown> {
  if (datatype !== 'BYTES') return data instanceof arrays[datatype];
  const isElement = (element: unknown) => typeof element === 'string' || element instanceof Uint8Array;
  return Array.isArray(data) && data.every(isElement);
}

export function arrayNameOf(datatype: Datatype): string {
  return datatype === 'BYTES' ? 'a list of texts or Uint8Arrays' : `a ${arrays[datatype].name}`;
}

export function bytesOf(elements: ArrayBufferView): Uint8Array {
  return new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
}

/** The elements of a BYTES tensor as views, or the sentence that says why they are none. */
export function readBytes(data: Uint8Array, count: number): Uint8Array[] | string {
  const offsets = bytesElementOffsets(data, count);
  if (typeof offsets === 'string') return offsets;
  return Array.from({ length: count }, (_, element) =>
    data.subarray((offsets[element] as number) + 4, offsets[element + 1]),
  );
}

/** The same as text. */
export function readStrings(data: Uint8Array, count: number): string[] | string {
  const elements = readBytes(data, count);
  if (typeof elements === 'string') return elements;
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const strings: string[] = [];
  for (const [element, bytes] of elements.entries()) {
    try {
      strings.push(decoder.decode(bytes));
    } catch {
      return `element ${element} is not UTF-8, which is all that this model's text may be`;
    }
  }
  return strings;
}

export function writeStrings(elements: readonly (string | Uint8Array)[]): Uint8Array {
  const lengths = elements.map((element) => Buffer.byteLength(element));
  const data = Buffer.allocUnsafeSlow(lengths.reduce((sum, length) => sum + 4 + length, 0));
  let at = 0;
  for (const [index, element] of elements.entries()) {
    at = data.writeUInt32LE(lengths[index] as number, at);
    if (typeof element === 'string') at += data.write(element, at);
    else {
      data.set(element, at);
      at += element.length;
    }
  }
  return data;
}
