// A worker process that dies while its node loads what has replaced a version in the store: on a real cluster, with a worker node
// that has no router. What served before serves until then.
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { modelsText } from '../../runtime/models/command.js';
import { executable, skip } from '../nats/at-hand.js';
import { NatsServers } from '../nats/servers.js';
import { GrpcClient, rowOf } from './client.js';
import { Group } from './group.js';
import { apart, type RunningNode, Scratch, until } from './harness.js';
import { signal } from './proc.js';
import { ModelFolder } from './repository.js';

const ports = [
  'inputs: [{ name: x, datatype: FP32, shape: [-1, 4] }]',
  'outputs: [{ name: y, datatype: FP32, shape: [-1, 4] }]',
];

/** It answers with so many times what it is asked, once it is loaded. */
function backend(times: number, load = ''): string {
  const infer = `({ inputs: [x], rows }) => [{ name: 'y', shape: [rows, 4], data: x.data.map((one) => one * ${times}) }]`;
  return `import { existsSync, writeFileSync } from 'node:fs';
export default { async load() { ${load} return { infer: ${infer}, unload() {} }; } };\n`;
}

describe('what is replaced in the store while its worker dies', { skip }, () => {
  const scratch = new Scratch();
  let servers: NatsServers;
  let group: Group;
  let core: RunningNode;
  let node: RunningNode;
  let client: GrpcClient;
  let models: ModelFolder;

  before(async () => {
    servers = await NatsServers.start(executable);
    models = new ModelFolder(scratch).config('some', ['backend: ./mine.mjs', 'maxBatch: 4', ...ports]);
    group = new Group(scratch, {
      ...apart(scratch, new ModelFolder(scratch).simulated('own').folder),
      nats: servers.urls,
    });
    core = group.start('router,scheduler,health', 'core');
    node = group.start('worker', 'one');
    await Promise.all([core.ready(), node.ready()]);
    client = new GrpcClient(core.grpcPort);
  });
  after(async () => {
    client?.close();
    await group?.dispose();
    await servers?.remove();
    scratch.remove();
  });

  async function push(source: string): Promise<void> {
    models.file('some/mine.mjs', source);
    const environment = { SIGNALBOX_NATS: servers.urls, SIGNALBOX_CLUSTER: String(group.flags['cluster']) };
    await modelsText(['push', join(models.folder, 'some'), '--replace'], environment);
  }

  async function answer(): Promise<number | undefined> {
    const told = await client.infer({ ...rowOf('some', 7), deadlineMs: 20_000 });
    assert.equal(told.status, 'OK', told.message);
    return told.values[0];
  }

  /** Resolves when another is in its place. */
  async function killWorker(): Promise<void> {
    const [worker] = node.workers();
    assert.ok(worker);
    signal(worker.pid, 'SIGKILL');
    await until('another is there', () => {
      const [next] = node.workers();
      return next !== undefined && next.pid !== worker.pid;
    });
  }

  test('the worker that comes in its place has what served, and then what takes over', async () => {
    await push(backend(1));
    await until('it serves', async () => (await client.infer(rowOf('some', 7))).status === 'OK');
    const [begun, gate] = [scratch.path('begun'), scratch.path('gate')];
    const slow = `writeFileSync(${JSON.stringify(begun)}, ''); while (!existsSync(${JSON.stringify(gate)})) await new Promise((go) => setTimeout(go, 10));`;
    await push(backend(2, slow));
    await until('it is being loaded', () => existsSync(begun));
    await killWorker();
    assert.equal(await answer(), 7);
    writeFileSync(gate, '');
    await until('it has taken over', async () => (await answer()) === 14);
  });
});
