// The second promise, on real processes: with every worker frozen each client hears something final, soon after its
// deadline, and is told where its request waited.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { GrpcClient, http, rowOf } from './client.js';
import { apart, type RunningNode, Scratch, startNode, until } from './harness.js';
import { signal } from './proc.js';
import { ModelFolder } from './repository.js';

const deadlineMs = 200;
/** Far more than the promise, for a test may run on a busy machine; the benchmark measures. */
const lateMostMs = 500;

describe('deadlines', () => {
  const scratch = new Scratch();
  let node: RunningNode;
  let client: GrpcClient;
  before(async () => {
    const models = new ModelFolder(scratch).simulated('steady').folder;
    node = await startNode(apart(scratch, models));
    client = new GrpcClient(node.grpcPort);
  });
  after(async () => {
    client.close();
    await node.dispose();
    scratch.remove();
  });

  test('with all workers frozen every request ends as DEADLINE_EXCEEDED and says where it waited', async () => {
    assert.equal((await client.infer(rowOf('steady', 1))).status, 'OK');
    for (const { pid } of node.workers()) signal(pid, 'SIGSTOP');
    const asked = Array.from({ length: 32 }, (_, n) =>
      client.infer({ ...rowOf('steady', n), timeoutMs: deadlineMs }),
    );
    for (const told of await Promise.all(asked)) {
      assert.equal(told.status, 'DEADLINE_EXCEEDED', told.message);
      assert.equal(told.code, 'DEADLINE_EXCEEDED');
      assert.match(told.path, /queued@.*expired@/);
      assert.match(told.message, /deadline of 200 ms .*(queued|assigned) at/);
      const lateMs = told.toldAt - told.sentAt - deadlineMs;
      assert.ok(lateMs > -20 && lateMs < lateMostMs, `${lateMs} ms late`);
    }
    const answer = await http(node.httpPort, '/v2/models/steady/infer', {
      parameters: { timeout: deadlineMs * 1000 },
      inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] }],
    });
    assert.equal(answer.status, 504);
    assert.match(JSON.stringify(answer.body), /DEADLINE_EXCEEDED|deadline/);
    for (const { pid } of node.workers()) signal(pid, 'SIGCONT');
    await until('it serves again', async () => (await client.infer(rowOf('steady', 7))).status === 'OK');
  });

  test("a client's own deadline that no run can meet is refused at once, with the numbers", async (context) => {
    const slow = new ModelFolder(scratch).simulated('slow', { alphaMs: 400, rowsMax: 1 }).folder;
    const other = await startNode(apart(scratch, slow));
    const direct = new GrpcClient(other.grpcPort);
    context.after(async () => {
      direct.close();
      await other.dispose();
    });
    const told = await direct.infer({ ...rowOf('slow', 1), deadlineMs: 150 });
    assert.deepEqual([told.status, told.code], ['RESOURCE_EXHAUSTED', 'OVERLOADED']);
    assert.match(told.message, /would take about 4\d\d.* deadline is in 1\d\d/);
  });
});
