// What steps hand on, looked at: tensors with the bytes that their shapes want; and the pieces of an answer put together
// row by row where no step says otherwise.
import { byteSize, bytesElementOffsets, elementCount, isDatatype, type Tensor } from '../../proto/tensor.js';
import { StepError, type Tensors } from './step.js';

/** The sentence that says what is wrong with what a step gave. */
export function wrongTensors(made: unknown): string | undefined {
  if (!Array.isArray(made)) return 'it gave no list of tensors';
  for (const tensor of made as Partial<Tensor>[]) {
    const { name, datatype, shape, data } = tensor ?? {};
    if (typeof name !== 'string' || name === '') return 'it gave a tensor without a name';
    if (!isDatatype(datatype)) return `it gave ${name} with the datatype ${String(datatype)}`;
    if (!(data instanceof Uint8Array)) return `it gave ${name} without data, which is a Uint8Array`;
    if (!Array.isArray(shape) || elementCount(shape) < 0) return `it gave ${name} with the shape [${shape}]`;
    const header = { name, datatype, shape: shape as number[] };
    if (datatype === 'BYTES') {
      const fault = bytesElementOffsets(data, elementCount(shape as number[]));
      if (typeof fault === 'string') return `it gave ${name}, which is no list of BYTES elements: ${fault}`;
    } else if (byteSize(header) !== data.length) {
      return `it gave ${name} of shape [${shape}] with ${data.length} bytes, wanted are ${byteSize(header)}`;
    }
  }
  return undefined;
}

/** Several pieces become one whose first dimension is theirs together. */
export function joinRows(pieces: readonly Tensors[]): Tensors {
  const [first, ...others] = pieces;
  if (first === undefined)
    throw new StepError('MODEL_FAILED', 'the steps before the model made nothing of the request');
  if (others.length === 0) return first;
  return first.map((tensor, at) => {
    const parts = pieces.map((piece) => piece[at] as Tensor);
    const misfit = parts.find((part) => part === undefined || !fits(tensor, part));
    if (misfit !== undefined || tensor.shape.length === 0 || parts.includes(undefined as never)) {
      throw new StepError(
        'MODEL_FAILED',
        `the pieces of output ${tensor.name} have different shapes; a step with \`join\` is wanted under after`,
      );
    }
    const rows = parts.reduce((sum, part) => sum + (part.shape[0] as number), 0);
    const data = new Uint8Array(parts.reduce((sum, part) => sum + part.data.length, 0));
    let to = 0;
    for (const part of parts) {
      data.set(part.data, to);
      to += part.data.length;
    }
    return { ...tensor, shape: [rows, ...tensor.shape.slice(1)], data };
  });
}

function fits(one: Tensor, other: Tensor): boolean {
  return (
    one.name === other.name &&
    one.datatype === other.datatype &&
    one.shape.length === other.shape.length &&
    one.shape.every((size, at) => at === 0 || size === other.shape[at])
  );
}
