// Whether the steps of a user's own can be loaded, found without loading them into this process: each module is imported in
// a thread of its own, which is ended when it takes too long.
import { Worker } from 'node:worker_threads';
import { after } from '../clock.js';
import type { Pipeline, StepDeclaration } from './declaration.js';

/** What a module exports, by name and kind; or why it can't be imported. */
export type Exported =
  | { readonly kinds: readonly (readonly [name: string, kind: string])[] }
  | { readonly why: string };

type Steps = Pick<Pipeline, 'before' | 'after'>;

interface OwnStep extends StepDeclaration {
  readonly key: string;
}

export function hasOwnSteps(steps: Steps): boolean {
  return ownSteps(steps).length > 0;
}

/** A sentence for each step that can't be had, which begins with its key. */
export async function ownStepFaults(steps: Steps, mostMs: number): Promise<readonly string[]> {
  const own = ownSteps(steps);
  const faults: string[] = [];
  for (const module of new Set(own.map((step) => step.module))) {
    const exported = await exportedBy(module, mostMs);
    for (const step of own.filter((other) => other.module === module)) {
      const fault = faultOf(step, exported);
      if (fault !== undefined) faults.push(`${step.key} (${step.name}): ${fault}`);
    }
  }
  return faults;
}

function ownSteps(steps: Steps): OwnStep[] {
  const all = (['before', 'after'] as const).flatMap((side) =>
    steps[side].map((step, at) => ({ ...step, key: `${side}[${at}]` })),
  );
  return all.filter(({ module }) => module !== '');
}

function faultOf({ module, member }: OwnStep, exported: Exported): string | undefined {
  if ('why' in exported) return `${module} can't be imported: ${exported.why}`;
  const kind = exported.kinds.find(([name]) => name === member)?.[1];
  if (kind === 'function' || kind === 'object') return undefined;
  if (kind !== undefined && kind !== 'undefined')
    return `${module} exports a ${kind} as ${member}; wanted is a function, or what has open, apply or join`;
  const names = exported.kinds.map(([name]) => name).join(', ') || 'nothing';
  return `${module} exports no ${member}; it exports ${names}`;
}

function exportedBy(module: string, mostMs: number): Promise<Exported> {
  const url = new URL('./trial-thread.js', import.meta.url);
  // What it prints is nobody's answer.
  const worker = new Worker(url, { execArgv: [], workerData: module, stdout: true, stderr: true });
  worker.stdout.resume();
  worker.stderr.resume();
  return new Promise((resolve) => {
    const end = (exported: Exported): void => {
      late.cancel();
      resolve(exported);
      void worker.terminate();
    };
    const late = after(mostMs, () => end({ why: `that takes longer than ${mostMs} ms` }));
    worker.once('message', end);
    worker.once('error', (fault) => end({ why: String(fault) }));
    worker.once('exit', () => end({ why: 'its thread ended before that was done' }));
  });
}
