// How much the whole system carries beside bare servers, under one load generator from outside: tiny requests by gRPC,
// REST and stream, and heavy ones beside the same model in process.
import { GrpcClient } from '../processes/client.js';
import { apart, RunningNode, Scratch } from '../processes/harness.js';
import { type Args, interleave, median, type Spread, say, saySpread } from './figures.js';
import { grpcCaller, timeCalls } from './floor/callers.js';
import { BareCrew, loadBare } from './floor/compute.js';
import { findLoader, framed, inferPath, type Loader, streamPath, type Target } from './floor/loader.js';
import { Meter } from './floor/meter.js';
import { countsOf, type Sample, sampleModels, sampleOf } from './floor/samples.js';
import { type Floor, startFloor } from './floor/servers.js';
import { wideFigures } from './floor/wide.js';

export const about =
  'requests a second against bare servers and bare compute, 64 clients; a wide model in batches';
export const flags = {
  rounds: 'rounds, at least 5 (5)',
  seconds: 'of load per side and round (0.4)',
  only: 'small, large or wide: one part of it',
};

const clients = 64;
const workers = 2;
const messagesPerStream = 200;
const streams = 8;

interface Scene {
  readonly node: RunningNode;
  readonly client: GrpcClient;
  readonly floor: Floor;
  readonly loader: Loader;
  readonly rounds: number;
  readonly seconds: number;
}

export async function run(args: Args): Promise<Record<string, number>> {
  const only = args.text('only', '');
  const rounds = Math.max(5, args.number('rounds', 5));
  const sample = only === 'wide' ? {} : await sampleFigures(args, only, rounds);
  const wide = only === '' || only === 'wide' ? await wideFigures({ rounds, seconds: 0.7 }) : {};
  return { ...sample, ...wide };
}

async function sampleFigures(args: Args, only: string, rounds: number): Promise<Record<string, number>> {
  const scratch = new Scratch();
  const floor = await startFloor(scratch.endpoint());
  const settings = { 'worker-count': workers, 'thread-count': 1, 'log-level': 'info' };
  const node = await new RunningNode({ flags: { ...apart(scratch, sampleModels), ...settings } }).ready();
  const client = new GrpcClient(node.grpcPort);
  try {
    const loader = findLoader(scratch.folder);
    say(`  load generator: ${loader.name}`);
    const scene: Scene = {
      ...{ node, client, floor, loader },
      rounds,
      seconds: args.number('seconds', 0.4),
    };
    const digits = await sampleOf(client, 'digits', [1]);
    const srcnn = await sampleOf(client, 'srcnn', [1, 224, 224]);
    const small = only === 'large' ? {} : await smallFigures(scene, digits, srcnn);
    if (only === 'large') await warm(scene, grpcTarget(node.grpcPort, srcnn), 8, 4);
    const large = only === 'small' ? {} : await largeFigures(scene, srcnn);
    for (const model of ['digits', 'srcnn']) {
      const { fail } = await countsOf(client, model);
      if (fail > 0) say(`  ${fail} requests of ${model} were left when the load ended`);
    }
    return { ...small, ...large };
  } finally {
    client.close();
    floor.end();
    await node.dispose();
    scratch.remove();
  }
}

async function smallFigures(scene: Scene, digits: Sample, srcnn: Sample): Promise<Record<string, number>> {
  const { node, floor, rounds } = scene;
  const unary = grpcTarget(node.grpcPort, digits);
  const bareUnary = grpcTarget(floor.grpcPort, digits);
  const rest: Target = { kind: 'http', port: node.httpPort, path: digits.path, body: digits.json };
  const bareRest: Target = { ...rest, port: floor.httpPort };
  const many = Buffer.concat(Array.from({ length: messagesPerStream }, () => framed(digits.grpc)));
  const ask = grpcCaller(node.grpcPort, digits.grpc);
  for (const target of [unary, bareUnary, rest, bareRest]) await warm(scene, target, clients, 1);
  const rates = await interleave(rounds, {
    unary: rate(scene, unary),
    bareUnary: rate(scene, bareUnary),
    rest: rate(scene, rest),
    bareRest: rate(scene, bareRest),
    stream: async () => {
      const target: Target = { kind: 'grpc', port: node.grpcPort, path: streamPath, body: many };
      return messagesPerStream * (await rate(scene, target, streams)());
    },
    smallMs: async () => median(await timeCalls(ask, 300)),
    smallUnderLoadMs: () => underLoad(scene, srcnn, async () => median(await timeCalls(ask, 150))),
  });
  for (const [name, figure] of Object.entries(rates))
    saySpread(name, figure, name.endsWith('Ms') ? ' ms' : '/s');
  return {
    unaryVsBare: rates.unary.median / rates.bareUnary.median,
    restVsBare: rates.rest.median / rates.bareRest.median,
    streamVsUnary: rates.stream.median / rates.unary.median,
    smallP50Ms: rates.smallMs.median,
    smallPerSecond: rates.unary.median,
    smallP50UnderLoadMs: rates.smallUnderLoadMs.median,
    restPerSecond: rates.rest.median,
  };
}

function grpcTarget(port: number, { grpc }: Sample): Target {
  return { kind: 'grpc', port, path: inferPath, body: framed(grpc) };
}

function rate(scene: Scene, target: Target, width = clients): () => Promise<number> {
  return async () => {
    const { perSecond, failed } = await scene.loader.load(target, { clients: width, seconds: scene.seconds });
    if (failed > 0) say(`  ${failed} requests to ${target.path} failed`);
    return perSecond;
  };
}

/** Measures while `srcnn` requests keep every worker busy. */
async function underLoad(scene: Scene, srcnn: Sample, figure: () => Promise<number>): Promise<number> {
  const { node, loader } = scene;
  const heavy = loader.load(grpcTarget(node.grpcPort, srcnn), { clients: 8, seconds: 1 });
  await new Promise((resolve) => setTimeout(resolve, 300));
  const value = await figure();
  await heavy;
  return value;
}

/** The first seconds of a process go to compilers. */
async function warm({ loader }: Scene, target: Target, width: number, seconds: number): Promise<void> {
  await loader.load(target, { clients: width, seconds });
}

async function largeFigures(scene: Scene, srcnn: Sample): Promise<Record<string, number>> {
  const { node, client, loader, rounds } = scene;
  const together = await loadBare(srcnn.file, srcnn.shape, workers);
  const crew = new BareCrew(workers, srcnn.file, srcnn.shape);
  const target = grpcTarget(node.grpcPort, srcnn);
  const meter = new Meter(
    node.pid,
    node.workers().map(({ pid }) => pid),
  );
  let systemCpuMs = 0;
  let besideCompute = 0;
  let bareCpuMs = 0;
  const sides = await interleave(rounds, {
    system: async () => {
      const before = await countsOf(client, 'srcnn');
      meter.start();
      const { perSecond } = await loader.load(target, { clients: 8, seconds: 1.1 });
      besideCompute = meter.besideCompute();
      const spentMs = meter.spentMs();
      const { success } = await countsOf(client, 'srcnn');
      systemCpuMs = spentMs / (success - before.success);
      return perSecond;
    },
    systemCpuMs: () => systemCpuMs,
    besideCompute: () => besideCompute,
    inProcess: async () => (await together.flatOut(0.6)).perSecond,
    processes: async () => {
      const { perSecond, cpuMsEach } = await crew.flatOut(0.8);
      bareCpuMs = cpuMsEach;
      return perSecond;
    },
    bareCpuMs: () => bareCpuMs,
  });
  for (const [name, figure] of Object.entries(sides)) saySpread(`srcnn ${name}`, figure as Spread);
  say('  (besideCompute: threads that do not compute ÷ those that do, which needs no second measurement)');
  await together.end();
  crew.end();
  return {
    srcnnVsInProcess: sides.system.median / sides.inProcess.median,
    srcnnVsProcesses: sides.system.median / sides.processes.median,
    srcnnOverheadCpu: sides.systemCpuMs.median / sides.bareCpuMs.median - 1,
    srcnnBesideCompute: sides.besideCompute.median,
  };
}
