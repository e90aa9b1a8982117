// Busy workers are killed and frozen one after the other under load: whether a client notices, how soon the jobs of the
// lost one are given to another, and how soon the full rate is back.

import { BusyWorkers, type PathStep, stepsOf } from '../processes/busy.js';
import { GrpcClient, type Told } from '../processes/client.js';
import { apart, pause, RunningNode, Scratch, until } from '../processes/harness.js';
import { Load, type LoadResult } from '../processes/load.js';
import { signal } from '../processes/proc.js';
import { ModelFolder } from '../processes/repository.js';
import { type Args, median, quantile, say } from './figures.js';

export const about = 'SIGKILL and SIGSTOP of busy workers under load: errors, re-dispatch, recovery';
export const flags = {
  kills: 'SIGKILLs (30)',
  stops: 'SIGSTOPs (12)',
  recoveries: 'kills to time the recovery of (4)',
};

const workers = 3;
const frozenMs = 600;
/** Half of the load by unary calls, which bring paths; half over a stream, where a second answer would be seen. */
const half = 16;
/** So long somebody who is gone still counts as busy. */
const afterKillMs = 120;
const binMs = 100;
const baseMs = 1500;
const recoveryWatchMs = 3000;

interface Loss {
  readonly at: number;
  readonly member: string;
}

interface Scene {
  readonly node: RunningNode;
  readonly client: GrpcClient;
  readonly busy: BusyWorkers;
  readonly told: Told[];
  readonly answeredAt: number[];
}

export async function run(args: Args): Promise<Record<string, number>> {
  const scratch = new Scratch();
  // 12 ms for a full batch. With `roomy` two workers can hold the whole load, `tight` keeps all three busy.
  const models = new ModelFolder(scratch)
    .simulated('roomy', { alphaMs: 8, betaMs: 0.5, rowsMax: 8 })
    .simulated('tight', { alphaMs: 8, betaMs: 1, rowsMax: 4 }).folder;
  const settings = { 'worker-count': workers, 'restarts-max': 10_000 };
  const node = new RunningNode({ flags: { ...apart(scratch, models), ...settings } });
  try {
    await node.ready();
    const client = new GrpcClient(node.grpcPort);
    const scene: Scene = { node, client, busy: new BusyWorkers(node), told: [], answeredAt: [] };
    const killed = await killing(scene, args.number('kills', 30));
    const frozen = await freezing(scene, args.number('stops', 12));
    const recoveryMs = await recovering(scene, args.number('recoveries', 4));
    client.close();
    const results = [killed.result, frozen.result];
    for (const error of results.flatMap(({ errors }) => errors).slice(0, 10)) say(`  error: ${error}`);
    return {
      clientErrors:
        sum(results, (result) => result.errors.length) + sum(results, (result) => result.unanswered),
      doubleAnswers: sum(results, (result) => result.doubles),
      redispatchKillP99Ms: tell('kill', killed.redispatchMs),
      redispatchStopP99Ms: tell('stop', frozen.redispatchMs),
      recoveryMs,
      requests: sum(results, (result) => result.sent),
    };
  } finally {
    await node.dispose();
    scratch.remove();
  }
}

interface Outcome {
  readonly result: LoadResult;
  readonly redispatchMs: readonly number[];
}

function begin(scene: Scene, model: 'roomy' | 'tight'): Load {
  const { client, busy, told, answeredAt } = scene;
  return new Load(client, {
    model,
    unary: half,
    streamed: half,
    told: (answer) => {
      busy.told(answer.path);
      if (answer.path.includes('retrying')) told.push(answer);
    },
    answered: () => answeredAt.push(performance.now()),
  }).start();
}

async function killing(scene: Scene, kills: number): Promise<Outcome> {
  const load = begin(scene, 'roomy');
  const losses: Loss[] = [];
  for (let kill = 0; kill < kills; kill++) {
    losses.push(await strike(scene, 'SIGKILL'));
    await pause(afterKillMs);
  }
  const result = await load.stop();
  return { result, redispatchMs: redispatches(scene, losses) };
}

async function freezing(scene: Scene, stops: number): Promise<Outcome> {
  const load = begin(scene, 'roomy');
  const losses: Loss[] = [];
  for (let stop = 0; stop < stops; stop++) {
    const loss = await strike(scene, 'SIGSTOP');
    losses.push(loss);
    await pause(frozenMs);
    const victim = scene.node.workers().find(({ member }) => member === loss.member);
    if (victim !== undefined) signal(victim.pid, 'SIGCONT');
  }
  await pause(300);
  const result = await load.stop();
  return { result, redispatchMs: redispatches(scene, losses) };
}

/** Strikes one at random, once all are known to be busy in one and the same look. */
async function strike(scene: Scene, name: 'SIGKILL' | 'SIGSTOP'): Promise<Loss> {
  let busy = scene.busy.now();
  await until('all workers are busy', () => {
    busy = scene.busy.now();
    return busy.length === workers;
  });
  const victim = busy[Math.floor(Math.random() * busy.length)];
  if (victim === undefined) throw new Error('there are no workers to strike');
  const at = performance.now();
  signal(victim.pid, name);
  return { at, member: victim.member };
}

/**
 * From the signal to the next assignment of each job that the victim held. A path counts from the job's admission at the
 * server; its end is held against the moment at which the answer came here, so the way back is counted in.
 */
function redispatches(scene: Scene, losses: readonly Loss[]): number[] {
  const times: number[] = [];
  for (const answer of scene.told) {
    const steps = stepsOf(answer.path);
    const endMs = steps.at(-1)?.afterMs ?? 0;
    for (const [at, step] of steps.entries()) {
      if (step.state !== 'retrying') continue;
      const next = steps.slice(at).find(({ state }) => state === 'assigned');
      const hereAt = (other: PathStep): number => answer.toldAt - (endMs - other.afterMs);
      const loss = losses.findLast(
        ({ member, at: struck }) => step.why.startsWith(`${member} `) && struck < hereAt(step),
      );
      if (loss === undefined || next === undefined || !/killed|silent|unknown/.test(step.why)) continue;
      times.push(hereAt(next) - loss.at);
    }
  }
  return times;
}

/** A kill with all at work: when does a window of the full rate begin again? */
async function recovering(scene: Scene, recoveries: number): Promise<number> {
  const load = begin(scene, 'tight');
  const times: number[] = [];
  for (let turn = 0; turn < recoveries; turn++) {
    await until('all workers are busy', () => scene.busy.now().length === workers);
    await pause(300);
    scene.answeredAt.length = 0;
    const began = performance.now();
    await pause(baseMs);
    const perBin = (scene.answeredAt.length * binMs) / (performance.now() - began);
    const { at } = await strike(scene, 'SIGKILL');
    await pause(recoveryWatchMs);
    times.push(fullRateAfter(scene.answeredAt, at, perBin));
  }
  await load.stop();
  say(`  recovery: ${times.map((time) => Math.round(time)).join(', ')} ms`);
  return median(times);
}

/** The beginning of the first window of 300 ms after which no window is below nine tenths. */
function fullRateAfter(answeredAt: readonly number[], from: number, perBin: number): number {
  const windowMs = 3 * binMs;
  const enough = perBin * 3 * 0.9;
  let fullFrom = 0;
  for (let offset = 0; offset + windowMs <= recoveryWatchMs; offset += 10) {
    const answers = answeredAt.filter(
      (time) => time >= from + offset && time < from + offset + windowMs,
    ).length;
    if (answers < enough) fullFrom = offset + 10;
    else if (offset - fullFrom > 500) break;
  }
  return fullFrom;
}

function tell(what: string, times: readonly number[]): number {
  const at = (q: number): string => quantile(times, q).toFixed(1);
  say(`  re-dispatch after ${what}: ${times.length} jobs, p50 ${at(0.5)} ms, p99 ${at(0.99)}, most ${at(1)}`);
  return quantile(times, 0.99);
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
