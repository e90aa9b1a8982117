// Entries of a model repository that was never on a disk.
import type { Datatype } from '../../proto/tensor.js';
import { defaultModelConfig } from '../../runtime/models/config.js';
import type { ModelEntry, ModelTensor } from '../../runtime/models/entry.js';

export function port(
  name: string,
  datatype: Datatype,
  shape: readonly number[],
  optional = false,
): ModelTensor {
  return { name, datatype, shape, optional };
}

export function entry(
  name: string,
  version: string,
  maxBatch: number,
  inputs: readonly ModelTensor[],
  outputs: readonly ModelTensor[],
): ModelEntry {
  return {
    name,
    version,
    state: 'available',
    reason: '',
    maxBatch,
    inputs,
    outputs,
    config: { ...defaultModelConfig, backend: 'echo', maxBatch },
    file: '',
    sizeBytes: 0,
    nodeCount: 0,
    folder: '',
    module: '',
  };
}
