// One thread of a crew: takes a range of seeds, runs them, and reports what came of it.
import { parentPort } from 'node:worker_threads';
import type { Report, Task } from './crew.js';
import { simulate } from './simulate.js';

function seedsOf({ from, count, likely = from }: Task): number[] {
  const seeds = Array.from({ length: count }, (_, at) => from + at);
  return seeds.includes(likely) ? [likely, ...seeds.filter((seed) => seed !== likely)] : seeds;
}

export async function runTask(task: Task): Promise<Report> {
  const endings: Record<string, number> = {};
  const violations: Report['violations'][number][] = [];
  const promises = { kept: 0, broken: 0 };
  let seeds = 0;
  let steps = 0;
  let hash = 0;
  for (const seed of seedsOf(task)) {
    const outcome = await simulate(seed, {
      bug: task.bug,
      ...(task.clusters === true ? { clusters: true } : {}),
    });
    seeds++;
    promises.kept += outcome.promises.kept;
    promises.broken += outcome.promises.broken;
    steps += outcome.steps;
    hash = (Math.imul(hash, 31) + Number.parseInt(outcome.hash, 16)) >>> 0;
    for (const [ending, count] of Object.entries(outcome.endings))
      endings[ending] = (endings[ending] ?? 0) + count;
    if (outcome.violation === '') continue;
    const { invariant, violation } = outcome;
    violations.push({ seed, invariant, violation });
    if (task.untilFound) break;
  }
  return { task, seeds, steps, endings, promises, violations, hash: hash.toString(16).padStart(8, '0') };
}

parentPort?.on('message', async (task: Task) => parentPort?.postMessage(await runTask(task)));
