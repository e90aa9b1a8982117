// The table of a connection's open calls: as good as Node's own for whatever becomes of calls and connections, and left
// alone where a server is made otherwise.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import {
  OpenStreams,
  replaceStreamTable,
  replaceStreamTables,
} from '../../runtime/doors/grpc/open-streams.js';
import { Dice } from './dice.js';

const cleanings: (() => void)[] = [];
after(() => {
  for (const clean of cleanings) clean();
});

async function opened() {
  const server = createServer();
  const replaced: boolean[] = [];
  server.on('session', (session) => replaced.push(replaceStreamTable(session)));
  const streams: ServerHttp2Stream[] = [];
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    streams.push(stream);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  cleanings.push(() => {
    client.destroy();
    server.close();
  });
  const [session] = (await once(server, 'session')) as [ServerHttp2Session];
  return { server, client, session, streams, replaced };
}

function tableOf(session: object): unknown {
  const symbol = Object.getOwnPropertySymbols(session).find(({ description }) => description === 'state');
  return ((session as Record<symbol, unknown>)[symbol as symbol] as { streams: unknown }).streams;
}

test('a server session has it, and it is empty again after many calls', async () => {
  const { server, client, session, replaced } = await opened();
  server.on('stream', (stream) => stream.respond({ ':status': 204 }, { endStream: true }));
  for (let round = 0; round < 10; round++) {
    const calls = Array.from({ length: 50 }, () => client.request({ ':path': '/' }).resume());
    await Promise.all(calls.map((call) => once(call, 'close')));
  }
  const table = tableOf(session);
  assert.deepEqual(replaced, [true]);
  assert.ok(table instanceof OpenStreams);
  client.close();
  await once(session, 'close');
  assert.equal(table.size, 0);
});

test('a session that ends by force ends all calls that are open, one that ends in order waits for them', async () => {
  const { server, client, session, streams } = await opened();
  const calls = Array.from({ length: 40 }, () => client.request({ ':path': '/' }));
  for (const call of calls) call.on('error', () => {});
  while (streams.length < calls.length) await once(server, 'stream');
  session.close();
  assert.equal((tableOf(session) as OpenStreams).size, 40);
  streams[7]?.respond({ ':status': 200 }, { endStream: true });
  const closed = Promise.all(streams.map((stream) => (stream.closed ? undefined : once(stream, 'close'))));
  session.destroy();
  await closed;
  assert.ok(streams.every((stream) => stream.destroyed));
});

test('it is a Map by number, whatever comes and goes', () => {
  const dice = new Dice(5);
  const [own, plain] = [new OpenStreams<{ id: number }>(), new Map<number, { id: number }>()];
  for (let turn = 0; turn < 5000; turn++) {
    const id = 1 + 2 * dice.below(300);
    if (dice.below(2) === 0) {
      const value = { id: turn };
      own.set(id, value);
      plain.set(id, value);
    } else assert.equal(own.delete(id), plain.delete(id));
    assert.equal(own.get(id), plain.get(id));
    assert.equal(own.has(id), plain.has(id));
    assert.equal(own.size, plain.size);
  }
  const sorted = [...plain].sort(([a], [b]) => a - b);
  assert.deepEqual([...own], sorted);
  assert.deepEqual([...own.keys()], [...sorted.map(([id]) => id)]);
  assert.deepEqual([...own.values()], [...sorted.map(([, value]) => value)]);
  const visited: number[] = [];
  own.forEach((_, id) => {
    visited.push(id);
    for (const other of own.keys()) if (other > id) own.delete(other);
  });
  assert.deepEqual(visited, [sorted[0]?.[0]]);
  own.clear();
  assert.deepEqual([...own], []);
});

test('what is made otherwise is left alone', () => {
  const other = { listen: () => {} };
  replaceStreamTables(other);
  assert.deepEqual(Object.keys(other), ['listen']);
  assert.equal(replaceStreamTable({}), false);
  assert.equal(replaceStreamTable({ [Symbol('state')]: undefined }), false);
  assert.equal(replaceStreamTable({ [Symbol('state')]: { streams: new Map([[1, {}]]) } }), false);
});
