// The tensor frames of the batches that a worker holds: kept from their arrival until they are answered, cut to the
// members that are still wanted when they run.

import type { RunBatch } from '../../actors/effects.js';
import { heldKey } from '../../actors/worker/held.js';
import type { Message, Said } from '../../proto/messages.js';
import { bytesElementOffsets, type Tensor, type TensorHeader } from '../../proto/tensor.js';
import type { Run } from '../executor/executor.js';

type Frames = readonly Uint8Array[];

export class BatchFrames {
  private readonly inputs = new Map<string, { readonly run: Said<'batch.run'>; readonly frames: Frames }>();
  private readonly outputs = new Map<string, Frames>();

  keep(message: Message, frames: Frames): void {
    if (message.type === 'batch.run')
      this.inputs.set(heldKey(message.scheduler, message.batch), { run: message, frames });
  }

  keepOutputs(key: string, tensors: readonly Tensor[]): void {
    this.outputs.set(
      key,
      tensors.map((tensor) => tensor.data),
    );
  }

  outputsOf(key: string): Frames {
    return this.outputs.get(key) ?? [];
  }

  forget(key: string): void {
    this.inputs.delete(key);
    this.outputs.delete(key);
  }

  /** What the executor is to run. */
  runOf(effect: RunBatch): Run | undefined {
    const kept = this.inputs.get(effect.key);
    if (kept === undefined) return undefined;
    const { run, frames } = kept;
    const all = effect.members.length === run.jobs.length;
    const rows = effect.members.map((member) => run.rows[member] as number);
    const rowsKept = rows.reduce((sum, count) => sum + count, 0);
    const inputs = run.inputs.map(([name, datatype, shape], index) => {
      const header: TensorHeader = { name, datatype, shape: all ? shape : [rowsKept, ...shape.slice(1)] };
      if (run.split) {
        const own = frames.slice(index * run.jobs.length, (index + 1) * run.jobs.length);
        return { header, frames: effect.members.map((member) => own[member] as Uint8Array) };
      }
      const whole = frames[index] as Uint8Array;
      if (all) return { header, frames: [whole] };
      return { header, frames: cutRows(whole, run.rows, effect.members, { name, datatype, shape }) };
    });
    const { model, version, outputs } = run;
    return { key: effect.key, model, version, place: effect.place, inputs, rows, outputs };
  }
}

/** The rows of some members out of a frame that holds those of all. */
function cutRows(
  whole: Uint8Array,
  rows: readonly number[],
  members: readonly number[],
  header: TensorHeader,
): Uint8Array[] {
  const starts = [0];
  for (const count of rows) starts.push((starts.at(-1) as number) + count);
  const total = starts.at(-1) as number;
  const cut = offsetsOfRows(whole, header, total);
  return members.map((member) =>
    whole.subarray(cut(starts[member] as number), cut((starts[member] as number) + (rows[member] as number))),
  );
}

/** Where in the data a row begins. */
export function offsetsOfRows(
  whole: Uint8Array,
  header: TensorHeader,
  rows: number,
): (row: number) => number {
  if (header.datatype !== 'BYTES') return (row) => (whole.length / rows) * row;
  const perRow = header.shape.slice(1).reduce((product, dimension) => product * dimension, 1);
  const offsets = bytesElementOffsets(whole, rows * perRow);
  return (row) => (typeof offsets === 'string' ? 0 : (offsets[row * perRow] as number));
}
