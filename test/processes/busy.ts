// Who works at present, as clients can see it: the path of an answer names the worker that gave it.
import type { RunningNode, WorkerProcess } from './harness.js';

const lately = 100;

export class BusyWorkers {
  private readonly node: RunningNode;
  private readonly seen = new Map<string, number>();

  constructor(node: RunningNode) {
    this.node = node;
  }

  told(path: string): void {
    const member = lastWorkerOf(path);
    if (member !== undefined) this.seen.set(member, performance.now());
  }

  now(): WorkerProcess[] {
    const now = performance.now();
    return this.node.workers().filter(({ member }) => now - (this.seen.get(member) ?? -lately) < lately);
  }
}

export interface PathStep {
  readonly state: string;
  readonly afterMs: number;
  readonly why: string;
}

export function stepsOf(path: string): PathStep[] {
  return path.split(' > ').flatMap((step) => {
    const found = /^(\w+)@([\d.]+)ms(?:\((.*)\))?$/.exec(step);
    return found === null ? [] : [{ state: found[1] ?? '', afterMs: Number(found[2]), why: found[3] ?? '' }];
  });
}

function lastWorkerOf(path: string): string | undefined {
  return stepsOf(path)
    .filter((step) => step.state === 'assigned')
    .at(-1)
    ?.why.split(',')[0];
}
