// The cells of the goodput benchmark: what a batch costs on a model, how many workers there are, how long an answer may
// take; and the most that any schedule could serve there if requests came evenly and costs had no noise.

export interface CostModel {
  readonly name: string;
  /** Index n: what a batch of n rows takes on average, in milliseconds. */
  readonly meanMs: Float64Array;
}

export interface Cell {
  readonly model: CostModel;
  readonly workers: number;
  readonly sloMs: number;
}

export const rowsMax = 128;

function costModel(name: string, meanMs: (rows: number) => number): CostModel {
  return {
    name,
    meanMs: Float64Array.from({ length: rowsMax + 1 }, (_, rows) => (rows > 0 ? meanMs(rows) : 0)),
  };
}

/** Rows up to which a step holds, and its cost: kernels are chosen by size, and so real models have steps. */
const steps = [
  [1, 2.2],
  [2, 2.4],
  [4, 3.1],
  [8, 5.6],
  [12, 6.3],
  [16, 8.8],
  [24, 11.6],
  [32, 13.9],
  [48, 20.5],
  [64, 25.8],
  [96, 41],
  [128, 52],
] as const;

/** Within a step the cost still rises, by a fifth of what the step adds. */
function spiky(rows: number): number {
  let from = 0;
  let below = 1.8;
  for (const [to, ms] of steps) {
    if (rows <= to) return ms - (0.2 * (ms - below) * (to - rows)) / (to - from);
    from = to;
    below = ms;
  }
  throw new Error(`the steps end before ${rows} rows`);
}

export const costModels: readonly CostModel[] = [
  costModel('mlp', (rows) => 5.4 + 0.34 * rows),
  costModel('resnet', (rows) => 5.1 + 1.05 * rows),
  costModel('linear', (rows) => 1 + 2 * rows),
  costModel('spiky', spiky),
];

export const workerCounts = [1, 2, 4, 8] as const;
export const slosMs = [25, 50, 100] as const;

export function allCells(): Cell[] {
  return costModels.flatMap((model) =>
    workerCounts.flatMap((workers) => slosMs.map((sloMs) => ({ model, workers, sloMs }))),
  );
}

export const boundFormula =
  'bound = max over b of N·b/l(b) with (1 + 1/N)·l(b) ≤ SLO: N staggered workers, even arrivals, no noise';

/** Rows per millisecond. */
export function bound({ model, workers, sloMs }: Cell): number {
  let best = 0;
  for (let rows = 1; rows <= rowsMax; rows++) {
    const ms = model.meanMs[rows] as number;
    if ((1 + 1 / workers) * ms > sloMs) break;
    best = Math.max(best, (workers * rows) / ms);
  }
  return best;
}
