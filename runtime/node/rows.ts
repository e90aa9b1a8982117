// What of a worker's answer is one client's: the rows of its job, cut out of every output, or the word that it is none.
import type { Slice } from '../../actors/effects.js';
import type { Said } from '../../proto/messages.js';
import { byteSize, type Tensor } from '../../proto/tensor.js';
import type { Frames } from '../host/host.js';

/** One client's rows of every output of a batch, or why the worker's answer has none. */
export function rowsOf(finished: Said<'batch.finished'>, frames: Frames, slice: Slice): Tensor[] | string {
  return wrongOutput(finished, frames, slice) ?? outputsOf(finished, frames, slice);
}

/** A tensor whose bytes are not those of its shape can't be cut: a client would get what is another's. */
function wrongOutput(
  { outputs, sizes }: Said<'batch.finished'>,
  frames: Frames,
  { rows, rowsTotal }: Slice,
): string | undefined {
  for (const [output, [name, datatype, shape]] of outputs.entries()) {
    const has = `the worker's answer for output ${name} has`;
    const bytes = frames[output]?.length ?? 0;
    const own = sizes[output] as readonly number[];
    const isOpen = datatype === 'BYTES' && own.length === 0 && rows === rowsTotal;
    const wanted = datatype === 'BYTES' ? sumOf(own) : byteSize({ name, datatype, shape });
    if (!isOpen && bytes !== wanted) return `${has} ${bytes} bytes, its shape wants ${wanted}`;
    if (rows !== rowsTotal && shape[0] !== rowsTotal) {
      return `${has} the shape [${shape}], wanted are ${rowsTotal} rows`;
    }
  }
  return undefined;
}

function sumOf(sizes: readonly number[]): number {
  return sizes.reduce((sum, size) => sum + size, 0);
}

function outputsOf(finished: Said<'batch.finished'>, frames: Frames, slice: Slice): Tensor[] {
  return finished.outputs.map(([name, datatype, shape], output) => {
    const whole = frames[output] as Uint8Array;
    if (slice.rows === slice.rowsTotal) return { name, datatype, shape, data: whole };
    const sizes = finished.sizes[output] as readonly number[];
    const own = [slice.rows, ...shape.slice(1)];
    if (datatype !== 'BYTES') {
      const rowBytes = whole.length / slice.rowsTotal;
      const from = slice.rowsBefore * rowBytes;
      return { name, datatype, shape: own, data: whole.subarray(from, from + slice.rows * rowBytes) };
    }
    const { from, size } = placeOf(finished, sizes, slice.member);
    return { name, datatype, shape: own, data: whole.subarray(from, from + size) };
  });
}

/** Where a member's bytes are in an output whose elements have lengths of their own. */
function placeOf(
  finished: Said<'batch.finished'>,
  sizes: readonly number[],
  member: number,
): { from: number; size: number } {
  let from = 0;
  let ran = 0;
  for (let other = 0; other < member; other++) {
    if (finished.codes[other] === '') from += sizes[ran++] as number;
  }
  return { from, size: sizes[ran] as number };
}
