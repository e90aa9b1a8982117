// Writes tiny ONNX files for tests and benchmarks: just enough of the format for identity, linear layers and casts.
import { type Datatype, datatypes } from '../../proto/tensor.js';

const elementTypes: Readonly<Partial<Record<Datatype, number>>> = {
  FP32: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  BYTES: 8,
  BOOL: 9,
  FP16: 10,
  FP64: 11,
  UINT32: 12,
  UINT64: 13,
  BF16: 16,
};

interface Value {
  readonly name: string;
  readonly datatype: Datatype;
  /** Text names a size that stays open. */
  readonly shape: readonly (number | string)[];
}

interface Node {
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

interface Weight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

export interface Graph {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly nodes: readonly Node[];
  readonly weights?: readonly Weight[];
}

/** y = x of any datatype: input `x`, output `y`, shape [rows, width]. */
export function onnxIdentity(
  datatype: Datatype = 'FP32',
  width = 4,
  rows: number | string = 'rows',
): Uint8Array {
  return writeOnnx({
    inputs: [{ name: 'x', datatype, shape: [rows, width] }],
    outputs: [{ name: 'y', datatype, shape: [rows, width] }],
    nodes: [{ operator: 'Identity', inputs: ['x'], outputs: ['y'] }],
  });
}

/** Many nodes and no weights: x is negated so often to give y. Sides as those of the identity. */
export function onnxNegations(count: number, [x, y] = ['x', 'y']): Uint8Array {
  const name = (step: number): string =>
    step === 0 ? (x as string) : step === count ? (y as string) : `s${step}`;
  return writeOnnx({
    inputs: [{ name: name(0), datatype: 'FP32', shape: ['rows', 4] }],
    outputs: [{ name: name(count), datatype: 'FP32', shape: ['rows', 4] }],
    nodes: Array.from({ length: count }, (_, step) => ({
      operator: 'Neg',
      inputs: [name(step)],
      outputs: [name(step + 1)],
    })),
  });
}

/** y = x·w + b with w[i][o] = ((i + o) mod 7) / 10 and b[o] = o. */
export function onnxLinear(inFeatures: number, outFeatures: number): Uint8Array {
  return onnxMlp([inFeatures, outFeatures]);
}

/** Linear layers of these sizes with Relu between them; input `x` [rows, sizes[0]], output `y` [rows, last size]. */
export function onnxMlp(sizes: readonly number[]): Uint8Array {
  const nodes: Node[] = [];
  const weights: Weight[] = [];
  let from = 'x';
  for (let layer = 1; layer < sizes.length; layer++) {
    const [wide, high] = [sizes[layer - 1] as number, sizes[layer] as number];
    weights.push({ name: `w${layer}`, shape: [wide, high], values: linearWeights(wide, high) });
    weights.push({
      name: `b${layer}`,
      shape: [high],
      values: Float32Array.from({ length: high }, (_, o) => o),
    });
    const isLast = layer === sizes.length - 1;
    const sum = isLast ? 'y' : `sum${layer}`;
    nodes.push({ operator: 'Gemm', inputs: [from, `w${layer}`, `b${layer}`], outputs: [sum] });
    if (!isLast) nodes.push({ operator: 'Relu', inputs: [sum], outputs: [`relu${layer}`] });
    from = `relu${layer}`;
  }
  return writeOnnx({
    inputs: [{ name: 'x', datatype: 'FP32', shape: ['rows', sizes[0] as number] }],
    outputs: [{ name: 'y', datatype: 'FP32', shape: ['rows', sizes.at(-1) as number] }],
    nodes,
    weights,
  });
}

export function linearWeights(inFeatures: number, outFeatures: number): Float32Array {
  const values = new Float32Array(inFeatures * outFeatures);
  for (let i = 0; i < inFeatures; i++) {
    for (let o = 0; o < outFeatures; o++) values[i * outFeatures + o] = ((i + o) % 7) / 10;
  }
  return values;
}

export function writeOnnx(graph: Graph): Uint8Array {
  const body = message([
    ...graph.nodes.map((node) => chunk(1, writeNode(node))),
    chunk(2, text('test')),
    ...(graph.weights ?? []).map((weight) => chunk(5, writeWeight(weight))),
    ...graph.inputs.map((value) => chunk(11, writeValue(value))),
    ...graph.outputs.map((value) => chunk(12, writeValue(value))),
  ]);
  const operatorSet = message([chunk(1, text('')), number(2, 17)]);
  return message([number(1, 8), chunk(7, body), chunk(8, operatorSet)]);
}

function writeNode({ operator, inputs, outputs }: Node): Uint8Array {
  return message([
    ...inputs.map((name) => chunk(1, text(name))),
    ...outputs.map((name) => chunk(2, text(name))),
    chunk(4, text(operator)),
  ]);
}

function writeWeight({ name, shape, values }: Weight): Uint8Array {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return message([
    ...shape.map((size) => number(1, size)),
    number(2, 1),
    chunk(8, text(name)),
    chunk(9, bytes),
  ]);
}

function writeValue({ name, datatype, shape }: Value): Uint8Array {
  const sizes = shape.map((size) =>
    chunk(1, typeof size === 'number' ? number(1, size) : chunk(2, text(size))),
  );
  const element = elementTypes[datatype];
  if (element === undefined) throw new Error(`ONNX has no ${datatype} of ${datatypes[datatype]} bytes`);
  const tensor = message([number(1, element), chunk(2, message(sizes))]);
  return message([chunk(1, text(name)), chunk(2, chunk(1, tensor))]);
}

function number(field: number, value: number): Uint8Array {
  return message([varint(field * 8), varint(value)]);
}

function chunk(field: number, bytes: Uint8Array): Uint8Array {
  return message([varint(field * 8 + 2), varint(bytes.length), bytes]);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

function text(value: string): Uint8Array {
  return Buffer.from(value);
}

function message(parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}
