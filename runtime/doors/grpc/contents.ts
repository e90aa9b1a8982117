// Turns the typed contents of a gRPC tensor into the bytes that travel inside: little-endian, row-major.
import { type Datatype, datatypes } from '../../../proto/tensor.js';
import { type ElementWriter, elementWriters, joinBytesElements } from '../elements.js';
import { invalidInput } from '../request.js';
import { counted, quote, shapeText } from '../sentence.js';

/** Which list belongs to a datatype. FP16 and BF16 have none. */
const kinds: Readonly<Record<Datatype, string>> = {
  BOOL: 'bool_contents',
  UINT8: 'uint_contents',
  UINT16: 'uint_contents',
  UINT32: 'uint_contents',
  UINT64: 'uint64_contents',
  INT8: 'int_contents',
  INT16: 'int_contents',
  INT32: 'int_contents',
  INT64: 'int64_contents',
  FP16: '',
  BF16: '',
  FP32: 'fp32_contents',
  FP64: 'fp64_contents',
  BYTES: 'bytes_contents',
};

export function contentsBytes(
  name: string,
  datatype: Datatype,
  shape: readonly number[],
  count: number,
  kind: string | undefined,
  elements: readonly unknown[],
): Uint8Array {
  const wanted = kinds[datatype];
  if (wanted === '') {
    throw invalidInput(`input ${quote(name)} is ${datatype}, which has no typed contents: send it raw`);
  }
  if (kind !== undefined && kind !== wanted) {
    throw invalidInput(`input ${quote(name)} is ${datatype} and given in ${kind}, wanted is ${wanted}`);
  }
  if (elements.length !== count) {
    throw invalidInput(
      `input ${quote(name)} has ${counted(elements.length, 'element')} in ${wanted}, its shape ${shapeText(shape)} takes ${count}`,
    );
  }
  if (datatype === 'BYTES') return joinBytesElements(elements as readonly Uint8Array[]);
  const writer = elementWriters[datatype] as ElementWriter;
  const size = datatypes[datatype];
  const bytes = new Uint8Array(count * size);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < count; index++) {
    const element = elements[index];
    const value = typeof element === 'string' ? BigInt(element) : element;
    if (!writer.fits(value)) {
      throw invalidInput(`element ${index} of input ${quote(name)} is ${element}, wanted is ${writer.wants}`);
    }
    writer.write(view, index * size, value);
  }
  return bytes;
}
