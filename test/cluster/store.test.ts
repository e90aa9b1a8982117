// One contract for the stores: in memory and in a real NATS. And fencing upon it: an epoch is given once.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { MemoryStoreServer } from '../../cluster/memory.js';
import { connectNats } from '../../cluster/nats.js';
import type { Connection, ConnectionEvents, Store } from '../../cluster/store.js';
import { executable, skip } from '../nats/at-hand.js';
import { NatsServers } from '../nats/servers.js';
import { until } from '../processes/harness.js';
import { nobody } from './access.js';

const silent: ConnectionEvents = { away: () => {}, back: () => {}, closed: () => {} };
const wanted = { name: 'contract', keepMs: 60_000 };

function contract(connect: () => Promise<Connection>): void {
  let connection: Connection;
  let store: Store;
  before(async () => {
    connection = await connect();
    store = await connection.open(wanted);
  });
  after(() => connection.close());

  test('what is put is read, and each writing has a revision of its own', async () => {
    assert.equal(await store.read('a.one'), undefined);
    const first = await store.put('a.one', 'x');
    const second = await store.put('a.one', 'y');
    assert.ok(second > first);
    assert.deepEqual(await store.read('a.one'), { text: 'y', revision: second });
  });

  test('who writes on an older revision changes nothing', async () => {
    const revision = (await store.write('b', '1', 0)) as number;
    assert.equal(await store.write('b', 'other', 0), undefined);
    const next = (await store.write('b', '2', revision)) as number;
    assert.equal(await store.write('b', 'late', revision), undefined);
    assert.equal(await store.remove('b', revision), false);
    assert.deepEqual(await store.read('b'), { text: '2', revision: next });
    assert.equal(await store.remove('b', next), true);
    assert.equal(await store.read('b'), undefined);
    assert.ok(((await store.write('b', '3', 0)) as number) > next, 'what was taken out can be written anew');
    await store.erase('b');
    assert.equal(await store.read('b'), undefined);
  });

  test('a watch tells what is there, then what changes, and nothing after its end', async () => {
    const told: string[] = [];
    await store.put('c.one', '1');
    const end = await store.watch({
      put: (key, { text }) => told.push(`${key} ${text}`),
      removed: (key) => told.push(`${key} is removed`),
      caughtUp: () => told.push('caught up'),
      ended: (reason) => told.push(reason),
    });
    await until('it has caught up', () => told.includes('caught up'));
    assert.ok(told.indexOf('c.one 1') >= 0 && told.indexOf('c.one 1') < told.indexOf('caught up'));
    told.length = 0;
    const revision = await store.put('c.two', '2');
    await store.remove('c.two', revision);
    await store.put('c.one', '3');
    await until('all is told', () => told.length >= 3);
    assert.deepEqual(told, ['c.two 2', 'c.two is removed', 'c.one 3']);
    end();
    await store.put('c.one', '4');
    await store.read('c.one');
    assert.equal(told.length, 3);
  });

  test('two connections share a store', async () => {
    const other = await connect();
    await (await other.open(wanted)).put('d', 'here');
    assert.equal((await store.read('d'))?.text, 'here');
    await other.close();
  });

  test('of many who write from the same past one is first, and the others are told so', async () => {
    for (let round = 0, expected = 0; round < 3; round++) {
      const words = ['1', '2', '3', '4', '5', '6'];
      const written = await Promise.all(words.map((word) => store.write('e', word, expected)));
      const [first, ...more] = written.filter((revision) => revision !== undefined);
      assert.deepEqual([typeof first, more], ['number', []]);
      const entry = await store.read('e');
      assert.deepEqual(entry, { text: words[written.indexOf(first)], revision: first });
      expected = first as number;
    }
  });
}

describe('a store in memory', () => {
  const server = new MemoryStoreServer();
  contract(async () => server.connect(silent));
});

describe('a store in NATS', { skip }, () => {
  let servers: NatsServers;
  before(async () => {
    servers = await NatsServers.start(executable);
  });
  after(() => servers.remove());
  contract(() => connectNats({ ...nobody, servers: [servers.urls], name: 'contract' }, silent));
});

describe('who can be connected to', { skip }, () => {
  let servers: NatsServers;
  before(async () => {
    servers = await NatsServers.start(executable, { lines: ['authorization { user: one, password: two }'] });
  });
  after(() => servers.remove());

  async function refusal(given: object): Promise<string> {
    const options = { ...nobody, servers: [servers.urls], name: 'contract', ...given };
    try {
      await (await connectNats(options, silent)).close();
      return '';
    } catch (fault) {
      return (fault as Error).message;
    }
  }

  test('the right credentials are taken, others get a sentence', async () => {
    assert.equal(await refusal({ user: 'one', password: 'two' }), '');
    assert.match(await refusal({}), /refuses the credentials, or wants some/);
    assert.match(await refusal({ user: 'one', password: 'three' }), /refuses the credentials/);
    assert.match(await refusal({ credentials: 'none' }), /no credentials file/);
    assert.match(await refusal({ nkeySeed: 'none' }), /nkey/);
    assert.match(await refusal({ servers: ['nats://127.0.0.1:1'] }), /nobody listens there/);
    assert.match(await refusal({ user: 'one', password: 'two', tls: {} }), /TLS|tls/);
  });
});
