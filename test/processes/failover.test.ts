// The first promise, on real processes: workers are killed and frozen under load, and no client notices.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BusyWorkers } from './busy.js';
import { GrpcClient } from './client.js';
import { apart, pause, type RunningNode, Scratch, startNode, until } from './harness.js';
import { Load } from './load.js';
import { signal } from './proc.js';
import { ModelFolder } from './repository.js';

const kills = 10;
const stops = 4;
const frozenMs = 600;

describe('failover', () => {
  const scratch = new Scratch();
  let node: RunningNode;
  let client: GrpcClient;
  before(async () => {
    const models = new ModelFolder(scratch).simulated('steady', { alphaMs: 8, betaMs: 1 }).folder;
    node = await startNode({ ...apart(scratch, models), 'worker-count': 3, 'restarts-max': 1000 });
    client = new GrpcClient(node.grpcPort);
  });
  after(async () => {
    client.close();
    await node.dispose();
    scratch.remove();
  });

  test(`${kills} kills of busy workers: every request has its one right answer`, async () => {
    const busy = new BusyWorkers(node);
    const load = new Load(client, {
      model: 'steady',
      unary: 16,
      streamed: 16,
      told: ({ path }) => busy.told(path),
    }).start();
    for (let kill = 0; kill < kills; kill++) {
      await until('two workers are busy', () => busy.now().length >= 2);
      const victim = busy.now()[kill % 2];
      signal(victim?.pid ?? 0, 'SIGKILL');
      await until('it is gone', () => !node.workers().some(({ pid }) => pid === victim?.pid));
    }
    const result = await load.stop();
    assert.deepEqual(result.errors, [], node.tail());
    assert.deepEqual([result.doubles, result.unanswered], [0, 0]);
    assert.ok(result.sent > kills * 16);
  });

  test(`${stops} freezes of busy workers: their jobs run elsewhere, and what thaws answers nothing twice`, async () => {
    const busy = new BusyWorkers(node);
    const load = new Load(client, {
      model: 'steady',
      unary: 16,
      streamed: 16,
      told: ({ path }) => busy.told(path),
    }).start();
    for (let stop = 0; stop < stops; stop++) {
      await until('three workers are busy', () => busy.now().length === 3);
      const victim = busy.now()[stop % 3]?.pid ?? 0;
      signal(victim, 'SIGSTOP');
      await pause(frozenMs);
      signal(victim, 'SIGCONT');
    }
    await until('the thawed works again', () => busy.now().length === 3);
    const result = await load.stop();
    assert.deepEqual(result.errors, [], node.tail());
    assert.deepEqual([result.doubles, result.unanswered], [0, 0]);
  });

  test('readiness says no while nobody can answer, and yes when somebody can again', async () => {
    assert.equal(await node.isReady(), true);
    for (const { pid } of node.workers()) signal(pid, 'SIGSTOP');
    await until('it says that it is not ready', async () => !(await node.isReady()), 2000);
    for (const { pid } of node.workers()) signal(pid, 'SIGCONT');
    await until('it is ready again', () => node.isReady());
    for (const { pid } of node.workers()) signal(pid, 'SIGKILL');
    await until('it says that it is not ready', async () => !(await node.isReady()), 2000, 2);
    await until('it is ready again', () => node.isReady());
  });
});
