// The store of models, in memory and in a real NATS: what is pushed is there once, an interrupted push goes on, and what is
// taken out leaves nothing behind.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { connect } from 'nats';
import { partsOf } from '../../cluster/manifest.js';
import { MemoryStoreServer } from '../../cluster/memory.js';
import { connectNats } from '../../cluster/nats.js';
import type { Parts } from '../../cluster/parts.js';
import type { ConnectionEvents, PartsConnection } from '../../cluster/store.js';
import { manifestOf, partBytes } from '../../runtime/distribution/contents.js';
import { Depot } from '../../runtime/distribution/depot.js';
import { nobody } from '../cluster/access.js';
import { executable, skip } from '../nats/at-hand.js';
import { NatsServers } from '../nats/servers.js';
import { Scratch } from '../processes/harness.js';
import { bytesLike, FileModel } from './file-model.js';

const silent: ConnectionEvents = { away: () => {}, back: () => {}, closed: () => {} };

function plain(got: Awaited<ReturnType<Parts['get']>>): unknown[] {
  return got instanceof Uint8Array ? [...got] : [got];
}

function contract(connect: () => Promise<PartsConnection>): void {
  const scratch = new Scratch();
  let connection: PartsConnection;
  let depot: Depot;
  let model: FileModel;
  before(async () => {
    connection = await connect();
    depot = await Depot.open(connection, 'contract');
    model = new FileModel(scratch.path('models'), 'large');
    model.version('1', bytesLike(1, 2 * partBytes + 7));
  });
  after(async () => {
    await connection.close();
    scratch.remove();
  });

  const push = async (version: string, mayReplace = false): ReturnType<Depot['push']> =>
    depot.push(await manifestOf(model.wanted(version)), model.folder, { mayReplace });
  const parts = async (): Promise<number> =>
    (await (await connection.parts('signalbox-contract-models')).list()).size;

  test('an empty one has nothing', async () => {
    assert.deepEqual(await depot.list(), []);
    assert.deepEqual(await depot.remove('large'), { names: [], versions: [], unread: 0, parts: 0 });
    assert.equal(await depot.sweep(), 0);
  });

  test('what is pushed is there, and pushing it again changes nothing', async () => {
    const { change, sentParts, bytes } = await push('1');
    assert.deepEqual([change, sentParts], ['new', 4], 'three parts of the file and the configuration');
    assert.ok(bytes > 2 * partBytes);
    const [kept] = await depot.list();
    assert.deepEqual(kept?.manifest, { format: 1, ...(await manifestOf(model.wanted('1'))) });
    assert.deepEqual(((again) => [again.change, again.sentParts])(await push('1')), ['none', 0]);
  });

  test('a second version shares what is equal, and other content for a version wants a word', async () => {
    model.version('2', bytesLike(1, 2 * partBytes + 8));
    const second = await push('2');
    assert.deepEqual([second.change, second.parts, second.sentParts], ['new', 4, 1]);
    model.version('2', bytesLike(2, 100));
    await assert.rejects(
      push('2'),
      /the store has large:2 with other content \([0-9a-f]{10}\): give .* or replace it with --replace/,
    );
    assert.equal((await push('2', true)).change, 'replaced');
    assert.equal(await parts(), 5, 'what was of the old content alone is gone');
  });

  test('a push that was interrupted goes on where it was', async () => {
    model.version('3', bytesLike(3, 3 * partBytes));
    const manifest = await manifestOf(model.wanted('3'));
    const cut = depot.push(manifest, model.folder, {
      mayReplace: false,
      sent: () => {
        throw new Error('cut off');
      },
    });
    await assert.rejects(cut, /cut off/);
    assert.equal((await depot.list()).length, 2, 'it is not there before all of it is');
    const rest = await push('3');
    assert.equal(rest.sentParts, rest.parts - 2, 'the configuration was there, and the first part');
  });

  test('a file that changes while it is pushed is told', async () => {
    model.version('4', bytesLike(4, 10));
    const manifest = await manifestOf(model.wanted('4'));
    model.version('4', bytesLike(5, 10));
    const late = depot.push(manifest, model.folder, { mayReplace: false });
    await assert.rejects(late, /1?4.weights\.bin has changed while large:4 was pushed: push it again/);
  });

  test('what would be refused where it is read is not pushed', async () => {
    const manifest = { ...(await manifestOf(model.wanted('1'))), digest: 'a'.repeat(64) };
    await assert.rejects(
      depot.push(manifest, model.folder, { mayReplace: true }),
      /the manifest large\.1 is called aaaaaaaaaa, and its files make/,
    );
  });

  test('nothing is swept out while it is not known what is needed', async () => {
    const manifests = await connection.open({ name: 'signalbox-contract-manifests', keepMs: 0 });
    await manifests.put('odd.1', '{"format":9}');
    await assert.rejects(
      depot.sweep(),
      /nobody knows which parts are needed: the manifest odd\.1 is of format 9, .*; take it out with: models remove --version 1 odd$/,
    );
    await manifests.put('od=d.2', 'x');
    await manifests.put('rubbish', 'x');
    assert.deepEqual((await depot.remove('odd', '2')).names, []);
    assert.deepEqual(await depot.remove('odd', '1'), {
      names: ['odd:1'],
      versions: ['1'],
      unread: 1,
      parts: 0,
    });
    await assert.rejects(
      depot.sweep(),
      /od=d\.2 is not JSON; .* remove --version 2 od\.d; .* remove rubbish$/,
    );
    assert.deepEqual((await depot.remove('od.d')).versions, ['2'], 'with all of its model');
    assert.deepEqual((await depot.remove('rubbish')).names, ['rubbish']);
    assert.equal(await depot.sweep(), 0);
  });

  test('a push that ends while a sweep takes what it counts on is told, and pushing it again mends it', async () => {
    model.version('5', bytesLike(7, 100));
    const manifest = await manifestOf(model.wanted('5'));
    const fifth = () => depot.push(manifest, model.folder, { mayReplace: false });
    const store = await connection.parts('signalbox-contract-models');
    let isPushed = false;
    const late: Parts = {
      list: () => store.list(),
      put: (name, bytes) => store.put(name, bytes),
      get: (name, sizeBytes, givenUp) => store.get(name, sizeBytes, givenUp),
      sweep: (quietMs) => store.sweep(quietMs),
      remove: async (name) => {
        if (!isPushed) await fifth();
        isPushed = true;
        await store.remove(name);
      },
    };
    const open: PartsConnection['open'] = (options) => connection.open(options);
    const sweeper = await Depot.open({ open, parts: async () => late, close: async () => {} }, 'contract');
    const [part = ''] = manifest.files.find(({ path }) => path === '5/weights.bin')?.parts ?? [];
    await store.put(part, bytesLike(7, 100));
    await assert.rejects(
      sweeper.sweep(),
      /^SignalboxError: large:5 came into the store while .*: push it again$/,
    );
    assert.deepEqual([(await fifth()).sentParts, (await store.list()).has(part)], [1, true]);
    await depot.remove('large', '5');
  });

  test('a part of which whoever asks for it gives up is not waited for', async () => {
    const store = await connection.parts('signalbox-contract-models');
    const name = 'e'.repeat(64);
    await store.put(name, bytesLike(8, 10));
    await assert.rejects(
      store.get(name, 10, AbortSignal.abort('not wanted any more')),
      /not wanted any more/,
    );
    await store.remove(name);
  });

  test('a part of another size than it should be is not taken in', async () => {
    const store = await connection.parts('signalbox-contract-models');
    const name = 'd'.repeat(64);
    await store.put(name, bytesLike(8, 10));
    const { signal } = new AbortController();
    for (const sizeBytes of [0, 9, 11]) assert.equal(await store.get(name, sizeBytes, signal), 'otherSize');
    assert.deepEqual(plain(await store.get(name, 10, signal)), [...bytesLike(8, 10)]);
    await store.put(name, new Uint8Array());
    assert.deepEqual(plain(await store.get(name, 0, signal)), []);
    await store.remove(name);
    assert.equal(await store.get(name, 0, signal), undefined);
  });

  test('what is removed leaves nothing that others do not need, and a sweep takes what pushes have left', async () => {
    const third = await manifestOf(model.wanted('3'));
    assert.deepEqual(await depot.remove('large', '3'), {
      names: ['large:3'],
      versions: ['3'],
      unread: 0,
      parts: partsOf(third).size - 1,
    });
    const store = await connection.parts('signalbox-contract-models');
    await store.put('f'.repeat(64), bytesLike(6, 10));
    assert.equal(await depot.sweep(), 1);
    assert.deepEqual((await depot.remove('large')).versions, ['1', '2']);
    assert.equal(await parts(), 0);
  });
}

describe('a store of models in memory', () => {
  const server = new MemoryStoreServer();
  contract(async () => server.connect(silent));
});

describe('a store of models in NATS', { skip }, () => {
  let servers: NatsServers;
  before(async () => {
    servers = await NatsServers.start(executable);
  });
  after(() => servers.remove());
  contract(() => connectNats({ ...nobody, servers: [servers.urls], name: 'contract' }, silent));

  test('what a put has left that was killed is swept out once nothing more can come of it', async () => {
    const connection = await connectNats({ ...nobody, servers: [servers.urls], name: 'sweep' }, silent);
    const depot = await Depot.open(connection, 'halves');
    const parts = await connection.parts('signalbox-halves-models');
    const whole = 'a'.repeat(64);
    await parts.put(whole, bytesLike(1, 300_000));
    const raw = await connect({ servers: servers.urls });
    for (let piece = 0; piece < 2; piece++)
      await raw.jetstream().publish('$O.signalbox-halves-models.C.half', bytesLike(piece, 1000));
    await raw.close();
    assert.equal(await parts.sweep(60_000), 0, 'it may go on yet');
    assert.equal(await parts.sweep(0), 1);
    assert.equal(await parts.sweep(0), 0);
    const kept = await parts.get(whole, 300_000, new AbortController().signal);
    assert.equal(plain(kept).length, 300_000, 'what is told of stays');
    assert.equal(await depot.sweep(), 1, 'but for that nothing is made of it');
    await connection.close();
  });

  test('of parts that are gone nothing is left, neither of one that is removed nor of those that went before', async () => {
    const connection = await connectNats({ ...nobody, servers: [servers.urls], name: 'words' }, silent);
    const bucket = 'signalbox-words-models';
    const parts = await connection.parts(bucket);
    const raw = await connect({ servers: servers.urls });
    const { streams } = await raw.jetstreamManager();
    const messages = async (): Promise<number> => (await streams.info(`OBJ_${bucket}`)).state.messages;
    const names = ['~~~??>', 'b', 'c'];
    for (const name of names) await parts.put(name, bytesLike(1, 1000));
    const whole = (await messages()) / names.length;
    await parts.remove('~~~??>');
    assert.equal(await messages(), 2 * whole);
    await (await raw.jetstream().views.os(bucket)).delete('b');
    assert.ok((await messages()) > whole, 'the library leaves a word of it');
    assert.equal(await parts.sweep(0), 0);
    assert.equal(await messages(), whole);
    assert.deepEqual([...(await parts.list())], ['c']);
    await parts.remove('never there');
    await raw.close();
    await connection.close();
  });

  test('a part whose pieces are more than the store tells of it does not come', async () => {
    const connection = await connectNats({ ...nobody, servers: [servers.urls], name: 'swollen' }, silent);
    const bucket = 'signalbox-swollen-models';
    const parts = await connection.parts(bucket);
    const pieces = 64;
    await parts.put('swollen', bytesLike(1, 1000));
    const raw = await connect({ servers: servers.urls });
    const jetstream = raw.jetstream();
    const { nuid = '' } = (await (await jetstream.views.os(bucket)).info('swollen')) ?? {};
    for (let piece = 0; piece < pieces; piece++)
      await jetstream.publish(`$O.${bucket}.C.${nuid}`, bytesLike(piece, 1000));
    const about = { name: 'swollen', bucket, nuid, chunks: pieces, digest: '' };
    await jetstream.publish(`$O.${bucket}.M.${btoa('swollen')}`, JSON.stringify({ ...about, size: 1500 }));
    await raw.close();
    assert.equal(await parts.get('swollen', 1500, new AbortController().signal), 'otherSize');
    await connection.close();
  });

  test('who gives up a part before its pieces are asked for hears so, also where they never come', {
    timeout: 20_000,
  }, async () => {
    const connection = await connectNats({ ...nobody, servers: [servers.urls], name: 'gone' }, silent);
    const bucket = 'signalbox-gone-models';
    const parts = await connection.parts(bucket);
    await parts.put('torn', bytesLike(1, 1000));
    const raw = await connect({ servers: servers.urls });
    const { streams } = await raw.jetstreamManager();
    await streams.purge(`OBJ_${bucket}`, { filter: `$O.${bucket}.C.>` });
    await raw.close();
    const stop = new AbortController();
    const got = parts.get('torn', 1000, stop.signal);
    stop.abort('the model was removed');
    await assert.rejects(got, /the model was removed/);
    await connection.close();
  });
});
