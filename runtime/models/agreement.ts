// What a model takes and gives: the word of its config.yaml where it has one, else of its ONNX file; both must agree.
import type { ModelConfig } from './config.js';
import type { Graph, GraphTensor } from './onnx.js';
import type { ModelTensor } from './repository.js';

export interface Tensors {
  readonly inputs: readonly ModelTensor[];
  readonly outputs: readonly ModelTensor[];
}

export function agreed(config: ModelConfig, graph: Graph | undefined): Tensors | string {
  const inputs = side('inputs', config.inputs, graph?.inputs, config.backend);
  if (typeof inputs === 'string') return inputs;
  const outputs = side('outputs', config.outputs, graph?.outputs, config.backend);
  if (typeof outputs === 'string') return outputs;
  if (config.maxBatch > 0) {
    const fixed = [...inputs, ...outputs].find((tensor) => tensor.shape[0] !== -1);
    if (fixed !== undefined) {
      const found = `${fixed.name} has shape [${fixed.shape.join(', ')}]`;
      return `maxBatch is ${config.maxBatch}, but ${found}: its first dimension must be open (-1) to count rows`;
    }
  }
  return { inputs, outputs };
}

function side(
  what: 'inputs' | 'outputs',
  said: readonly ModelTensor[] | undefined,
  found: readonly GraphTensor[] | undefined,
  backend: string,
): readonly ModelTensor[] | string {
  if (said === undefined) return found ?? `${what} is missing; backend ${backend} has no file that tells them`;
  const twice = said.find((tensor, at) => said.findIndex((other) => other.name === tensor.name) !== at);
  if (twice !== undefined) return `${what} names ${twice.name} twice`;
  if (found === undefined) return said;
  for (const tensor of said) {
    const real = found.find((other) => other.name === tensor.name);
    if (real === undefined) return `${what} names ${tensor.name}; the ONNX file has ${names(found)}`;
    if (real.datatype !== tensor.datatype) {
      return `${what}: ${tensor.name} is ${tensor.datatype} here and ${real.datatype} in the ONNX file`;
    }
    if (!fits(tensor.shape, real.shape)) {
      const [here, there] = [tensor.shape, real.shape].map((shape) => `[${shape.join(', ')}]`);
      return `${what}: ${tensor.name} has shape ${here} here and ${there} in the ONNX file`;
    }
  }
  if (what === 'inputs' && said.length < found.length) {
    const missing = found.filter((real) => !said.some((tensor) => tensor.name === real.name));
    return `${what} leaves out ${names(missing)}, which the ONNX file needs`;
  }
  return said;
}

/** A size that one side leaves open fits any. */
function fits(said: readonly number[], found: readonly number[]): boolean {
  return said.length === found.length && said.every((size, at) => size === found[at] || size === -1 || found[at] === -1);
}

function names(tensors: readonly { readonly name: string }[]): string {
  return tensors.map((tensor) => tensor.name).join(', ') || 'none';
}
