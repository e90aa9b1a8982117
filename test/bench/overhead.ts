// What the system adds to what can't be done without: one client at a time, end to end, against the sum of a bare server,
// a bare ZeroMQ round trip and a bare run of the model, round by round in turn.
import { GrpcClient } from '../processes/client.js';
import { apart, RunningNode, Scratch } from '../processes/harness.js';
import { type Args, median, say, type Spread, spread, saySpread } from './figures.js';
import { grpcCaller, httpCaller, timeCalls, zeromqCaller } from './floor/callers.js';
import { loadBare } from './floor/compute.js';
import { sampleModels, sampleOf } from './floor/samples.js';
import { startFloor } from './floor/servers.js';

export const about = 'end to end against bare gRPC or HTTP + bare ZeroMQ + bare run, one client';
export const flags = { rounds: 'rounds, at least 5 (9)', calls: 'calls of each side in a round (250)' };

/** FP32 elements in 600 KB. */
const largeCount = 150_000;
const headerBytes = 160;

type Side = 'grpc' | 'bareGrpc' | 'rest' | 'bareHttp' | 'zeromq' | 'run' | 'large' | 'bareLarge';

export async function run(args: Args): Promise<Record<string, number>> {
  const scratch = new Scratch();
  const floor = await startFloor(scratch.endpoint());
  const node = await new RunningNode({ flags: apart(scratch, sampleModels) }).ready();
  const client = new GrpcClient(node.grpcPort);
  try {
    const tiny = await sampleOf(client, 'digits', []);
    const large = await sampleOf(client, 'echo', [1, largeCount]);
    const bare = await loadBare(tiny.file, tiny.shape, 1);
    const header = Buffer.alloc(headerBytes, 1);
    const sides: Record<Side, (count: number) => Promise<number[]>> = {
      grpc: calling(grpcCaller(node.grpcPort, tiny.grpc)),
      bareGrpc: calling(grpcCaller(floor.grpcPort, tiny.grpc)),
      rest: calling(httpCaller(node.httpPort, tiny.path, tiny.json)),
      bareHttp: calling(httpCaller(floor.httpPort, tiny.path, tiny.json)),
      zeromq: calling(zeromqCaller(floor.endpoint, header, tiny.tensor)),
      run: (count) => bare.times(count),
      large: calling(grpcCaller(node.grpcPort, large.grpc)),
      bareLarge: calling(grpcCaller(floor.grpcPort, large.grpc)),
    };
    const rounds = Math.max(5, args.number('rounds', 9));
    return figuresOf(await measure(sides, rounds, args.number('calls', 250)));
  } finally {
    client.close();
    floor.end();
    await node.dispose();
    scratch.remove();
  }
}

function calling(call: () => Promise<Uint8Array>): (count: number) => Promise<number[]> {
  return (count) => timeCalls(call, count);
}

/** Per side the median latency of each round; the first round warms up. */
async function measure(
  sides: Record<Side, (count: number) => Promise<number[]>>,
  rounds: number,
  calls: number,
): Promise<Record<Side, number[]>> {
  const names = Object.keys(sides) as Side[];
  const medians = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Side, number[]>;
  for (let round = 0; round <= rounds; round++) {
    for (const name of names) {
      const count = name.toLowerCase().includes('large') ? Math.ceil(calls / 4) : calls;
      const times = await sides[name](count);
      if (round > 0) medians[name].push(median(times));
    }
  }
  for (const name of names) saySpread(name, spread(medians[name]), ' ms');
  return medians;
}

function figuresOf(medians: Record<Side, number[]>): Record<string, number> {
  const at = (side: Side, round: number): number => medians[side][round] as number;
  const perRound = (figure: (round: number) => number): Spread => spread(medians.grpc.map((_, round) => figure(round)));
  const unary = perRound((n) => at('grpc', n) / (at('bareGrpc', n) + at('zeromq', n) + at('run', n)));
  const rest = perRound((n) => at('rest', n) / (at('bareHttp', n) + at('zeromq', n) + at('run', n)));
  const added = perRound((n) => at('large', n) - at('bareLarge', n));
  saySpread('gRPC end to end over its floor', unary);
  saySpread('REST end to end over its floor', rest);
  saySpread('600 KB: end to end less a bare gRPC echo of it', added, ' ms');
  say('  (the 600 KB model echoes, so nothing is taken off for compute)');
  return { unaryRatioP50: unary.median, restRatioP50: rest.median, addedMs600KB: added.median };
}
