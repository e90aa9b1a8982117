// How nodes end, on real processes: a drain loses nothing, and whatever happens to the parent nothing is left behind.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { GrpcClient, rowOf } from './client.js';
import { apart, pause, RunningNode, Scratch, startNode, until } from './harness.js';
import { Load } from './load.js';
import { isAlive, processesWith } from './proc.js';
import { ModelFolder } from './repository.js';

const goneWithinMs = 10_000;
/** Two signals closer than this are taken for one wish. */
const repeatMs = 600;

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

describe('the end of a node', () => {
  const scratch = new Scratch();
  let models = '';
  before(() => {
    models = new ModelFolder(scratch).simulated('steady', { alphaMs: 5 }).folder;
  });
  after(() => scratch.remove());

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`${signal} drains: what is in flight is answered, the exit code is 0, nothing is left`, async (t) => {
      const node = await startNode(apart(scratch, models));
      t.after(() => node.dispose());
      const workers = node.workers();
      assert.equal(workers.length, 2);
      const { httpPort, grpcPort } = node;
      const client = new GrpcClient(grpcPort);
      t.after(() => client.close());
      let answers = 0;
      const load = new Load(client, {
        model: 'steady',
        unary: 8,
        streamed: 8,
        answered: () => answers++,
      }).start();
      await until('load is under way', () => answers > 100);
      const stopped = load.stop();
      // Refused at once, behind all others on the same connection: when its answer is here, those are there.
      assert.equal((await client.infer(rowOf('nobody', 1))).status, 'NOT_FOUND');
      const ended = await node.stop(signal);
      assert.deepEqual((await stopped).errors, [], node.tail());
      assert.deepEqual(ended, { code: 0, signal: null }, node.tail());
      assert.deepEqual(
        workers.map(({ pid }) => isAlive(pid)),
        [false, false],
      );
      assert.equal(await isOpen(httpPort), false);
      assert.equal(await isOpen(grpcPort), false);
    });
  }

  test('what comes while it drains is refused with DRAINING or finds nobody, and is never left hanging', async (t) => {
    const slow = new ModelFolder(scratch).simulated('slow', { alphaMs: 400, rowsMax: 1 }).folder;
    const node = await startNode(apart(scratch, slow));
    t.after(() => node.dispose());
    const client = new GrpcClient(node.grpcPort);
    t.after(() => client.close());
    await client.ask('ServerReady');
    const early = client.infer({ ...rowOf('slow', 1), deadlineMs: 10_000 });
    await client.ask('ServerReady');
    const stopped = node.stop();
    await node.event('node.draining');
    const late = await client.infer({ ...rowOf('slow', 2), deadlineMs: 10_000 });
    const told = await early;
    assert.equal(told.status, 'OK', `${told.message} ${told.path} ${node.tail()}`);
    assert.equal(late.status, 'UNAVAILABLE', late.message);
    assert.equal((await stopped).code, 0);
  });

  test('a REST request that is half here when the node is asked to stop is answered, not refused', async (t) => {
    const node = await startNode(apart(scratch, models));
    t.after(() => node.dispose());
    const body = JSON.stringify({
      inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: [7, 0, 0, 0] }],
    });
    const socket = createConnection({ host: '127.0.0.1', port: node.httpPort });
    let heard = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      heard += text;
    });
    const gone = once(socket, 'close');
    const length = `Content-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`;
    socket.write(`POST /v2/models/steady/infer HTTP/1.1\r\nHost: a\r\n${length}`);
    await once(socket, 'data');
    const stopped = node.stop();
    await node.event('node.draining');
    await until('nobody else is let in', async () => !(await isOpen(node.httpPort)));
    socket.write(body);
    await gone;
    assert.match(heard, /HTTP\/1.1 200 OK.*connection: close.*"data":\[7/is);
    assert.equal((await stopped).code, 0);
  });

  test('what is still under way when its patience ends is told so, and by when it was', async (t) => {
    const slow = new ModelFolder(scratch).simulated('endless', { alphaMs: 60_000, rowsMax: 1 }).folder;
    const node = await startNode({ ...apart(scratch, slow), 'drain-ms': 300 });
    t.after(() => node.dispose());
    const client = new GrpcClient(node.grpcPort);
    t.after(() => client.close());
    await client.ask('ServerReady');
    const asked = client.infer({ ...rowOf('endless', 1), deadlineMs: 120_000 });
    await client.ask('ServerReady');
    const ended = await node.stop();
    const told = await asked;
    assert.equal(told.status, 'UNAVAILABLE', `${told.message} ${node.tail()}`);
    assert.match(told.message, /NODE_STOPPED: the node stopped, .*drainMs.* running at/);
    assert.equal(ended.code, 0, node.tail());
  });

  test('when the node is killed its workers end by themselves, and the next start takes its place', async (t) => {
    const flags = apart(scratch, models);
    const node = await startNode(flags);
    t.after(() => node.dispose());
    const workers = node.workers();
    node.signal('SIGKILL');
    await node.ended;
    await until('its workers are gone', () => !workers.some(({ pid }) => isAlive(pid)), goneWithinMs);
    const next = await startNode(flags);
    t.after(() => next.dispose());
    assert.equal((await next.stop()).code, 0);
  });

  test('when the node is killed while its workers start, they end too', async (t) => {
    const delaysMs = [0, 30, 60, 120];
    const killed = async (delayMs: number): Promise<void> => {
      const flags = apart(scratch, models);
      const node = new RunningNode({ flags });
      t.after(() => node.dispose());
      await node.event('post.bound');
      await pause(delayMs);
      node.signal('SIGKILL');
      const gone = (): boolean => processesWith(String(flags.endpoint)).length === 0;
      await until('nobody of it is left', gone, goneWithinMs);
    };
    await Promise.all(delaysMs.map(killed));
  });

  test('a second signal after a while ends it at once', async (t) => {
    const slow = new ModelFolder(scratch).simulated('endless', { alphaMs: 60_000, rowsMax: 1 }).folder;
    const node = await startNode(apart(scratch, slow));
    t.after(() => node.dispose());
    const workers = node.workers();
    const client = new GrpcClient(node.grpcPort);
    t.after(() => client.close());
    await client.ask('ServerReady');
    void client.infer({ ...rowOf('endless', 1), deadlineMs: 120_000 });
    await client.ask('ServerReady');
    node.signal('SIGTERM');
    await node.event('node.draining');
    await pause(repeatMs);
    node.signal('SIGTERM');
    const ended = await node.ended;
    assert.equal(ended.code, 130);
    await until('its workers are gone', () => !workers.some(({ pid }) => isAlive(pid)), goneWithinMs);
  });

  test('a signal while it starts ends it too', async (t) => {
    const node = new RunningNode({ flags: apart(scratch, models) });
    t.after(() => node.dispose());
    await node.event('post.bound');
    node.signal('SIGTERM');
    const ended = await node.ended;
    assert.ok(ended.code === 0 || ended.code === 130, `${JSON.stringify(ended)} ${node.tail()}`);
    await until('no worker is left', () => node.workers().length === 0, goneWithinMs);
  });
});
