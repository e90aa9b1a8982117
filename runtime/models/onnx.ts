// What an ONNX file says of its graph's inputs and outputs, read without its weights. Whatever a file holds, the answer
// is a graph or a sentence.
import { closeSync, fstatSync, openSync, statSync } from 'node:fs';
import type { Datatype } from '../../proto/tensor.js';
import { type Field, Malformed, Pages } from './protobuf.js';

export interface GraphTensor {
  readonly name: string;
  /** Undefined where it is no tensor, or one of elements that the protocol has not: `unfit` says which. */
  readonly datatype: Datatype | undefined;
  readonly unfit: string;
  /** -1 where the graph leaves a size open; undefined where it does not even say how many dimensions there are. */
  readonly shape: readonly number[] | undefined;
}

export interface Graph {
  readonly inputs: readonly GraphTensor[];
  readonly outputs: readonly GraphTensor[];
  readonly nodeCount: number;
  /** Of the whole file. */
  readonly sizeBytes: number;
}

/** ONNX's element types by number; those that the protocol has not are missing. */
const elementTypes = new Map<number, Datatype>([
  [1, 'FP32'],
  [2, 'UINT8'],
  [3, 'INT8'],
  [4, 'UINT16'],
  [5, 'INT16'],
  [6, 'INT32'],
  [7, 'INT64'],
  [8, 'BYTES'],
  [9, 'BOOL'],
  [10, 'FP16'],
  [11, 'FP64'],
  [12, 'UINT32'],
  [13, 'UINT64'],
  [16, 'BF16'],
]);

/** The numbers of the fields that are looked at, by message. */
const at = {
  model: { graph: 7 },
  graph: { node: 1, initializer: 5, input: 11, output: 12 },
  initializer: { name: 8 },
  value: { name: 1, type: 2 },
  type: { tensor: 1 },
  tensor: { element: 1, shape: 2 },
  shape: { dimension: 1 },
  dimension: { size: 1 },
} as const;

const nameBytesMax = 4096;
const dimensionsMax = 64;
const pointer = 'version https://git-lfs';

/** Throws only what the system says of a file that can't be opened. */
export function readOnnxFile(path: string): Graph | string {
  // Opening a pipe would wait for somebody to write.
  if (!statSync(path).isFile()) return 'it is not a file';
  const descriptor = openSync(path, 'r');
  try {
    return readGraph(Pages.ofFile(descriptor, fstatSync(descriptor).size));
  } finally {
    closeSync(descriptor);
  }
}

export function readOnnxBytes(bytes: Uint8Array): Graph | string {
  return readGraph(Pages.ofBytes(bytes));
}

function readGraph(pages: Pages): Graph | string {
  if (pages.size === 0) return 'it is empty';
  try {
    if (isPointer(pages)) return 'it is a Git LFS pointer, not the model itself: fetch it with git lfs pull';
    const graph = last(pages, { from: 0, to: pages.size }, at.model.graph);
    if (graph === undefined || graph.from === graph.to) return 'it is not an ONNX model: it has no graph';
    return tensorsOf(pages, graph);
  } catch (fault) {
    if (fault instanceof Malformed) return `it is not an ONNX model: ${fault.message}`;
    throw fault;
  }
}

function tensorsOf(pages: Pages, graph: Span): Graph | string {
  const weights = new Set<string>();
  const inputs: Field[] = [];
  const outputs: Field[] = [];
  let nodeCount = 0;
  for (const field of pages.fields(graph.from, graph.to)) {
    if (field.number === at.graph.node) nodeCount += 1;
    else if (field.number === at.graph.initializer) weights.add(nameOf(pages, field, at.initializer.name));
    else if (field.number === at.graph.input) inputs.push(field);
    else if (field.number === at.graph.output) outputs.push(field);
  }
  if (outputs.length === 0) return 'it is not an ONNX model that can be served: its graph has no outputs';
  // Old files list their weights among the inputs.
  const open = inputs.filter((input) => !weights.has(nameOf(pages, input, at.value.name)));
  return {
    inputs: open.map((input) => tensorOf(pages, input)),
    outputs: outputs.map((output) => tensorOf(pages, output)),
    nodeCount,
    sizeBytes: pages.size,
  };
}

function tensorOf(pages: Pages, value: Field): GraphTensor {
  const name = nameOf(pages, value, at.value.name);
  const type = last(pages, value, at.value.type);
  const tensor = type && last(pages, type, at.type.tensor);
  if (tensor === undefined) return { name, datatype: undefined, unfit: 'is no tensor', shape: undefined };
  const element = last(pages, tensor, at.tensor.element)?.value ?? 0;
  const datatype = elementTypes.get(element);
  const unfit =
    datatype === undefined ? `has elements of ONNX type ${element}, which the protocol has not` : '';
  const shape = last(pages, tensor, at.tensor.shape);
  return { name, datatype, unfit, shape: shape && sizesOf(pages, shape) };
}

function sizesOf(pages: Pages, shape: Span): number[] {
  const sizes: number[] = [];
  for (const field of pages.fields(shape.from, shape.to)) {
    if (field.number !== at.shape.dimension) continue;
    if (sizes.length === dimensionsMax)
      throw new Malformed(`it has a tensor of more than ${dimensionsMax} dimensions`);
    const size = last(pages, field, at.dimension.size)?.value ?? -1;
    // Negative sizes come as huge ones.
    sizes.push(Number.isSafeInteger(size) ? size : -1);
  }
  return sizes;
}

function nameOf(pages: Pages, message: Span, number: number): string {
  const field = last(pages, message, number);
  return field === undefined ? '' : pages.text(field, nameBytesMax);
}

interface Span {
  readonly from: number;
  readonly to: number;
}

/** Of a field that comes several times the last one counts. */
function last(pages: Pages, message: Span, number: number): Field | undefined {
  let found: Field | undefined;
  for (const field of pages.fields(message.from, message.to)) {
    if (field.number === number) found = field;
  }
  return found;
}

function isPointer(pages: Pages): boolean {
  if (pages.size < pointer.length || pages.size > 1024) return false;
  const start = { number: 0, value: 0, from: 0, to: pointer.length };
  try {
    return pages.text(start, nameBytesMax) === pointer;
  } catch {
    return false;
  }
}
