// Answers per second of one worker and of several, with models that sleep: what is lost on the way to linear is waiting, not
// computing, for one machine has not enough cores to compute for many.
import { GrpcClient } from '../../processes/client.js';
import { apart, pause, RunningNode, Scratch } from '../../processes/harness.js';
import { Load } from '../../processes/load.js';
import { ModelFolder } from '../../processes/repository.js';
import { interleave, saySpread } from '../figures.js';

const runMs = 60;
const roundMs = 2500;
/** So many requests are with each worker or wait for it. */
const requestsPerWorker = 4;

/** What several do of what so many times one would. */
export async function workersShare(count: number, rounds: number): Promise<number> {
  const scratch = new Scratch();
  const nodes: RunningNode[] = [];
  const clients: GrpcClient[] = [];
  try {
    const models = new ModelFolder(scratch).simulated('sleeps', { alphaMs: runMs, rowsMax: 1 }).folder;
    const start = (workers: number): RunningNode => {
      const node = new RunningNode({ flags: { ...apart(scratch, models), 'worker-count': workers } });
      nodes.push(node);
      return node;
    };
    const one = await start(1).ready(60_000);
    const several = await start(count).ready(60_000);
    const perSecond = async (node: RunningNode, workers: number): Promise<number> => {
      const client = new GrpcClient(node.grpcPort);
      clients.push(client);
      return answersPerSecond(client, workers);
    };
    const figures = await interleave(rounds, {
      one: () => perSecond(one, 1),
      several: () => perSecond(several, count),
    });
    saySpread('answers per second, one worker', figures.one);
    saySpread(`answers per second, ${count} workers`, figures.several);
    return figures.several.median / (count * figures.one.median);
  } finally {
    for (const client of clients) client.close();
    await Promise.all(nodes.map((node) => node.dispose()));
    scratch.remove();
  }
}

async function answersPerSecond(client: GrpcClient, workers: number): Promise<number> {
  let answered = 0;
  const load = new Load(client, {
    model: 'sleeps',
    unary: workers * requestsPerWorker,
    answered: () => answered++,
  }).start();
  await pause(5 * runMs);
  const before = answered;
  const begunAt = performance.now();
  await pause(roundMs);
  const perSecond = (answered - before) / ((performance.now() - begunAt) / 1000);
  const { errors } = await load.stop();
  if (errors.length > 0) throw new Error(`requests failed: ${errors[0]}`);
  return perSecond;
}
