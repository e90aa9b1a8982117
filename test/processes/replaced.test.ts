// What replaces a version in the store of a real cluster whose workers are at a node without a router: what served before serves until
// that has been loaded, also where the worker process dies meanwhile, and where it is loaded on demand only.
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

describe('what is replaced in the store', { skip }, () => {
  const scratch = new Scratch();
  let servers: NatsServers;
  let group: Group;
  let core: RunningNode;
  let node: RunningNode;
  let client: GrpcClient;

  before(async () => {
    servers = await NatsServers.start(executable);
    group = new Group(scratch, {
      ...apart(scratch, new ModelFolder(scratch).simulated('own').folder),
      nats: servers.urls,
    });
    core = group.start('router,scheduler,health', 'core');
    node = group.start('worker', 'one', { 'model-memory-mb': 10 });
    await Promise.all([core.ready(), node.ready()]);
    client = new GrpcClient(core.grpcPort);
  });
  after(async () => {
    client?.close();
    await group?.dispose();
    await servers?.remove();
    scratch.remove();
  });

  async function push(name: string, source: string, more: readonly string[] = []): Promise<void> {
    const models = new ModelFolder(scratch)
      .config(name, ['backend: ./mine.mjs', 'maxBatch: 4', ...ports, ...more])
      .file(`${name}/mine.mjs`, source);
    const environment = { SIGNALBOX_NATS: servers.urls, SIGNALBOX_CLUSTER: String(group.flags['cluster']) };
    await modelsText(['push', join(models.folder, name), '--replace'], environment);
  }

  async function answer(name: string): Promise<number | undefined> {
    const told = await client.infer({ ...rowOf(name, 7), deadlineMs: 20_000 });
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
    await push('some', backend(1));
    await until('it serves', async () => (await client.infer(rowOf('some', 7))).status === 'OK');
    const [begun, gate] = [scratch.path('begun'), scratch.path('gate')];
    const slow = `writeFileSync(${JSON.stringify(begun)}, ''); while (!existsSync(${JSON.stringify(gate)})) await new Promise((go) => setTimeout(go, 10));`;
    await push('some', backend(2, slow));
    await until('it is being loaded', () => existsSync(begun));
    await killWorker();
    assert.equal(await answer('some'), 7);
    writeFileSync(gate, '');
    await until('it has taken over', async () => (await answer('some')) === 14);
  });

  test('what is loaded on demand serves too, and what can not be loaded never takes its place', async () => {
    const asked = ['load: demand'];
    await push('asked', backend(1), asked);
    await until('it serves', async () => (await client.infer(rowOf('asked', 7))).status === 'OK');
    await push('asked', backend(2, "throw new Error('torn');"), asked);
    await node.line(
      ({ event, reason }) => event === 'model.failed' && /torn/.test(String(reason)),
      'it failed',
    );
    assert.equal(await answer('asked'), 7);
    await push('asked', backend(3), asked);
    await until('it has taken over', async () => (await answer('asked')) === 21);
  });

  test('of more than fit in a worker each serves', async () => {
    const names = ['large-1', 'large-2', 'large-3'];
    for (const name of names) await push(name, backend(1), ['memoryMb: 6']);
    for (const name of names)
      await until(`${name} serves`, async () => (await client.infer(rowOf(name, 7))).status === 'OK');
    for (const name of names) assert.equal(await answer(name), 7);
  });
});
