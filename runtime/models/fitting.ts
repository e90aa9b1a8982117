// Whether what is said of a model's batches fits its tensors: rows that can be counted, dimensions that can be padded.
import { rowSizesOf } from './batching.js';
import { isBucketed, type ShapeBuckets } from './buckets.js';
import type { ModelConfig } from './config.js';
import type { ModelTensor } from './entry.js';

/** The tensors with their rows open, or the sentence that says what is amiss. */
export function fitted(
  { maxBatch, batching }: ModelConfig,
  inputs: readonly ModelTensor[],
  outputs: readonly ModelTensor[],
): { inputs: readonly ModelTensor[]; outputs: readonly ModelTensor[] } | string {
  const reason =
    wrongRows(maxBatch, rowSizesOf(batching), inputs, outputs) ??
    (batching?.shapeBuckets && wrongBuckets(batching.shapeBuckets, maxBatch > 0, inputs));
  if (reason !== undefined) return reason;
  if (maxBatch === 0) return { inputs, outputs };
  return { inputs: inputs.map(withOpenRows), outputs: outputs.map(withOpenRows) };
}

/** Where the first dimension counts rows it must be there, and open or the only size that batches are filled to. */
function wrongRows(
  maxBatch: number,
  sizes: readonly number[],
  inputs: readonly ModelTensor[],
  outputs: readonly ModelTensor[],
): string | undefined {
  if (maxBatch === 0) return undefined;
  if (inputs.length === 0)
    return `maxBatch is ${maxBatch}, but the model has no input whose rows could be counted`;
  const only = sizes.length === 1 ? sizes[0] : -1;
  const fixed = [...inputs, ...outputs].find(({ shape }) => shape[0] !== -1 && shape[0] !== only);
  if (fixed === undefined) return undefined;
  const found = `${fixed.name} has shape [${fixed.shape.join(', ')}]`;
  const rows = fixed.shape[0];
  const wayOut =
    rows === undefined || rows < 1
      ? ''
      : `; with batching.sizes: [${rows}] it may be ${rows}, and batches are filled up`;
  return `maxBatch is ${maxBatch}, but ${found}: its first dimension must be open (-1) to count rows${wayOut}`;
}

function withOpenRows(tensor: ModelTensor): ModelTensor {
  return { ...tensor, shape: [-1, ...tensor.shape.slice(1)] };
}

function wrongBuckets(
  buckets: ShapeBuckets,
  batches: boolean,
  inputs: readonly ModelTensor[],
): string | undefined {
  const { dimension } = buckets;
  const key = 'batching.shapeBuckets';
  if (!batches)
    return `${key} is given, but maxBatch is 0: requests that never share a batch need no padding`;
  const stranger = buckets.inputs.find((name) => !inputs.some((input) => input.name === name));
  if (stranger !== undefined)
    return `${key}.inputs names ${stranger}; the model's inputs are ${inputs.map(({ name }) => name).join(', ')}`;
  const closed = inputs.find(({ name, shape }) => buckets.inputs.includes(name) && shape[dimension] !== -1);
  if (closed !== undefined)
    return `${key}.inputs names ${closed.name}, whose shape [${closed.shape.join(', ')}] has no open (-1) dimension ${dimension}`;
  const padded = inputs.filter((input) => isBucketed(buckets, input));
  if (padded.length === 0)
    return `${key}.dimension is ${dimension}, but no input has an open (-1) dimension ${dimension}`;
  const text = padded.find(({ datatype }) => datatype === 'BYTES');
  return text && `${key} would pad ${text.name}, which is BYTES: only numbers can be padded`;
}
