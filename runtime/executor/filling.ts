// Fills a run with empty rows up to a size that its model may be run with, and cuts them off its outputs again.
import {
  bytesElementOffsets,
  datatypes,
  elementCount,
  type Tensor,
  type TensorHeader,
} from '../../proto/tensor.js';
import type { Run } from './executor.js';

/** The rows that a run of so many is made with; the same where no size is large enough. */
export function filledRows(sizes: readonly number[], rows: number): number {
  return sizes.find((size) => size >= rows) ?? rows;
}

/** Zeros at the end of every input; texts are empty. */
export function fill(run: Run, rows: number, wanted: number): Run {
  if (wanted === rows) return run;
  const inputs = run.inputs.map(({ header, frames }) => {
    const shape = [wanted, ...header.shape.slice(1)];
    return { header: { ...header, shape }, frames: [...frames, emptyRows(header, wanted - rows)] };
  });
  return { ...run, inputs };
}

function emptyRows({ datatype, shape }: TensorHeader, rows: number): Uint8Array {
  // An empty text is its length: four zero bytes.
  const elementBytes = datatypes[datatype] || 4;
  return new Uint8Array(rows * elementCount(shape.slice(1)) * elementBytes);
}

export function cutOutputs(outputs: readonly Tensor[], rows: number): readonly Tensor[] {
  return outputs.map((output) => {
    const given = output.shape[0] as number;
    if (given === rows) return output;
    const shape = [rows, ...output.shape.slice(1)];
    return { ...output, shape, data: output.data.subarray(0, bytesBefore(output, rows, given)) };
  });
}

function bytesBefore({ datatype, shape, data }: Tensor, rows: number, given: number): number {
  if (datatype !== 'BYTES') return (data.length / given) * rows;
  const elements = elementCount(shape.slice(1));
  const offsets = bytesElementOffsets(data, given * elements);
  return typeof offsets === 'string' ? data.length : (offsets[rows * elements] as number);
}
