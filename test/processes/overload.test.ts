// More than can be answered in time, on real processes: what is refused is refused at once, over both doors, with the
// numbers and with when to come back; what is taken is answered.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { GrpcClient, type HttpAnswer, http, rowOf } from './client.js';
import { apart, type RunningNode, Scratch, startNode } from './harness.js';
import { ModelFolder } from './repository.js';

const runMs = 150;
const deadlineMs = 700;
const asked = 16;

describe('too much at once', () => {
  const scratch = new Scratch();
  let node: RunningNode;
  let client: GrpcClient;
  before(async () => {
    const models = new ModelFolder(scratch).simulated('slow', { alphaMs: runMs, rowsMax: 1 }).folder;
    node = await startNode({ ...apart(scratch, models), 'worker-count': 1 });
    client = new GrpcClient(node.grpcPort);
    // From runs it is known what they cost, whatever was measured before.
    for (let count = 0; count < 4; count++) {
      assert.equal((await client.infer({ ...rowOf('slow', count), deadlineMs: 20_000 })).status, 'OK');
    }
  });
  after(async () => {
    client.close();
    await node.dispose();
    scratch.remove();
  });

  function rest(parameters: object): Promise<HttpAnswer> {
    const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] }];
    return http(node.httpPort, '/v2/models/slow/infer', { inputs, parameters });
  }

  test('REST: 429 with Retry-After and a sentence, and the job is found by its id', async () => {
    const timeout = deadlineMs * 1000;
    const answers = await Promise.all(Array.from({ length: asked }, () => rest({ timeout })));
    const refused = answers.filter(({ status }) => status === 429);
    assert.ok(refused.length >= asked / 2, `${refused.length} were refused: ${node.tail()}`);
    assert.ok(answers.some(({ status }) => status === 200));
    for (const { headers, body } of refused) {
      assert.equal(headers.get('signalbox-code'), 'OVERLOADED');
      const againMs = Number(headers.get('retry-after-ms'));
      assert.ok(againMs > 0 && againMs < asked * runMs * 3, String(againMs));
      assert.equal(headers.get('retry-after'), String(Math.ceil(againMs / 1000)));
      assert.match((body as { error: string }).error, /slow.* \d.* ms .*deadline.* \d+.* ms.*\d+ jobs/);
    }
    const id = refused[0]?.headers.get('signalbox-job');
    const { body } = await http(node.httpPort, `/v2/signalbox/jobs/${id}`);
    const { ending, code, path } = body as { ending: string; code: string; path: { why: string }[] };
    assert.deepEqual([ending, code], ['rejected', 'OVERLOADED']);
    assert.match(path.at(-1)?.why ?? '', /deadline/);
  });

  test('gRPC: RESOURCE_EXHAUSTED with the same sentence', async () => {
    const told = await Promise.all(
      Array.from({ length: asked }, (_, n) => client.infer({ ...rowOf('slow', n), deadlineMs })),
    );
    const refused = told.filter(({ code }) => code === 'OVERLOADED');
    assert.ok(
      refused.length >= asked / 2,
      told.map(({ status, message }) => `${status} ${message}`).join('\n'),
    );
    assert.ok(told.some(({ status }) => status === 'OK'));
    for (const { status, message } of refused) {
      assert.equal(status, 'RESOURCE_EXHAUSTED');
      assert.match(message, /^OVERLOADED: .*deadline/);
    }
  });

  test('the model says how it is batched, and counts what it refused', async () => {
    const { body } = await http(node.httpPort, '/v2/models/slow/config');
    const { parameters } = body as { parameters: Record<string, { string_value: string }> };
    assert.ok((parameters.batching_policy?.string_value ?? '').length > 0);
    assert.ok((parameters.batching_why?.string_value ?? '').length > 0);
    const { body: stats } = await http(node.httpPort, '/v2/models/slow/stats');
    const [counted] = (
      stats as { model_stats: { response_stats: Record<string, { fail: { count: number } }> }[] }
    ).model_stats;
    assert.ok((counted?.response_stats.OVERLOADED?.fail.count ?? 0) >= asked);
  });
});
