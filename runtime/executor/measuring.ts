// What the runs of a freshly loaded model cost at each size of batch that schedulers may choose.
import { now } from '../clock.js';
import type { Cost } from './executor.js';
import { levelled } from './learned.js';
import type { LoadOrder } from './order.js';

/** For all sizes of one model together: larger ones that don't fit are left to those who can extrapolate. */
export const modelMostMs = 400;
/** For all models of a worker, which is not ready before: what is beyond has to be learned from real runs. */
const workerMostMs = 1000;
/** Of each size: one to warm up, three to measure. */
export const runsEach = 4;

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

export interface Measured {
  readonly costs: readonly Cost[];
  /** False: another time it might become more. */
  readonly isAll: boolean;
}

/** The measuring of one worker. */
export class Measuring {
  #spentMs = 0;

  /** `runMs`: of a warm run of the smallest size. */
  async costsOf(
    order: LoadOrder,
    runMs: number,
    measure: (rows: number) => Promise<number>,
  ): Promise<Measured> {
    const [smallest, ...sizes] = sizesOf(order) as [number, ...number[]];
    if (runMs <= 0 || (order.backend !== 'simulated' && hasOpenSizes(order)))
      return { costs: [], isAll: true };
    const costs: Cost[] = [[smallest, runMs]];
    const beganAt = now();
    const leftMs = workerMostMs - this.#spentMs;
    let isAll = true;
    for (const rows of sizes) {
      const [rowsBefore, msBefore] = costs.at(-1) as Cost;
      // At worst it costs in proportion to its rows.
      const byThenMs = now() - beganAt + ((msBefore * rows) / rowsBefore) * runsEach;
      isAll = byThenMs > modelMostMs || byThenMs <= leftMs;
      if (byThenMs > Math.min(modelMostMs, leftMs)) break;
      const ms = await measure(rows);
      if (ms <= 0) break;
      costs.push([rows, ms]);
    }
    this.#spentMs += now() - beganAt;
    return { costs: levelled(costs), isAll };
  }
}
