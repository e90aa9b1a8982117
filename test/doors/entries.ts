// Entries of a model repository that was never on a disk.
import type { Datatype } from '../../proto/tensor.js';
import type { ModelEntry } from '../../runtime/models/repository.js';

type Tensor = ModelEntry['inputs'][number];

export function port(name: string, datatype: Datatype, shape: readonly number[], optional = false): Tensor {
  return { name, datatype, shape, optional } as Tensor;
}

export function entry(
  name: string,
  version: string,
  maxBatch: number,
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
): ModelEntry {
  return {
    name,
    version,
    state: 'available',
    reason: '',
    maxBatch,
    inputs,
    outputs,
    config: { backend: 'echo' },
  } as unknown as ModelEntry;
}
