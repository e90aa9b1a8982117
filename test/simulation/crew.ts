// Runs many seeds on several threads. A task is a range of seeds; whoever is free takes the next one.
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Outcome } from './simulate.js';

export interface Task {
  readonly from: number;
  readonly count: number;
  /** A seed of the range that is looked at first. */
  readonly likely?: number | undefined;
  /** Which planted bug; empty for none. */
  readonly bug: string;
  /** No more after the first violation. */
  readonly untilFound: boolean;
  /** Only clusters. */
  readonly clusters?: boolean;
}

export interface Report {
  readonly task: Task;
  readonly seeds: number;
  readonly steps: number;
  readonly endings: Readonly<Record<string, number>>;
  readonly promises: Outcome['promises'];
  readonly violations: readonly Pick<Outcome, 'seed' | 'invariant' | 'violation'>[];
  /** Of all traces in order: equal when every one is. */
  readonly hash: string;
}

export function ranges(from: number, count: number, size: number, clusters = false): Task[] {
  const tasks: Task[] = [];
  for (let at = 0; at < count; at += size) {
    tasks.push({ from: from + at, count: Math.min(size, count - at), bug: '', untilFound: false, clusters });
  }
  return tasks;
}

/** Hands each report over as it comes. */
export function runTasks(tasks: readonly Task[], heard: (report: Report) => void): Promise<void> {
  const waiting = [...tasks];
  const hand = (): Promise<void> =>
    new Promise((resolve, reject) => {
      // What a seed leaves behind is collected more cheaply when there is room for more of it.
      const resourceLimits = { maxYoungGenerationSizeMb: 64 };
      const worker = new Worker(new URL('./hand.js', import.meta.url), { resourceLimits });
      const next = (): void => {
        const task = waiting.shift();
        if (task !== undefined) worker.postMessage(task);
        else void worker.terminate().then(() => resolve());
      };
      worker.on('message', (report: Report) => {
        heard(report);
        next();
      });
      worker.on('error', reject);
      next();
    });
  const hands = Math.max(1, Math.min(availableParallelism(), tasks.length));
  return Promise.all(Array.from({ length: hands }, hand)).then(() => {});
}
