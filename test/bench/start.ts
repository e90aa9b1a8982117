// How long a node takes from its process's start to being ready with two workers and the sample models, and the memory
// of all its processes once each model has answered.
import { GrpcClient } from '../processes/client.js';
import { apart, RunningNode, Scratch, until } from '../processes/harness.js';
import { memoryMbOf } from '../processes/proc.js';
import { type Args, saySpread, spread } from './figures.js';
import { sampleModels, sampleOf } from './floor/samples.js';

export const about =
  'from process start to ready with two workers and the sample models; memory of all processes';
export const flags = { rounds: 'starts (7)' };

const requestsEach = 50;

export async function run(args: Args): Promise<Record<string, number>> {
  const scratch = new Scratch();
  const ready: number[] = [];
  const memory: number[] = [];
  try {
    for (let round = 0; round < Math.max(1, args.number('rounds', 7)); round++) {
      const began = performance.now();
      const node = new RunningNode({ flags: { ...apart(scratch, sampleModels), 'worker-count': 2 } });
      try {
        await node.line((line) => line.event === 'door.opened' && line.door === 'rest', 'REST opens');
        await until('it is ready', () => node.isReady(), 20_000, 5);
        ready.push(performance.now() - began);
        await exercise(node);
        const workers = node.workers().map(({ pid }) => pid);
        memory.push(memoryMbOf([node.pid, ...workers]));
      } finally {
        await node.dispose();
      }
    }
  } finally {
    scratch.remove();
  }
  saySpread('ready', spread(ready), ' ms');
  saySpread('memory', spread(memory), ' MB');
  return { readyMs: spread(ready).median, memoryMb: spread(memory).median };
}

/** Enough requests for both workers to have run both models. */
async function exercise(node: RunningNode): Promise<void> {
  const client = new GrpcClient(node.grpcPort);
  for (const [model, open] of [
    ['digits', [1]],
    ['srcnn', [1, 224, 224]],
  ] as const) {
    const sample = await sampleOf(client, model, open);
    const data = new Float32Array(sample.tensor.buffer);
    const ask = () => client.infer({ model, input: sample.input, shape: sample.shape, data });
    const answers = await Promise.all(Array.from({ length: model === 'srcnn' ? 8 : requestsEach }, ask));
    const bad = answers.find((answer) => answer.status !== 'OK');
    if (bad !== undefined) throw new Error(`${model}: ${bad.message}`);
  }
  client.close();
}
