// What the system adds to what can't be done without: one client at a time, end to end, against a bare server, a bare
// ZeroMQ round trip and a bare run of the model, one after the other as a request would need them, round by round in turn.
import { GrpcClient } from '../processes/client.js';
import { apart, RunningNode, Scratch } from '../processes/harness.js';
import { type Args, median, type Spread, say, saySpread, spread } from './figures.js';
import { type Caller, grpcCaller, httpCaller, timeCalls, zeromqCaller } from './floor/callers.js';
import { loadBare } from './floor/compute.js';
import { sampleModels, sampleOf } from './floor/samples.js';
import { startFloor } from './floor/servers.js';

export const about = 'end to end against bare gRPC or HTTP + bare ZeroMQ + bare run, one client';
export const flags = { rounds: 'rounds, at least 5 (9)', calls: 'calls of each side in a round (250)' };

/** FP32 elements in 600 KB. */
const largeCount = 150_000;
const headerBytes = 160;
const warmRounds = 4;

type Side =
  | 'grpc'
  | 'grpcFloor'
  | 'rest'
  | 'restFloor'
  | 'large'
  | 'bareLarge'
  | 'largeFloor'
  | 'bareGrpc'
  | 'bareHttp'
  | 'zeromq'
  | 'run';

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
    const bareGrpc = grpcCaller(floor.grpcPort, tiny.grpc);
    const bareHttp = httpCaller(floor.httpPort, tiny.path, tiny.json);
    const zeromq = zeromqCaller(floor.endpoint, header, tiny.tensor);
    const zeromqLarge = zeromqCaller(floor.endpoint, header, large.tensor);
    const bareLarge = grpcCaller(floor.grpcPort, large.grpc);
    const sides: Record<Side, Caller> = {
      grpc: grpcCaller(node.grpcPort, tiny.grpc),
      grpcFloor: inTurn(bareGrpc, zeromq, bare.run),
      rest: httpCaller(node.httpPort, tiny.path, tiny.json),
      restFloor: inTurn(bareHttp, zeromq, bare.run),
      large: grpcCaller(node.grpcPort, large.grpc),
      bareLarge,
      largeFloor: inTurn(bareLarge, zeromqLarge),
      ...{ bareGrpc, bareHttp, zeromq, run: bare.run },
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

/** The parts of the floor one after the other, so that each is met as cold as in a request. */
function inTurn(...callers: readonly Caller[]): Caller {
  return async () => {
    for (const call of callers) await call();
  };
}

/** Per side the median latency of each round. The first rounds warm up, all sides alike: what runs for long is compiled. */
async function measure(
  sides: Record<Side, Caller>,
  rounds: number,
  calls: number,
): Promise<Record<Side, number[]>> {
  const names = Object.keys(sides) as Side[];
  const medians = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Side, number[]>;
  for (let round = -warmRounds; round < rounds; round++) {
    for (const name of names) {
      const count = name.toLowerCase().includes('large') ? Math.ceil(calls / 4) : calls;
      const times = await timeCalls(sides[name], count);
      if (round >= 0) medians[name].push(median(times));
    }
  }
  for (const name of names) saySpread(name, spread(medians[name]), ' ms');
  return medians;
}

function figuresOf(medians: Record<Side, number[]>): Record<string, number> {
  const at = (side: Side, round: number): number => medians[side][round] as number;
  const perRound = (figure: (round: number) => number): Spread =>
    spread(medians.grpc.map((_, round) => figure(round)));
  const hot = (n: number): number => at('zeromq', n) + at('run', n);
  const unary = perRound((n) => at('grpc', n) / at('grpcFloor', n));
  const rest = perRound((n) => at('rest', n) / at('restFloor', n));
  const added = perRound((n) => at('large', n) - at('bareLarge', n));
  const overParts = perRound((n) => at('large', n) - at('largeFloor', n));
  const unaryHot = perRound((n) => at('grpc', n) / (at('bareGrpc', n) + hot(n)));
  const restHot = perRound((n) => at('rest', n) / (at('bareHttp', n) + hot(n)));
  saySpread('gRPC end to end over its floor', unary);
  saySpread('REST end to end over its floor', rest);
  saySpread('600 KB: end to end less a bare gRPC echo of it', added, ' ms');
  saySpread('600 KB: end to end less a bare gRPC echo and a bare ZeroMQ round trip of it', overParts, ' ms');
  say(
    '  (the 600 KB model echoes, so nothing is taken off for compute; "hot" sums parts that ran alone, each in a row)',
  );
  return {
    unaryRatioP50: unary.median,
    restRatioP50: rest.median,
    addedMs600KB: added.median,
    addedMs600KBOverParts: overParts.median,
    unaryRatioP50Hot: unaryHot.median,
    restRatioP50Hot: restHot.median,
  };
}
