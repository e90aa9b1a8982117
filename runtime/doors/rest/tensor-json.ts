// Tensors as JSON: flat or nested lists become little-endian bytes, and bytes become a flat list.
import { isUtf8 } from 'node:buffer';
import {
  bytesElementOffsets,
  type Datatype,
  datatypes,
  elementCount,
  isDatatype,
  type Tensor,
} from '../../../proto/tensor.js';
import { type ElementWriter, elementReader, elementWriters, joinBytesElements } from '../elements.js';
import { invalidInput } from '../request.js';
import { counted, quote, shapeText, shown } from '../sentence.js';
import { unmark } from './wide-numbers.js';

/** Throws when the data doesn't fit its shape or its datatype. An unknown datatype is refused later, by the model. */
export function bytesOfJson(
  name: string,
  datatype: string,
  shape: readonly number[],
  data: unknown,
): Uint8Array {
  if (!isDatatype(datatype)) return new Uint8Array(0);
  if (datatype === 'FP16' || datatype === 'BF16') {
    throw invalidInput(`input ${quote(name)} is ${datatype}, which JSON can't carry: send it as binary data`);
  }
  const count = elementCount(shape);
  if (count < 0)
    throw invalidInput(`input ${quote(name)} of shape ${shapeText(shape)} has no countable elements`);
  if (!Array.isArray(data))
    throw invalidInput(`"data" of input ${quote(name)} is ${shown(unmark(data))}, wanted is a list`);
  const elements = Array.isArray(data[0]) ? flattened(name, shape, data) : data;
  if (elements.length !== count) {
    throw invalidInput(
      `input ${quote(name)} has ${counted(elements.length, 'element')} in "data", its shape ${shapeText(shape)} takes ${count}`,
    );
  }
  if (datatype === 'BYTES')
    return joinBytesElements(elements.map((element, at) => textBytes(name, element, at)));
  if (datatype === 'FP32') {
    const quick = quickFloats(elements);
    if (quick !== undefined) return quick;
  }
  return numberBytes(name, datatype, elements);
}

/** The least that FP32 rounds to infinity. */
const floatBeyond = 2 ** 128 - 2 ** 103;
const finite = {
  FP32: { holds: (value: number) => Math.abs(value) < floatBeyond, wants: 'a number within ±3.4028235e+38' },
  FP64: { holds: Number.isFinite, wants: 'a number within ±1.7976931348623157e+308' },
} as const;

function quickFloats(elements: readonly unknown[]): Uint8Array | undefined {
  const floats = new Float32Array(elements.length);
  for (let index = 0; index < elements.length; index++) {
    const element = elements[index];
    // What is no number, and what FP32 would make infinite, is told by the careful way.
    if (!(typeof element === 'number' && Math.abs(element) < floatBeyond)) return undefined;
    floats[index] = element;
  }
  return new Uint8Array(floats.buffer);
}

function numberBytes(name: string, datatype: Datatype, elements: readonly unknown[]): Uint8Array {
  const writer = elementWriters[datatype as 'FP32'] as ElementWriter;
  const range = datatype === 'FP32' || datatype === 'FP64' ? finite[datatype] : undefined;
  const size = datatypes[datatype];
  const bytes = new Uint8Array(elements.length * size);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < elements.length; index++) {
    const value = unmark(elements[index]);
    if (!writer.fits(value)) throw wrongElement(name, datatype, elements[index], index, writer.wants);
    if (range !== undefined && !range.holds(Number(value)))
      throw wrongElement(name, datatype, elements[index], index, range.wants);
    writer.write(view, index * size, value);
  }
  return bytes;
}

function textBytes(name: string, element: unknown, index: number): Uint8Array {
  if (typeof unmark(element) !== 'string') throw wrongElement(name, 'BYTES', element, index, 'text');
  return Buffer.from(element as string);
}

function wrongElement(name: string, datatype: string, element: unknown, index: number, wants: string): Error {
  const value = unmark(element);
  const shown =
    value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY
      ? `${value < 0 ? 'below -' : 'above '}${Number.MAX_VALUE}`
      : quote(JSON.stringify(value, (_, own) => (typeof own === 'bigint' ? String(own) : own)));
  return invalidInput(
    `element ${index} of input ${quote(name)} (${datatype}) is ${shown}, wanted is ${wants}`,
  );
}

/** Nested lists must be nested exactly as their shape says. */
function flattened(name: string, shape: readonly number[], data: readonly unknown[]): unknown[] {
  const flat: unknown[] = [];
  fill(data, 0);
  return flat;

  function fill(list: unknown, level: number): void {
    if (level === shape.length) {
      if (Array.isArray(list))
        throw invalidInput(`"data" of input ${quote(name)} is nested deeper than its shape`);
      flat.push(list);
      return;
    }
    if (!Array.isArray(list) || list.length !== shape[level]) {
      const given = Array.isArray(list) ? `a list of ${list.length}` : 'no list';
      throw invalidInput(
        `"data" of input ${quote(name)} has ${given} where its shape ${shapeText(shape)} has ${shape[level]} ` +
          `(dimension ${level}, after ${flat.length} elements)`,
      );
    }
    for (const entry of list) fill(entry, level + 1);
  }
}

/** The elements as JSON text, without the brackets. What JSON has no number for (NaN, infinities) becomes null. */
export function jsonOfTensor(tensor: Tensor): string {
  const { datatype, data } = tensor;
  if (datatype === 'BYTES') return jsonOfBytes(tensor);
  const size = datatypes[datatype];
  const count = Math.floor(data.byteLength / size);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const read = elementReader(datatype);
  let text = '';
  for (let index = 0; index < count; index++) {
    const value = read(view, index * size);
    if (index > 0) text += ',';
    text += typeof value === 'number' && !Number.isFinite(value) ? 'null' : value;
  }
  return text;
}

function jsonOfBytes(tensor: Tensor): string {
  const offsets = bytesElementOffsets(tensor.data, elementCount(tensor.shape));
  if (typeof offsets === 'string')
    throw new Error(`output ${tensor.name} is no list of BYTES elements: ${offsets}`);
  const elements: string[] = [];
  for (let index = 0; index + 1 < offsets.length; index++) {
    const bytes = tensor.data.subarray((offsets[index] as number) + 4, offsets[index + 1]);
    if (!isUtf8(bytes)) {
      throw invalidInput(
        `element ${index} of output ${quote(tensor.name)} is not UTF-8, which JSON can't carry: ask for binary data`,
      );
    }
    elements.push(
      JSON.stringify(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')),
    );
  }
  return elements.join(',');
}
