// Our own, measured on the real actors: the highest rate, what is left of it when far more comes, and how soon all is
// well again afterwards.
import { bound, type Cell } from './cells.js';
import type { Chances } from './engine.js';
import { wronglyRefused } from './replay.js';
import { enough } from './search.js';
import { System } from './system.js';

export interface Measured {
  readonly inTime: number;
  /** Of those who were taken, how many were answered in time. */
  readonly met: number;
  readonly admitted: number;
  readonly offered: number;
}

const overloadMs = 300;
const overloadBudgets = 15;
const overloadLeast = 2000;
/** What is late longer after the load's end counts against us. */
const healMs = 500;
const healedLeast = 1000;
/** Before and after it comes a usual load, of so much of the highest rate. */
const usual = 0.9;

function judge(system: System, arrivals: Float64Array, sloMs: number, from: number, to: number): Measured {
  let inTime = 0;
  let admitted = 0;
  for (let job = from; job < to; job++) {
    if ((system.endedAt[job] as number) <= (arrivals[job] as number) + sloMs) inTime++;
    admitted += 1 - (system.refused[job] as number);
  }
  return { inTime, admitted, met: admitted === 0 ? 1 : inTime / admitted, offered: to - from };
}

/** Answers in time per millisecond, from the first batch that ended in this time to the last. */
function answeredBetween(
  system: System,
  arrivals: Float64Array,
  sloMs: number,
  from: number,
  to: number,
): number {
  let first = Number.POSITIVE_INFINITY;
  let last = 0;
  for (const endedAt of system.endedAt) {
    if (!(endedAt >= from && endedAt < to)) continue;
    first = Math.min(first, endedAt);
    last = Math.max(last, endedAt);
  }
  let good = 0;
  for (let job = 0; job < arrivals.length; job++) {
    const endedAt = system.endedAt[job] as number;
    if (endedAt > first && endedAt <= last && endedAt <= (arrivals[job] as number) + sloMs) good++;
  }
  return good / (last - first);
}

/** Answers in time per millisecond at this rate. */
export function goodputAt(cell: Cell, { gaps, noise, uncounted }: Chances, rate: number): number {
  const { system, arrivals } = play(cell, gaps, noise, () => rate, false);
  const from = (arrivals[uncounted] as number) + cell.sloMs;
  return answeredBetween(system, arrivals, cell.sloMs, from, arrivals[arrivals.length - 1] as number);
}

export function atRate(cell: Cell, { gaps, noise, uncounted }: Chances, rate: number): Measured {
  const { system, arrivals } = play(cell, gaps, noise, () => rate, false);
  return judge(system, arrivals, cell.sloMs, uncounted, gaps.length);
}

/** Of all requests, those refused for nothing. */
export function wrongAt(cell: Cell, { gaps, noise, uncounted }: Chances, rate: number): number {
  const { system, arrivals } = play(cell, gaps, noise, () => rate, true);
  return wronglyRefused(cell, system, arrivals, uncounted) / (gaps.length - uncounted);
}

function play(
  cell: Cell,
  gaps: Float64Array,
  noise: Float64Array,
  rateOf: (job: number) => number,
  runs: boolean,
) {
  const system = new System(cell, noise, gaps.length, runs);
  const arrivals = new Float64Array(gaps.length);
  let at = 0;
  for (let job = 0; job < gaps.length; job++) {
    at += (gaps[job] as number) / rateOf(job);
    arrivals[job] = at;
    system.advance(at);
    system.submit();
  }
  system.advance(at + 20 * cell.sloMs);
  return { system, arrivals };
}

/** Starts from what a lighter model of the same decisions gave, and looks on both sides of it. */
export function highestRealRate(cell: Cell, chances: Chances, guess: number, precision: number): number {
  const full = bound(cell);
  const holds = (share: number) => {
    const { inTime, offered } = atRate(cell, chances, share * full);
    return inTime / offered >= enough;
  };
  let step = 4 * precision;
  let low = guess;
  let high = guess;
  if (holds(guess)) {
    for (high += step; holds(high); high += step) {
      low = high;
      step *= 2;
    }
  } else {
    for (low -= step; low > 0 && !holds(low); low -= step) {
      high = low;
      step *= 2;
    }
  }
  while (high - low > precision) {
    const middle = (low + high) / 2;
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return Math.max(0, low);
}

export interface Overload {
  /** Answers in time while it lasts, as a share of those at the highest rate. */
  readonly kept: number;
  readonly during: Measured;
  /** The share in time at the highest rate, from some time after the load's end. */
  readonly after: number;
}

/** So many times the highest rate for a while, after and before that rate itself. */
export function overloaded(
  cell: Cell,
  chances: Chances,
  rate: number,
  peak: number,
  times: number,
): Overload {
  const before = chances.uncounted;
  const during = Math.ceil(
    Math.max(overloadLeast, (overloadMs + overloadBudgets * cell.sloMs) * rate * times),
  );
  const healing = Math.ceil(healMs * rate);
  const after = Math.ceil(Math.max(healedLeast, healMs * rate));
  const total = before + during + healing + after;
  const gaps = Float64Array.from(
    { length: total },
    (_, job) => chances.gaps[job % chances.gaps.length] as number,
  );
  const rateOf = (job: number) => rate * (job >= before && job < before + during ? times : usual);
  const { system, arrivals } = play(cell, gaps, chances.noise, rateOf, false);
  const heavy = judge(system, arrivals, cell.sloMs, before, before + during);
  const good = answeredBetween(
    system,
    arrivals,
    cell.sloMs,
    // Who came before it is answered by then.
    (arrivals[before] as number) + cell.sloMs,
    arrivals[before + during - 1] as number,
  );
  const calm = judge(system, arrivals, cell.sloMs, total - after, total);
  return {
    kept: good / peak,
    during: heavy,
    after: calm.inTime / calm.offered,
  };
}
