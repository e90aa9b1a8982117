// Backends of a user's own on real processes: they answer, and whatever they do the others are served.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { GrpcClient, rowOf } from './client.js';
import { apart, type RunningNode, Scratch, startNode, until } from './harness.js';
import { ModelFolder } from './repository.js';

const doubling = `
export const load = () => ({
  infer({ inputs: [x] }) {
    if (x.data.includes(666)) throw new Error('666 is nobody');
    if (x.data.includes(667)) for (;;);
    return [{ name: 'y', shape: x.shape, data: x.data.map((value) => value * 2) }];
  },
});`;
const sides = [
  'maxBatch: 4',
  'inputs: [{ name: x, datatype: FP32, shape: [-1, 4] }]',
  'outputs: [{ name: y, datatype: FP32, shape: [-1, 4] }]',
];
/** Much longer than any run but the hanging one, on the busiest machine too. */
const runLongestMs = 1500;

describe("backends of a user's own", () => {
  const scratch = new Scratch();
  let node: RunningNode;
  let client: GrpcClient;
  before(async () => {
    const models = new ModelFolder(scratch)
      .config('doubling', ['backend: ./doubling.mjs', `runLongestMs: ${runLongestMs}`, ...sides])
      .file('doubling/doubling.mjs', doubling)
      .config('broken', ['backend: ./code/broken.mjs', ...sides])
      .file('broken/code/broken.mjs', 'export const start = () => {}')
      .config('endless', ['backend: ./endless.mjs', 'loadLongestMs: 500', ...sides])
      .file('endless/endless.mjs', 'for (;;);')
      .simulated('bystander', { alphaMs: 1 }).folder;
    node = await startNode({ ...apart(scratch, models), 'worker-count': 2, 'restarts-max': 100 });
    client = new GrpcClient(node.grpcPort);
  });
  after(async () => {
    client.close();
    await node.dispose();
    scratch.remove();
  });

  const ask = (model: string, value: number) => client.infer({ ...rowOf(model, value), deadlineMs: 20_000 });

  test('one answers, in batches too', async () => {
    const values = Array.from({ length: 40 }, (_, n) => n);
    const answers = await Promise.all(values.map((value) => ask('doubling', value)));
    assert.deepEqual(
      answers.map(({ status, values: [first] }) => [status, first]),
      values.map((value) => ['OK', value * 2]),
    );
  });

  test('one that can not be loaded is UNAVAILABLE and says why', async () => {
    const reasons = {
      broken: 'backend ./code/broken.mjs of broken:1 exports start; wanted is a function load(model)',
      endless: 'backend ./endless.mjs of endless:1 did not load within 500 ms',
    };
    for (const [model, reason] of Object.entries(reasons)) {
      const told = await ask(model, 1);
      assert.equal(told.code, 'MODEL_UNAVAILABLE', told.message);
      assert.ok(told.message.includes(reason), told.message);
    }
  });

  test('one that throws fails the request that it threw at', async () => {
    const values = [1, 2, 666, 3, 4];
    const answers = await Promise.all(values.map((value) => ask('doubling', value)));
    assert.deepEqual(
      answers.map(({ code }) => code),
      ['', '', 'MODEL_FAILED', '', ''],
    );
    assert.match(
      answers[2]?.message ?? '',
      /backend \.\/doubling\.mjs of doubling:1: infer threw: 666 is nobody/,
    );
  });

  test('one that hangs is ended by the limit of a run, and others are served meanwhile', async () => {
    const guilty = ask('doubling', 667);
    let isOver = false;
    void guilty.finally(() => {
      isOver = true;
    });
    let served = 0;
    while (!isOver) {
      const told = await ask('bystander', 1);
      assert.equal(told.status, 'OK', told.message);
      served += 1;
    }
    const told = await guilty;
    assert.equal(told.code, 'JOB_POISONED', `${told.message} ${told.path}`);
    assert.ok(served > 0);
    await until('it is served again', async () => (await ask('doubling', 3)).values[0] === 6);
  });
});
