// Buckets that were made with one copy, as they are while servers of a cluster are missing: they get the others once those
// are there, so that the loss of any one server can be borne from then on.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { connect, type NatsConnection, StorageType } from 'nats';
import { type Adding, Copies } from '../../cluster/copies.js';
import { connectNats } from '../../cluster/nats.js';
import type { PartsConnection } from '../../cluster/store.js';
import { executable, skip } from '../nats/at-hand.js';
import { NatsServers } from '../nats/servers.js';
import { until } from '../processes/harness.js';
import { nobody } from './access.js';

describe('the copies of buckets', { skip }, () => {
  const streams = ['KV_members', 'KV_owners', 'KV_manifests', 'OBJ_models'];
  const open: { close(): Promise<void> }[] = [];
  let servers: NatsServers;
  let asking: NatsConnection;
  before(async () => {
    const users = `{ user: owner, password: x }, { user: guest, password: x, permissions { publish {
      deny: ["$JS.API.STREAM.UPDATE.>"] } } }`;
    servers = await NatsServers.start(executable, {
      nodes: 3,
      lines: [`authorization { users = [ ${users} ] }`],
    });
    asking = await connect({ servers: servers.urls.split(','), user: 'owner', pass: 'x' });
    open.push(asking);
    const manager = await asking.jetstreamManager();
    for (const name of ['members', 'owners', 'manifests'])
      await asking.jetstream().views.kv(name, { replicas: 1 });
    const subjects = ['$O.models.C.>', '$O.models.M.>'];
    const about = { allow_rollup_hdrs: true, allow_direct: true, storage: StorageType.File };
    await manager.streams.add({ name: 'OBJ_models', subjects, num_replicas: 1, ...about });
  });
  after(async () => {
    await Promise.all(open.map((connection) => connection.close()));
    await servers?.remove();
  });

  async function enter(user: string, lacks: (reason: string) => void): Promise<PartsConnection> {
    const who = { ...nobody, servers: servers.urls.split(','), name: user, user, password: 'x' };
    const connection = await connectNats(who, { away: () => {}, back: () => {}, closed: () => {}, lacks });
    open.push(connection);
    return connection;
  }

  async function openAll(connection: PartsConnection): Promise<void> {
    for (const name of ['members', 'owners', 'manifests']) await connection.open({ name, keepMs: 0 });
    await connection.parts('models');
  }

  async function copies(): Promise<number[]> {
    const manager = await asking.jetstreamManager();
    const all = await Promise.all(streams.map((name) => manager.streams.info(name)));
    return all.map(({ cluster }) => 1 + (cluster?.replicas?.filter(({ current }) => current).length ?? 0));
  }

  test('stay as few as they are where a node may not add any, and it says so once for each', async () => {
    const told: string[] = [];
    const guest = await enter('guest', (reason) => told.push(reason));
    await openAll(guest);
    await until('all are told', () => told.length >= streams.length);
    await openAll(guest);
    assert.deepEqual(
      told.sort(),
      streams
        .map(
          (name) =>
            `${name} lacks copies, to be added by those who may: ` +
            `these credentials may not publish to $JS.API.STREAM.UPDATE.${name}`,
        )
        .sort(),
    );
    assert.deepEqual(await copies(), [1, 1, 1, 1]);
  });

  test('are three, of entries and of parts, once three servers are there and a node has opened them', async () => {
    const told: string[] = [];
    const owner = await enter('owner', (reason) => told.push(reason));
    await openAll(owner);
    await until('all have three', async () => (await copies()).every((count) => count === 3), 20_000, 50);
    assert.deepEqual(told, []);
  });
});

describe('copies that are lacking', () => {
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  test('are tried for now and then until all are there, and then no more', async () => {
    const answers: Record<string, (Adding | undefined)[]> = { a: [undefined, 'full'], b: ['full'] };
    const tried: string[] = [];
    const copies = new Copies(
      async (stream) => {
        tried.push(stream);
        const answer = answers[stream]?.shift();
        if (answer === undefined) throw new Error('a server is missing');
        return answer;
      },
      (reason) => assert.fail(reason),
    );
    copies.opened('a');
    copies.opened('b');
    await turn();
    assert.deepEqual(tried, ['a', 'b']);
    for (let beat = 0; beat < 20; beat++) {
      copies.beat();
      await turn();
    }
    assert.deepEqual(tried, ['a', 'b', 'a']);
  });

  test('are left to others by who may not add them', async () => {
    const told: string[] = [];
    let tries = 0;
    const copies = new Copies(
      async () => {
        tries++;
        return { refused: 'no' };
      },
      (reason) => told.push(reason),
    );
    for (let round = 0; round < 20; round++) {
      copies.opened('a');
      copies.beat();
      await turn();
    }
    assert.deepEqual([tries, told.length], [1, 1]);
  });
});
