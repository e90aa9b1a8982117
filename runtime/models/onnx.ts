// What an ONNX file says of its graph's inputs and outputs, read without its weights. A file is never trusted: whatever
// its bytes say, reading stays inside it and ends with a sentence.
import { type Datatype, datatypes } from '../../proto/tensor.js';

export interface GraphTensor {
  readonly name: string;
  readonly datatype: Datatype;
  /** -1 where the graph leaves the size open. */
  readonly shape: readonly number[];
}

export interface Graph {
  readonly inputs: readonly GraphTensor[];
  readonly outputs: readonly GraphTensor[];
}

/** ONNX element types by number. */
const elementTypes: readonly (Datatype | undefined)[] = [
  undefined,
  'FP32',
  'UINT8',
  'INT8',
  'UINT16',
  'INT16',
  'INT32',
  'INT64',
  'BYTES',
  'BOOL',
  'FP16',
  'FP64',
  'UINT32',
  'UINT64',
  undefined,
  undefined,
  'BF16',
];

class Malformed extends Error {}

export function readOnnxGraph(bytes: Uint8Array): Graph | string {
  try {
    const model = new Fields(bytes);
    const graph = model.last(7);
    if (graph === undefined) return 'it has no graph: this is not an ONNX model';
    const parts = new Fields(graph);
    const weights = new Set(parts.all(5).map((initializer) => textOf(new Fields(initializer).last(8))));
    const inputs = parts.all(11).map(tensorOf).filter((input) => !weights.has(input.name));
    const outputs = parts.all(12).map(tensorOf);
    if (outputs.length === 0) return 'its graph has no outputs: this is not an ONNX model that can be served';
    return { inputs, outputs };
  } catch (fault) {
    if (fault instanceof Malformed) return `it is not an ONNX model: ${fault.message}`;
    throw fault;
  }
}

function tensorOf(valueInfo: Uint8Array): GraphTensor {
  const fields = new Fields(valueInfo);
  const name = textOf(fields.last(1));
  const type = fields.last(2);
  const tensorType = type === undefined ? undefined : new Fields(type).last(1);
  if (tensorType === undefined) throw new Malformed(`${name || 'a value'} is no tensor`);
  const tensor = new Fields(tensorType);
  const element = tensor.lastNumber(1) ?? 0;
  const datatype = elementTypes[element];
  if (datatype === undefined || !Object.hasOwn(datatypes, datatype)) {
    throw new Malformed(`${name} has element type ${element}, which can't be served`);
  }
  const shape = tensor.last(2);
  const dimensions = shape === undefined ? [] : new Fields(shape).all(1);
  return { name, datatype, shape: dimensions.map((dimension) => new Fields(dimension).lastNumber(1) ?? -1) };
}

function textOf(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? '' : new TextDecoder().decode(bytes);
}

/** The fields of one protobuf message, found without copying. */
class Fields {
  private readonly chunks: { readonly field: number; readonly bytes: Uint8Array }[] = [];
  private readonly numbers: { readonly field: number; readonly value: number }[] = [];

  constructor(bytes: Uint8Array) {
    let at = 0;
    const varint = (): number => {
      let value = 0;
      for (let shift = 0; shift < 70; shift += 7) {
        const byte = bytes[at++];
        if (byte === undefined) throw new Malformed('it ends inside a number');
        value += (byte & 127) * 2 ** shift;
        if (byte < 128) return value;
      }
      throw new Malformed('it has a number without an end');
    };
    const skip = (length: number): number => {
      const from = at;
      at += length;
      if (at > bytes.length) throw new Malformed(`it is cut off: ${at - bytes.length} bytes are missing`);
      return from;
    };
    while (at < bytes.length) {
      const tag = varint();
      const field = Math.floor(tag / 8);
      const wire = tag % 8;
      if (field === 0) throw new Malformed('it has a field without a number');
      if (wire === 0) this.numbers.push({ field, value: varint() });
      else if (wire === 1) skip(8);
      else if (wire === 5) skip(4);
      else if (wire === 2) {
        const length = varint();
        const from = skip(length);
        this.chunks.push({ field, bytes: bytes.subarray(from, from + length) });
      } else throw new Malformed(`it has a field of an unknown kind (${wire})`);
    }
  }

  all(field: number): Uint8Array[] {
    return this.chunks.filter((chunk) => chunk.field === field).map((chunk) => chunk.bytes);
  }

  last(field: number): Uint8Array | undefined {
    return this.all(field).at(-1);
  }

  /** Sizes beyond what can be counted exactly, negative ones among them, are as good as open. */
  lastNumber(field: number): number | undefined {
    const value = this.numbers.findLast((number) => number.field === field)?.value;
    return value !== undefined && Number.isSafeInteger(value) ? value : undefined;
  }
}
