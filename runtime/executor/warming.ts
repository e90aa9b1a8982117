// Runs of a model with made-up input: to warm it up, and to learn what a run of so many rows costs.
import { byteSize, elementCount, type Tensor, type TensorHeader } from '../../proto/tensor.js';
import { now } from '../clock.js';
import { AnswerError, type LoadedModel } from './backend.js';
import { writeStrings } from './elements.js';
import type { LoadOrder } from './order.js';

/** Stands in for a size that the model leaves open. */
export const openSize = 32;
const warmRunsMax = 24;
const warmBudgetMs = 40;
const measuredRuns = 3;

/** Milliseconds of the quickest of a few runs, which is the least disturbed; 0 when that can't be told. */
export async function warmed(model: LoadedModel, order: LoadOrder, rows: number): Promise<number> {
  const known = await model.warmup?.(rows);
  if (known !== undefined) return known;
  const beganAt = now();
  const times = await timed(
    model,
    order,
    rows,
    (runs) => runs < 2 || (runs < warmRunsMax && now() - beganAt < warmBudgetMs),
  );
  return times.length === 0 ? 0 : Math.min(...times);
}

/** Milliseconds of the middle one of a few runs; 0 when that can't be told. */
export async function measured(model: LoadedModel, order: LoadOrder, rows: number): Promise<number> {
  const known = await model.warmup?.(rows);
  if (known !== undefined) return known;
  const times = await timed(model, order, rows, (runs) => runs <= measuredRuns);
  return times.sort((a, b) => a - b)[times.length >> 1] ?? 0;
}

/** The first run is not among them: it pays for memory and caches. */
async function timed(
  model: LoadedModel,
  order: LoadOrder,
  rows: number,
  goesOn: (runs: number) => boolean,
): Promise<number[]> {
  const inputs = blankInputs(order, rows);
  const outputs = order.outputs.map(({ name }) => name);
  const times: number[] = [];
  for (let runs = 0; goesOn(runs); runs++) {
    const startedAt = now();
    try {
      await model.infer({ inputs, rows, outputs });
    } catch (error) {
      if (error instanceof AnswerError) throw error;
      // Made-up input may well be refused.
      return [];
    }
    if (runs > 0) times.push(now() - startedAt);
  }
  return times;
}

export function blankInputs({ inputs, batches }: LoadOrder, rows: number): Tensor[] {
  return inputs.map((input) => blank(input, batches, rows));
}

function blank(input: TensorHeader, batches: boolean, rows: number): Tensor {
  const shape = input.shape.map((size, axis) => (axis === 0 && batches ? rows : size < 0 ? openSize : size));
  const header = { ...input, shape };
  const data =
    input.datatype === 'BYTES'
      ? writeStrings(Array(elementCount(shape)).fill(''))
      : new Uint8Array(byteSize(header));
  return { ...header, data };
}
