// What a model's owner says of its batches, felt through the door: requests of different sizes share them, models of
// fixed sizes are run with full ones, and nobody sees what was filled up.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { http } from './client.js';
import { apart, RunningNode, Scratch, until } from './harness.js';
import { ModelFolder } from './repository.js';

interface Answered {
  readonly outputs: readonly { readonly shape: readonly number[]; readonly data: readonly number[] }[];
}

describe("batches as the model's owner wants them", () => {
  const scratch = new Scratch();
  let node: RunningNode;
  before(async () => {
    const ports = (shape: string) => [
      `inputs: [{ name: x, datatype: FP32, shape: ${shape} }]`,
      `outputs: [{ name: y, datatype: FP32, shape: ${shape} }]`,
    ];
    const simulated = ['backend: simulated', 'simulated: { alphaMs: 60, betaMs: 0 }', 'placement: thread'];
    const models = new ModelFolder(scratch)
      .config('padded', [
        ...simulated,
        'batching: { maxBatch: 8, shapeBuckets: { dimension: 1, sizes: [4, 8] } }',
        ...ports('[-1, -1]'),
      ])
      .config('whole', [...simulated, 'batching: { maxBatch: 4, sizes: [4] }', ...ports('[4, 2]')])
      .config('wrong', [...simulated, 'batching: { weight: 0 }', ...ports('[2]')]);
    const flags = { ...apart(scratch, models.folder), 'worker-count': 1 };
    node = await new RunningNode({ flags }).ready();
  });
  after(async () => {
    await node.dispose();
    scratch.remove();
  });

  async function ask(model: string, shape: readonly number[], data: readonly number[]) {
    const answer = await http(node.httpPort, `/v2/models/${model}/infer`, {
      inputs: [{ name: 'x', datatype: 'FP32', shape, data }],
    });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    const [output] = (answer.body as Answered).outputs;
    return [output?.shape, output?.data];
  }

  async function runs(model: string): Promise<[requests: number, runs: number]> {
    const { body } = await http(node.httpPort, `/v2/models/${model}/stats`);
    const [counted] = (body as { model_stats: { inference_count: number; execution_count: number }[] })
      .model_stats;
    return [counted?.inference_count ?? 0, counted?.execution_count ?? 0];
  }

  test('requests of different sizes share a batch, and each gets its own size back', async () => {
    const given = Array.from({ length: 8 }, (_, at) => {
      const size = (at % 4) + 1;
      return { shape: [1, size], data: Array.from({ length: size }, (_, place) => at * 10 + place + 1) };
    });
    const answers = await Promise.all(given.map(({ shape, data }) => ask('padded', shape, data)));
    assert.deepEqual(
      answers,
      given.map(({ shape, data }) => [shape, data]),
    );
    await until('all are counted', async () => (await runs('padded'))[0] === 8);
    const [, executions] = await runs('padded');
    assert.ok(executions <= 3, `${executions} runs of 8 requests of 4 sizes`);
    assert.deepEqual(await ask('padded', [2, 3], [1, 2, 3, 4, 5, 6]), [
      [2, 3],
      [1, 2, 3, 4, 5, 6],
    ]);
    const beyond = Array.from({ length: 9 }, (_, at) => at);
    assert.deepEqual(await ask('padded', [1, 9], beyond), [[1, 9], beyond]);
  });

  test('a model that takes four rows and no others answers one', async () => {
    assert.deepEqual(await ask('whole', [1, 2], [7, 8]), [
      [1, 2],
      [7, 8],
    ]);
  });

  test('a model with a mistake says where and which, the others serve', async () => {
    const { body } = await http(node.httpPort, '/v2/repository/index', {});
    const wrong = (body as { name: string; state: string; reason: string }[]).find(
      ({ name }) => name === 'wrong',
    );
    assert.equal(wrong?.state, 'UNAVAILABLE');
    assert.match(
      wrong?.reason ?? '',
      /wrong\/config\.yaml: batching\.weight is 0; wanted is a number above 0/,
    );
  });
});
