// Gives its inputs back: by name where an output is called like an input, else by position. For benchmarks of everything
// but compute.
import type { Tensor } from '../../../proto/tensor.js';
import { type Backend, BackendError, type Batch, type LoadedModel } from '../backend.js';
import type { LoadOrder } from '../order.js';

export const echo: Backend = { load };

async function load(order: LoadOrder): Promise<LoadedModel> {
  const sources = new Map<string, string>();
  for (const [index, output] of order.outputs.entries()) {
    const source = order.inputs.find((input) => input.name === output.name) ?? order.inputs[index];
    if (source === undefined) throw new Error(`output ${output.name} has no input that it could echo`);
    if (source.datatype !== output.datatype) {
      throw new Error(
        `output ${output.name} is ${output.datatype}, its input ${source.name} is ${source.datatype}`,
      );
    }
    sources.set(output.name, source.name);
  }
  return {
    warmup: async () => 0,
    infer: async (batch) => batch.outputs.map((name) => answer(name, sources.get(name), batch)),
    unload: async () => undefined,
  };
}

function answer(name: string, source: string | undefined, batch: Batch): Tensor {
  const input = batch.inputs.find((tensor) => tensor.name === source);
  if (input === undefined) throw new BackendError('MODEL_FAILED', `there is no input for the output ${name}`);
  return { name, datatype: input.datatype, shape: input.shape, data: input.data };
}
