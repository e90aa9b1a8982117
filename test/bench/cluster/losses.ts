// How soon the jobs of a node that was struck are given to another worker, told from the paths that answers bring along.
import { type PathStep, stepsOf } from '../../processes/busy.js';
import type { Told } from '../../processes/client.js';
import type { Place } from './fleet.js';

interface Strike {
  readonly at: number;
  readonly name: string;
  readonly way: 'SIGKILL' | 'SIGSTOP' | 'SIGTERM';
  /** What the node was given after it was lost to something else. */
  overAt: number;
}

const busyMs = 400;

export class Losses {
  readonly killMs: number[] = [];
  readonly stopMs: number[] = [];
  private readonly strikes: Strike[] = [];
  private readonly answeredAt = new Map<string, number>();

  struck({ name }: Place, way: Strike['way'], at: number): void {
    this.strikes.push({ at, name, way, overAt: Number.POSITIVE_INFINITY });
  }

  /** It is as it was. */
  over({ name }: Place): void {
    const strike = this.strikes.findLast((one) => one.name === name);
    if (strike !== undefined) strike.overAt = performance.now();
  }

  /** Workers whose node's name this is have answered of late. */
  isBusy({ name }: Place): boolean {
    return performance.now() - this.lastAnswerOf(name) < busyMs;
  }

  /** By the clock of this process; long ago where there was none. */
  lastAnswerOf(name: string): number {
    return this.answeredAt.get(name) ?? Number.NEGATIVE_INFINITY;
  }

  told(told: Told): void {
    const steps = stepsOf(told.path);
    const endMs = steps.at(-1)?.afterMs ?? 0;
    const hereAt = (step: PathStep): number => told.toldAt - (endMs - step.afterMs);
    for (const [index, step] of steps.entries()) {
      // Who only waited at a scheduler waits on at the next one.
      const next = steps.slice(index).find(({ state }) => state === 'assigned' || step.state === 'queued');
      const strike = this.strikes.findLast((one) => one.at < hereAt(step) && isLossOf(one, step));
      if (next === undefined || strike === undefined || strike.way === 'SIGTERM') continue;
      if (hereAt(steps[index - 1] ?? step) > strike.overAt) continue;
      (strike.way === 'SIGKILL' ? this.killMs : this.stopMs).push(hereAt(next) - strike.at);
    }
    if (told.status !== 'OK') return;
    const worker = steps.findLast(({ state }) => state === 'assigned')?.why;
    const name = /^(.*)-worker-\d+\./.exec(worker ?? '')?.[1];
    if (name !== undefined) this.answeredAt.set(name, told.toldAt);
  }
}

/** A job that its worker lost, or one that waited at a scheduler. */
function isLossOf({ name }: Strike, { state, why }: PathStep): boolean {
  if (state === 'retrying') return why.startsWith(`${name}-worker-`) && /killed|silent|unknown/.test(why);
  return state === 'queued' && why.startsWith(`${name}.`) && why.endsWith('was lost');
}
