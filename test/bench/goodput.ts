// How much can be asked before more than one in a hundred comes late or is refused, per cell of cost model, workers and
// budget: the real actors in virtual time beside what others do and what could be done at all.
import { type Args, say } from './figures.js';
import { allCells, bound, boundFormula, type Cell } from './goodput/cells.js';
import { chances } from './goodput/chances.js';
import { atRate, goodputAt, highestRealRate, type Measured, overloaded, wrongAt } from './goodput/measure.js';
import { ours } from './goodput/ours.js';
import { rivals } from './goodput/rivals.js';
import { highestRate } from './goodput/search.js';

export const about =
  'the highest rate with 99 % of all requests in time, auto beside rival policies, in virtual time; overload; refusals';

export const flags = {
  seed: 'another course of chances (default 1)',
  length: 'how long a run is, in budgets of a request (default 20)',
  precision: 'how exactly rates are found, as a share of the bound (default 0.005)',
  noise: 'standard deviation of the logarithm of costs (default 0.03)',
  only: 'only cells whose name contains this, such as mlp or /25',
};

/** Of the last run. */
let rows: Row[] = [];

export function details(): Record<string, unknown> {
  const cells = rows.map((row) => ({
    ...row,
    rivals: Object.fromEntries(rivals.map(({ name }, index) => [name, row.rivals[index]])),
    capSwept: Object.fromEntries(rivals.map(({ name }, index) => [name, row.capSwept[index]])),
  }));
  return { cells, formula: boundFormula };
}

const requestsLeast = 6000;
const loads = [1.5, 2, 5] as const;
/** A budget of so much is tight for these models. */
const tightMs = 25;

interface Row {
  readonly cell: string;
  readonly bound: number;
  /** Highest rates, as shares of the bound. */
  readonly auto: number;
  readonly rivals: readonly number[];
  /** With their largest batch tried out too, by those who have one to try. */
  readonly capSwept: readonly number[];
  readonly at1: Measured;
  readonly kept: readonly number[];
  readonly at2: Measured;
  readonly after: number;
  readonly wrong: number;
}

export async function run(args: Args): Promise<Record<string, number>> {
  const only = args.text('only', '');
  say(`  ${boundFormula}; requests come at random, costs have noise, refused is not in time`);
  rows = [];
  for (const cell of allCells()) {
    if (!nameOf(cell).includes(only)) continue;
    rows.push(measure(cell, args));
  }
  if (rows.length === 0) throw new Error(`--only ${only} leaves no cell; they are called like mlp2/25`);
  for (const line of table(rows)) say(line);
  return figuresOf(rows);
}

function nameOf({ model, workers, sloMs }: Cell): string {
  return `${model.name}${workers}/${sloMs}`;
}

function measure(cell: Cell, args: Args): Row {
  const precision = args.number('precision', 0.005);
  const full = bound(cell);
  const requests = Math.max(requestsLeast, Math.ceil(full * cell.sloMs * args.number('length', 20)));
  const course = chances(args.number('seed', 1), requests, args.number('noise', 0.03));
  const theirs = rivals.map(({ variants }) => highestRate(cell, course, variants(cell), precision));
  const capSwept = rivals.map(({ capSwept: more }, index) =>
    more === undefined ? (theirs[index] as number) : highestRate(cell, course, more(cell), precision),
  );
  const guess = highestRate(cell, course, [() => ours(cell)], precision);
  const auto = highestRealRate(cell, course, guess, precision);
  const rate = auto * full;
  const peak = goodputAt(cell, course, rate);
  const more = loads.map((times) => overloaded(cell, course, rate, peak, times));
  return {
    cell: nameOf(cell),
    bound: full,
    auto,
    rivals: theirs,
    capSwept,
    at1: atRate(cell, course, rate),
    kept: more.map(({ kept }) => kept),
    at2: (more[1] as (typeof more)[number]).during,
    after: Math.min(...more.map(({ after }) => after)),
    wrong: wrongAt(cell, course, rate),
  };
}

function table(rows: readonly Row[]): string[] {
  const names = ['cell', 'bound/s', 'auto', ...rivals.map(({ name }) => name)];
  names.push('eager, cap swept', 'best, cap swept', 'met 1x', 'met 2x');
  names.push(...loads.map((times) => `kept ${times}x`), 'after', 'wrong');
  const lines = rows.map((row) => {
    const swept = [row.capSwept[0] as number, Math.max(...row.capSwept)];
    const shares = [row.auto, ...row.rivals, ...swept].map((share) => share.toFixed(3));
    const met = [row.at1.met, row.at2.met].map((share) => share.toFixed(4));
    const kept = [...row.kept, row.after].map((share) => share.toFixed(3));
    return [row.cell, String(Math.round(row.bound * 1000)), ...shares, ...met, ...kept, row.wrong.toFixed(4)];
  });
  return [names, names.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`);
}

function figuresOf(rows: readonly Row[]): Record<string, number> {
  const best = ({ rivals: theirs }: Row) => Math.max(...theirs);
  const overEager = (workers: number) =>
    geomean(
      rows
        .filter(({ cell }) => cell.endsWith(`${workers}/${tightMs}`))
        .map(({ auto, rivals: [eager] }) => auto / (eager as number)),
    );
  const least = (values: readonly number[]) => Math.min(...values);
  const kept = (load: number) => rows.map((row) => row.kept[load] as number);
  const pooled = (of: (row: Row) => Measured) => {
    let met = 0;
    let admitted = 0;
    for (const row of rows) {
      met += of(row).inTime;
      admitted += of(row).admitted;
    }
    return met / admitted;
  };
  return {
    worstVsBestRival: least(rows.map((row) => row.auto / best(row))),
    medianVsBestRival: median(rows.map((row) => row.auto / best(row))),
    worstVsEagerBatchSwept: least(rows.map((row) => row.auto / (row.capSwept[0] as number))),
    worstVsAnyBatchSwept: least(rows.map((row) => row.auto / Math.max(...row.capSwept))),
    cellsAtLeastBest: rows.filter((row) => row.auto >= best(row)).length / rows.length,
    geomeanOfBound: geomean(rows.map(({ auto }) => auto)),
    geomeanOfBestRival: geomean(rows.map(best)),
    vsSweptEager2: overEager(2),
    vsSweptEager8: overEager(8),
    overloadKept1_5: median(kept(0)),
    overloadKept2: median(kept(1)),
    overloadKept5: median(kept(2)),
    overloadKeptWorst1_5: least(kept(0)),
    overloadKeptWorst2: least(kept(1)),
    overloadKeptWorst5: least(kept(2)),
    inTimeAfter: least(rows.map(({ after }) => after)),
    admittedMet1x: pooled(({ at1 }) => at1),
    admittedMet2x: pooled(({ at2 }) => at2),
    wrongRefusals: rows.reduce((sum, { wrong }) => sum + wrong, 0) / rows.length,
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] as number) + (sorted[Math.ceil(middle)] as number)) / 2;
}

function geomean(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}
