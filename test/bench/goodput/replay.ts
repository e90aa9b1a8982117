// A clairvoyant replay: knowing what came, when each batch ran and what it took, which of those who were refused could
// have gone along without making anybody late?
import { type Cell, rowsMax } from './cells.js';
import type { System } from './system.js';

interface Replayed {
  startedAt: number;
  doneAt: number;
  rows: number;
  /** What it took, by the mean of its size. */
  readonly noise: number;
  /** The first deadline among its members that were in time. */
  dueAt: number;
}

export function wronglyRefused(cell: Cell, system: System, arrivals: Float64Array, from: number): number {
  const workers = timelines(cell, system, arrivals);
  let wrong = 0;
  for (let job = from; job < arrivals.length; job++) {
    const arrival = arrivals[job] as number;
    if (system.refused[job] !== 1) continue;
    if (workers.some((runs) => goesAlong(cell, runs, arrival) || goesBetween(cell, runs, arrival))) wrong++;
  }
  return wrong;
}

function timelines({ workers, sloMs, model }: Cell, system: System, arrivals: Float64Array): Replayed[][] {
  const lines: Replayed[][] = Array.from({ length: workers }, () => []);
  for (const { worker, startedAt, doneAt, jobs } of system.runs) {
    let dueAt = Number.POSITIVE_INFINITY;
    for (const job of jobs) {
      const due = (arrivals[job - 1] as number) + sloMs;
      if (due >= doneAt && due < dueAt) dueAt = due;
    }
    const noise = (doneAt - startedAt) / (model.meanMs[jobs.length] as number);
    lines[worker]?.push({ startedAt, doneAt, rows: jobs.length, noise, dueAt });
  }
  return lines;
}

/** The first run that starts at this time or after it. */
function firstFrom(runs: readonly Replayed[], at: number): number {
  let low = 0;
  let high = runs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((runs[middle] as Replayed).startedAt < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** As one row more of a batch; those after it on the same worker begin later where they must. */
function goesAlong({ model, sloMs }: Cell, runs: readonly Replayed[], arrival: number): boolean {
  for (let at = firstFrom(runs, arrival); at < runs.length; at++) {
    const run = runs[at] as Replayed;
    if (run.startedAt > arrival + sloMs) return false;
    if (run.rows === rowsMax) continue;
    const ms = (model.meanMs[run.rows + 1] as number) * run.noise;
    if (run.startedAt + ms > Math.min(run.dueAt, arrival + sloMs)) continue;
    if (!shifts(runs, at + 1, run.startedAt + ms)) continue;
    run.rows++;
    run.doneAt = run.startedAt + ms;
    run.dueAt = Math.min(run.dueAt, arrival + sloMs);
    shift(runs, at + 1, run.doneAt);
    return true;
  }
  return false;
}

/** While the worker had nothing to do. */
function goesBetween({ model, sloMs }: Cell, runs: Replayed[], arrival: number): boolean {
  const ms = model.meanMs[1] as number;
  for (let at = firstFrom(runs, arrival); at <= runs.length; at++) {
    const startedAt = Math.max(arrival, runs[at - 1]?.doneAt ?? 0);
    if (startedAt + ms > arrival + sloMs) return false;
    if (!shifts(runs, at, startedAt + ms)) continue;
    runs.splice(at, 0, { startedAt, doneAt: startedAt + ms, rows: 1, noise: 1, dueAt: arrival + sloMs });
    shift(runs, at + 1, startedAt + ms);
    return true;
  }
  return false;
}

/** Whether all from there on are still in time when the worker is busy until `until`. */
function shifts(runs: readonly Replayed[], from: number, until: number): boolean {
  let busyUntil = until;
  for (let at = from; at < runs.length; at++) {
    const run = runs[at] as Replayed;
    if (run.startedAt >= busyUntil) return true;
    busyUntil += run.doneAt - run.startedAt;
    if (busyUntil > run.dueAt) return false;
  }
  return true;
}

function shift(runs: readonly Replayed[], from: number, until: number): void {
  let busyUntil = until;
  for (let at = from; at < runs.length; at++) {
    const run = runs[at] as Replayed;
    if (run.startedAt >= busyUntil) return;
    const ms = run.doneAt - run.startedAt;
    run.startedAt = busyUntil;
    busyUntil += ms;
    run.doneAt = busyUntil;
  }
}
