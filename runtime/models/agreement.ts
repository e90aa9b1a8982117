// What a model takes and gives: the word of its config.yaml where it has one, else of its ONNX file; both must agree.
import { limits } from '../../proto/limits.js';
import type { ModelConfig, TensorConfig } from './config.js';
import type { ModelTensor } from './entry.js';
import { fitted } from './fitting.js';
import type { Graph, GraphTensor } from './onnx.js';

export interface Tensors {
  readonly inputs: readonly ModelTensor[];
  readonly outputs: readonly ModelTensor[];
}

/** The tensors, or the sentences that say what is amiss. */
export function agreed(config: ModelConfig, graph: Graph | undefined): Tensors | readonly string[] {
  const inputs = side('inputs', config.inputs, graph?.inputs, config.backend);
  const outputs = side('outputs', config.outputs, graph?.outputs, config.backend);
  const amiss = [...inputs.amiss, ...outputs.amiss];
  if (amiss.length > 0) return amiss;
  const tensors = fitted(config, inputs.tensors, outputs.tensors);
  return typeof tensors === 'string' ? [tensors] : tensors;
}

interface Side {
  readonly tensors: readonly ModelTensor[];
  readonly amiss: readonly string[];
}

function side(
  what: 'inputs' | 'outputs',
  said: readonly TensorConfig[] | undefined,
  found: readonly GraphTensor[] | undefined,
  backend: string,
): Side {
  if (said === undefined && found === undefined) {
    const such =
      what === 'inputs'
        ? '{ name: x, datatype: FP32, shape: [-1, 4] }'
        : '{ name: y, datatype: FP32, shape: [-1] }';
    return nothing(
      `${what} is missing, and backend ${backend} has no file that tells them: declare them, such as ${what}: [${such}]`,
    );
  }
  const twice = said?.find((tensor, at) => said.findIndex((other) => other.name === tensor.name) !== at);
  if (twice !== undefined) return nothing(`${what} names ${twice.name} twice`);
  if (found === undefined) return { tensors: said as readonly ModelTensor[], amiss: [] };
  if (said === undefined && found.length > limits.tensorsPerJobMax)
    return nothing(`the ONNX file has ${found.length} ${what}, allowed are ${limits.tensorsPerJobMax}`);
  const tensors: ModelTensor[] = [];
  const amiss: string[] = [];
  for (const { name, real, own } of paired(said, found)) {
    const tensor =
      real === undefined ? `${what} names ${name}; the ONNX file has ${names(found)}` : one(what, real, own);
    if (typeof tensor === 'string') amiss.push(tensor);
    else tensors.push(tensor);
  }
  const missing = found.filter((real) => said?.some((tensor) => tensor.name === real.name) === false);
  if (what === 'inputs' && missing.length > 0)
    amiss.push(`inputs leaves out ${names(missing)}, which the ONNX file needs`);
  return { tensors, amiss };
}

function nothing(sentence: string): Side {
  return { tensors: [], amiss: [sentence] };
}

interface Pair {
  readonly name: string;
  readonly real: GraphTensor | undefined;
  readonly own: TensorConfig | undefined;
}

function paired(said: readonly TensorConfig[] | undefined, found: readonly GraphTensor[]): Pair[] {
  if (said === undefined) return found.map((real) => ({ name: real.name, real, own: undefined }));
  return said.map((own) => ({ name: own.name, real: found.find((real) => real.name === own.name), own }));
}

function one(
  what: 'inputs' | 'outputs',
  real: GraphTensor,
  own: TensorConfig | undefined,
): ModelTensor | string {
  const { name, datatype, unfit } = real;
  if (datatype === undefined) {
    const wayOut = what === 'outputs' ? '; name under outputs those that shall be served' : '';
    return `the ONNX file has under ${what} ${name || '(no name)'}, which ${unfit}${wayOut}`;
  }
  if (name === '' || name.length > limits.nameLengthMax) {
    return `the ONNX file has under ${what} a name of ${name.length} characters, allowed are 1 to ${limits.nameLengthMax}`;
  }
  const shape = own?.shape ?? real.shape;
  if (shape === undefined) return `the ONNX file does not tell the shape of ${name}: say it under ${what}`;
  if (shape.length > limits.dimensionsMax) {
    return `${name} has ${shape.length} dimensions in the ONNX file, allowed are ${limits.dimensionsMax}`;
  }
  if (own === undefined) return { name, datatype, shape };
  if (own.datatype !== datatype) {
    return `${what}: ${name} is ${own.datatype} here and ${datatype} in the ONNX file`;
  }
  if (own.optional === true) return `${what}: ${name} can't be optional, for the ONNX file needs it`;
  if (real.shape === undefined) return { name, datatype, shape };
  if (!fits(shape, real.shape)) {
    return `${what}: ${name} has shape ${shown(shape)} here and ${shown(real.shape)} in the ONNX file`;
  }
  // What one side leaves open the other may fix.
  return { name, datatype, shape: shape.map((size, at) => (size === -1 ? (real.shape?.[at] ?? -1) : size)) };
}

function fits(said: readonly number[], found: readonly number[]): boolean {
  return (
    said.length === found.length &&
    said.every((size, at) => size === found[at] || size === -1 || found[at] === -1)
  );
}

function shown(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

function names(tensors: readonly { readonly name: string }[]): string {
  return tensors.map((tensor) => tensor.name).join(', ') || 'none';
}
