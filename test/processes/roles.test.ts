// Roles as processes of their own: router, schedulers, health and workers that find each other by --join, and the loss of
// a scheduler that loses nothing.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { GrpcClient, rowOf } from './client.js';
import { apart, RunningNode, Scratch, until } from './harness.js';
import { Load } from './load.js';
import { ModelFolder } from './repository.js';

describe('separate roles', () => {
  const scratch = new Scratch();
  const nodes: RunningNode[] = [];
  let router: RunningNode;
  let client: GrpcClient;
  let flags: Record<string, string | number>;

  function start(role: string, name: string, more: Record<string, string | number> = {}): RunningNode {
    const { endpoint, ...common } = flags;
    const place =
      role === 'router'
        ? { endpoint: String(endpoint) }
        : { join: String(endpoint), endpoint: scratch.endpoint() };
    const node = new RunningNode({ flags: { ...common, ...place, role, name, ...more } });
    nodes.push(node);
    return node;
  }

  before(async () => {
    const models = new ModelFolder(scratch);
    for (let n = 0; n < 4; n++) models.simulated(`model${n}`);
    flags = apart(scratch, models.folder);
    router = start('router', 'front');
    await router.event('node.serving');
    await Promise.all([
      start('scheduler', 'plan-a').ready(),
      start('scheduler', 'plan-b').ready(),
      start('health', 'watch').ready(),
      start('worker', 'left', { 'worker-count': 1 }).ready(),
      start('worker', 'right', { 'worker-count': 1 }).ready(),
    ]);
    await router.ready();
    client = new GrpcClient(router.grpcPort);
  });
  after(async () => {
    client.close();
    await Promise.all(nodes.map((node) => node.dispose()));
    scratch.remove();
  });

  function byName(name: string): RunningNode {
    const at = nodes.findIndex((node) => node.process.spawnargs.includes(name));
    return nodes[at] as RunningNode;
  }

  test('serve together', async () => {
    const workers = new Set<string>();
    for (let n = 0; n < 40; n++) {
      const told = await client.infer(rowOf(`model${n % 4}`, n));
      assert.equal(told.status, 'OK', told.message);
      assert.equal(told.values[0], n);
      workers.add(/assigned@[^(]*\(([^).]*)/.exec(told.path)?.[1] ?? '');
    }
    assert.deepEqual([...workers].sort(), ['left-worker-1', 'right-worker-1']);
  });

  test('a scheduler that is killed under load loses nothing: the other owns its models', async () => {
    let answers = 0;
    const loads = Array.from({ length: 4 }, (_, n) =>
      new Load(client, { model: `model${n}`, unary: 4, answered: () => answers++ }).start(),
    );
    await until('load is under way', () => answers > 100);
    byName('plan-a').signal('SIGKILL');
    const reached = answers;
    await until('it goes on', () => answers > reached + 300);
    for (const load of loads) {
      const result = await load.stop();
      assert.deepEqual(result.errors, [], router.tail());
      assert.ok(result.sent > 20);
    }
    await until('ready', () => router.isReady());
  });

  test('a worker node that stops takes its leave, the other serves on', async () => {
    let answers = 0;
    const load = new Load(client, { model: 'model1', unary: 8, answered: () => answers++ }).start();
    await until('load is under way', () => answers > 50);
    assert.equal((await byName('left').stop()).code, 0);
    const reached = answers;
    await until('it goes on', () => answers > reached + 50);
    assert.deepEqual((await load.stop()).errors, [], router.tail());
  });

  test('a router that comes back under its name gets its cluster again', async () => {
    await router.stop();
    client.close();
    router = start('router', 'front');
    await router.ready();
    client = new GrpcClient(router.grpcPort);
    assert.equal((await client.infer(rowOf('model2', 5))).values[0], 5);
  });
});
