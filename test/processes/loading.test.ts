// A model that breaks down the process that loads it, on real processes: it costs a few workers and no more, is given up with
// its reason, and the other models are served all the while it can be.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { GrpcClient, http, rowOf } from './client.js';
import { apart, type RunningNode, Scratch, startNode } from './harness.js';
import { ModelFolder } from './repository.js';

const ports = [
  'inputs: [{ name: x, datatype: FP32, shape: [-1, 4] }]',
  'outputs: [{ name: y, datatype: FP32, shape: [-1, 4] }]',
];
const deadly = "process.kill(process.pid, 'SIGSEGV'); await new Promise(() => {});";

function backend(load: string): string {
  const infer = "({ inputs: [x], rows }) => [{ name: 'y', shape: [rows, 4], data: x.data }]";
  return `export default { async load() { ${load} return { infer: ${infer}, unload() {} }; } };\n`;
}

describe('a model that breaks down who loads it', () => {
  const scratch = new Scratch();
  const models = new ModelFolder(scratch)
    .config('deadly', ['backend: ./mine.mjs', 'maxBatch: 4', ...ports])
    .file('deadly/mine.mjs', backend(deadly))
    .simulated('steady');
  let node: RunningNode;
  let client: GrpcClient;
  before(async () => {
    node = await startNode(apart(scratch, models.folder));
    client = new GrpcClient(node.grpcPort);
  });
  after(async () => {
    client.close();
    await node.dispose();
    scratch.remove();
  });

  const deaths = (): number => node.lines.filter(({ event }) => event === 'worker.exited').length;

  test('is given up with its reason after a death or two of each worker, and the node gets ready', async () => {
    const { status, body } = await http(node.httpPort, '/v2/models/deadly/ready');
    assert.equal(status, 503);
    assert.match(
      (body as { error: string }).error,
      /loading it has broken down \d workers, the last of them alone/,
    );
    const steady = await client.infer(rowOf('steady', 1));
    assert.equal(steady.status, 'OK', steady.message);
    assert.ok(deaths() >= 2 && deaths() <= 4, `${deaths()} deaths`);
  });

  test('is tried again when its files have changed, and what serves goes on until then', async () => {
    const before = deaths();
    models.file('deadly/mine.mjs', backend(`/* again */ ${deadly}`));
    const { status, body } = await http(node.httpPort, '/v2/repository/models/deadly/load', {});
    assert.notEqual(status, 200);
    assert.match((body as { error: string }).error, /broken down/);
    assert.ok(deaths() - before <= 4);
    models.file('deadly/mine.mjs', backend('/* mended */'));
    const mended = await http(node.httpPort, '/v2/repository/models/deadly/load', {});
    assert.equal(mended.status, 200, JSON.stringify(mended.body));
    const answer = await client.infer(rowOf('deadly', 3));
    assert.equal(answer.status, 'OK', answer.message);
  });
});
