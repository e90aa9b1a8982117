// Peers that send rubbish (I12): whatever comes in at the endpoint, nothing changes for the clients, and the log says so.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createConnection } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { Dealer } from 'zeromq';
import { encodeMessage } from '../../proto/codec.js';
import { joinEnvelopes } from '../../proto/frame.js';
import { BusyWorkers } from './busy.js';
import { GrpcClient } from './client.js';
import { apart, pause, type RunningNode, Scratch, startNode, until } from './harness.js';
import { Load } from './load.js';
import { ModelFolder } from './repository.js';

describe('rubbish at the endpoint', () => {
  const scratch = new Scratch();
  let node: RunningNode;
  let client: GrpcClient;
  let flags: Record<string, string | number>;
  before(async () => {
    flags = apart(scratch, new ModelFolder(scratch).simulated('steady').folder);
    node = await startNode({ ...flags, 'hung-kill-ms': 1500 });
    client = new GrpcClient(node.grpcPort);
  });
  after(async () => {
    client.close();
    await node.dispose();
    scratch.remove();
  });

  async function say(routingId: string, deliveries: readonly (readonly Uint8Array[])[]): Promise<void> {
    const dealer = new Dealer({ routingId, linger: 100, sendTimeout: 1000 });
    dealer.connect(String(flags.endpoint));
    for (const frames of deliveries) await dealer.send(frames as Buffer[]);
    await pause(50);
    dealer.close();
  }

  function rubbish(worker: string): Uint8Array[][] {
    const announced = (member: string, cluster: string) =>
      encodeMessage(
        { type: 'member.announced', cluster, member: [member, ['worker'], '', ''], build: '0' },
        0,
      );
    const exited = encodeMessage(
      { type: 'worker.exited', worker, cause: 'crashed', detail: 'so they say' },
      0,
    );
    const judged = encodeMessage(
      { type: 'peer.judged', member: worker, verdict: 'down', reason: 'so they say' },
      0,
    );
    const whole = joinEnvelopes([exited, judged]);
    const other = Buffer.from(whole);
    other[2] = 99;
    return [
      [randomBytes(64)],
      [Buffer.alloc(0)],
      [Buffer.from([0x53, 0x42])],
      [whole.subarray(0, whole.length - 3)],
      [other],
      // Good words of somebody who has not said who he is.
      [whole],
      [joinEnvelopes([announced('stranger.1', 'another cluster')]), randomBytes(10)],
      [joinEnvelopes([announced(worker, String(flags.cluster))])],
      [whole],
      [joinEnvelopes([Buffer.from([0x93, 0x28, 0x00, 0xc0]), Buffer.from([0xc1])])],
      ...Array.from({ length: 50 }, () => [randomBytes(1 + Math.floor(Math.random() * 300)), randomBytes(8)]),
    ];
  }

  test('no request notices, no worker is lost', async () => {
    const workers = node.workers();
    let answers = 0;
    const load = new Load(client, {
      model: 'steady',
      unary: 8,
      streamed: 8,
      answered: () => answers++,
    }).start();
    await until('load is under way', () => answers > 50);
    for (const { member } of workers) await say('stranger.1', rubbish(member));
    await say('x'.repeat(200), rubbish('stranger.1'));
    await new Promise<void>((resolve) => {
      const socket = createConnection(String(flags.endpoint).replace('ipc://', ''));
      socket.on('error', () => {});
      socket.on('close', () => resolve());
      socket.end(randomBytes(2000));
      setTimeout(() => socket.destroy(), 200);
    });
    const reached = answers;
    await until('it goes on', () => answers > reached + 200);
    assert.deepEqual((await load.stop()).errors, [], node.tail());
    assert.deepEqual(node.workers(), workers);
    assert.ok(node.lines.some((line) => line.event === 'envelope.dropped' || line.event === 'link.refused'));
    assert.equal(await node.isReady(), true);
  });

  test('who takes the name of a worker does not keep its place', async () => {
    const [worker] = node.workers();
    const busy = new BusyWorkers(node);
    const told = ({ path }: { path: string }): void => busy.told(path);
    const load = new Load(client, { model: 'steady', unary: 8, deadlineMs: 10_000, told }).start();
    await until('both workers answer', () => busy.now().length === 2);
    await say(worker?.member ?? '', [[randomBytes(64)], [randomBytes(3), randomBytes(80)]]);
    await pause(200);
    await until('both workers answer again', () => busy.now().length === 2);
    assert.deepEqual((await load.stop()).errors, [], node.tail());
    assert.equal(await node.isReady(), true);
  });
});
