// Three times the load that can be carried, over gRPC on real processes: how soon is said no, how late the last word
// comes, and how much is still answered in time. Models that compute share the two cores with the door and with the
// load itself.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { onnxMlp } from '../executor/onnx.js';
import { requestBytes } from '../processes/client.js';
import { type Args, median, quantile, say, saySpread, spread } from './figures.js';
import { framed } from './floor/loader.js';
import { type Heard, OpenLoad } from './floor/open-load.js';
import { sampleModels } from './floor/samples.js';
import { onNode } from './scene.js';

export const about =
  'three times the load that can be carried: refusals, last words, and what is still answered in time';
export const flags = {
  rounds: 'rounds of each load, at least 5 (5)',
  seconds: 'of load per round (1)',
  times: 'how many times its capacity is asked of each model (3)',
  deadline: 'milliseconds that each request has (100)',
  only: 'one of the models: mlp, srcnn, simulated',
};

/** What is carried while so many wait for an answer each is the capacity of that moment: the machine has others too. */
const clients = 24;
const closedSeconds = 0.6;

interface Subject {
  readonly name: string;
  readonly shape: readonly number[];
  readonly input: string;
}

/** `mlp` and `srcnn` compute, `simulated` sleeps. */
const subjects: readonly Subject[] = [
  { name: 'mlp', input: 'x', shape: [1, 64] },
  { name: 'srcnn', input: 'input', shape: [1, 1, 96, 96] },
  { name: 'simulated', input: 'x', shape: [1, 4] },
];

interface Load {
  readonly rounds: number;
  readonly seconds: number;
  readonly times: number;
  readonly deadlineMs: number;
}

export async function run(args: Args): Promise<Record<string, number>> {
  const load = {
    rounds: Math.max(5, args.number('rounds', 5)),
    seconds: args.number('seconds', 1),
    times: args.number('times', 3),
    deadlineMs: args.number('deadline', 100),
  };
  const only = args.text('only', '');
  const measured = new Map<string, Measured>();
  const srcnn = readFileSync(join(sampleModels, 'srcnn', '1', 'model.onnx'));
  await onNode(
    (folder) =>
      folder
        .onnx('mlp', onnxMlp([64, 4096, 4096, 4096, 64]), ['maxBatch: 4'])
        .onnx('srcnn', srcnn, ['maxBatch: 4'])
        .simulated('simulated', { alphaMs: 10, betaMs: 1, rowsMax: 8 }),
    { 'worker-count': 2, 'thread-count': 1 },
    async ({ node }) => {
      for (const subject of subjects) {
        if (only !== '' && subject.name !== only) continue;
        measured.set(subject.name, await measure(node.grpcPort, subject, load));
      }
    },
  );
  const all = [...measured.values()];
  const worst = (of: (one: Measured) => number): number => Math.max(...all.map(of));
  return {
    refusalP99Ms: worst((one) => one.refusalP99Ms),
    lateP99Ms: worst((one) => one.lateP99Ms),
    goodputKept: -worst((one) => -one.goodputKept),
    admittedMet: -worst((one) => -one.admittedMet),
    unanswered: all.reduce((sum, one) => sum + one.unanswered, 0),
    loadLagP99Ms: worst((one) => one.lagP99Ms),
    ...Object.fromEntries(
      [...measured].flatMap(([name, one]) => [
        [`${name}RefusalP99Ms`, one.refusalP99Ms],
        [`${name}LateP99Ms`, one.lateP99Ms],
        [`${name}GoodputKept`, one.goodputKept],
      ]),
    ),
  };
}

interface Measured {
  readonly refusalP99Ms: number;
  readonly lateP99Ms: number;
  readonly goodputKept: number;
  readonly admittedMet: number;
  readonly unanswered: number;
  readonly lagP99Ms: number;
}

async function measure(port: number, subject: Subject, load: Load): Promise<Measured> {
  const { name, shape, input } = subject;
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(0.5);
  const client = new OpenLoad(port, framed(requestBytes({ model: name, input, shape, data })));
  await client.closed(clients, 1);
  const capacities: number[] = [];
  const one: Heard[] = [];
  const many: Heard[] = [];
  for (let round = 0; round <= load.rounds; round++) {
    const capacity = await client.closed(clients, closedSeconds);
    const rain = { ...load, seed: round };
    const calm = await client.fall({ ...rain, perSecond: capacity });
    const flood = await client.fall({ ...rain, perSecond: load.times * capacity });
    if (round === 0) continue;
    capacities.push(capacity);
    one.push(calm);
    many.push(flood);
  }
  client.end();
  saySpread(`${name}, ${clients} clients that each wait for their answer`, spread(capacities), '/s');
  return conclude(name, one, many, load);
}

function conclude(name: string, calm: readonly Heard[], flood: readonly Heard[], load: Load): Measured {
  const pooled = (of: (heard: Heard) => readonly number[]): number[] =>
    flood.flatMap((heard) => [...of(heard)]);
  const rates = (all: readonly Heard[]) => spread(all.map(({ inTime }) => inTime / load.seconds));
  const [atOne, atMany] = [rates(calm), rates(flood)];
  saySpread(`${name} answered in time at its capacity`, atOne, '/s');
  saySpread(`${name} answered in time at ${load.times} times it`, atMany, '/s');
  const codes: Record<string, number> = {};
  for (const heard of flood) {
    for (const [code, count] of Object.entries(heard.codes)) codes[code] = (codes[code] ?? 0) + count;
  }
  say(
    `  ${name} ends: ${Object.entries(codes)
      .map(([code, count]) => `${count} ${code}`)
      .join(', ')}`,
  );
  const refused = pooled((heard) => heard.refusedMs);
  const late = pooled((heard) => heard.lateMs);
  const lag = pooled((heard) => heard.lagMs);
  const at = (values: readonly number[], q: number): string => quantile(values, q).toFixed(2);
  say(`  ${name} refused: ${refused.length}, p50 ${at(refused, 0.5)} ms, p99 ${at(refused, 0.99)}`);
  say(`  ${name} past the deadline: ${late.length}, p50 ${at(late, 0.5)} ms, p99 ${at(late, 0.99)}`);
  say(
    `  ${name}: the load itself was late by p50 ${at(lag, 0.5)} ms, p99 ${at(lag, 0.99)}; nothing is subtracted`,
  );
  const met = sum(flood, (heard) => heard.inTime);
  const admitted = sum(flood, (heard) => heard.sent - heard.refusedMs.length);
  return {
    refusalP99Ms: quantile(refused, 0.99),
    lateP99Ms: late.length === 0 ? 0 : quantile(late, 0.99),
    goodputKept: median(flood.map(({ inTime }, round) => inTime / (calm[round] as Heard).inTime)),
    admittedMet: met / admitted,
    unanswered: sum(flood, (heard) => heard.unanswered),
    lagP99Ms: quantile(lag, 0.99),
  };
}

function sum(all: readonly Heard[], of: (heard: Heard) => number): number {
  return all.reduce((total, heard) => total + of(heard), 0);
}
