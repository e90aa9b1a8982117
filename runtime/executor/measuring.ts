// What the runs of a freshly loaded model cost at each size of batch that schedulers may choose.
import { now } from '../clock.js';
import type { Cost } from './executor.js';
import type { LoadOrder } from './order.js';

/** For all sizes of one model together: larger ones that don't fit are left to those who can extrapolate. */
const measuringMostMs = 400;
/** Of each size: one to warm up, three to measure. */
const runsEach = 4;

/** 1, 2, 4, 8 … and the most, or the sizes that the model may be run with. */
export function sizesOf({ rowSizes, rowsMax }: Pick<LoadOrder, 'rowSizes' | 'rowsMax'>): readonly number[] {
  if (rowSizes.length > 0) return rowSizes;
  const sizes: number[] = [];
  for (let rows = 1; rows < rowsMax; rows *= 2) sizes.push(rows);
  return [...sizes, rowsMax];
}

/** A run with open sizes costs what its input is large: what was measured of one says nothing of the next. */
export function hasOpenSizes({ inputs, batches }: Pick<LoadOrder, 'inputs' | 'batches'>): boolean {
  return inputs.some(({ shape }) => (batches ? shape.slice(1) : shape).some((size) => size < 0));
}

export async function measureCosts(
  order: LoadOrder,
  measure: (rows: number) => Promise<number>,
): Promise<Cost[]> {
  if (order.backend === 'onnxruntime' && hasOpenSizes(order)) return [];
  const beganAt = now();
  const costs: Cost[] = [];
  for (const rows of sizesOf(order)) {
    const [rowsBefore, msBefore] = costs.at(-1) ?? [rows, 0];
    // At worst it costs in proportion to its rows.
    if (now() - beganAt + ((msBefore * rows) / rowsBefore) * runsEach > measuringMostMs) break;
    const ms = await measure(rows);
    if (ms <= 0) break;
    costs.push([rows, ms]);
  }
  return levelled(costs);
}

/** Fewer rows never cost more: they could be filled up. What says otherwise is noise. */
function levelled(costs: readonly Cost[]): Cost[] {
  let least = Number.POSITIVE_INFINITY;
  return [...costs]
    .reverse()
    .map(([rows, ms]): Cost => {
      least = Math.min(least, Math.round(ms * 10_000) / 10_000);
      return [rows, least];
    })
    .reverse();
}
