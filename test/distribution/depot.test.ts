// The store of models, in memory and in a real NATS: what is pushed is there once, an interrupted push goes on, and what is
// taken out leaves nothing behind.
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect } from 'nats';
import { partsOf } from '../../cluster/manifest.js';
import { MemoryStoreServer } from '../../cluster/memory.js';
import { connectNats } from '../../cluster/nats.js';
import type { Parts } from '../../cluster/parts.js';
import type { ConnectionEvents, PartsConnection } from '../../cluster/store.js';
import { loadConfig } from '../../runtime/config/load.js';
import { manifestOf, partBytes } from '../../runtime/distribution/contents.js';
import { Depot } from '../../runtime/distribution/depot.js';
import { modelsText } from '../../runtime/models/command.js';
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

  test('a push into one that has no room says so', async () => {
    const scratch = new Scratch();
    const small = await NatsServers.start(executable, { more: { fileBytesMax: 200_000 } });
    try {
      const model = new FileModel(scratch.path('models'), 'large').version('1', bytesLike(1, 400_000));
      const { text, isGood } = await modelsText(['push', model.folder, '--json'], {
        SIGNALBOX_NATS: small.urls,
      });
      const { code, error } = JSON.parse(text) as { code: string; error: string };
      assert.deepEqual([isGood, code], [false, 'STORE_UNREACHABLE']);
      assert.match(
        error,
        /^the store of models in NATS at nats:.* can't be used: it is full: .*max_file_store/,
      );
    } finally {
      await small.remove();
      scratch.remove();
    }
  });

  describe('by its commands', () => {
    const scratch = new Scratch();
    const model = new FileModel(scratch.path('models'), 'small');
    before(() => model.version('1', bytesLike(1, 1000)).version('2', bytesLike(2, 1000)));
    after(() => scratch.remove());
    const run = (...args: string[]) => modelsText(args, { SIGNALBOX_NATS: servers.urls });

    test('push, stored, remove and sweep say what they did', async () => {
      const { text } = await run('push', model.folder);
      assert.match(text, /^small:1 is in the store \([0-9a-f]{10}\): \d kB sent\nsmall:2 is in the store/);
      assert.match(
        (await run('push', model.folder, '--version', '2')).text,
        /^small:2 is in the store already .*: nothing changed$/,
      );
      assert.match(
        (await run('stored')).text,
        /^small:1 {2}[0-9a-f]{10} {2}2 files, 2 kB {2}on 2 nodes with big\n/,
      );
      const listed = JSON.parse((await run('stored', '--json')).text) as { replicas: number }[];
      assert.deepEqual(
        listed.map(({ replicas }) => replicas),
        [2, 2],
      );
      assert.equal(
        (await run('remove', 'small', '--version', '1')).text,
        'small:1 is taken out of the store',
      );
      assert.equal(
        (await run('push', scratch.path('models'))).text.split('\n').length,
        2,
        'a folder of models',
      );
      assert.equal((await run('remove', 'small')).text, 'small:1, 2 is taken out of the store');
      assert.equal((await run('stored')).text, 'the store has no models');
      assert.equal((await run('sweep')).text, 'nothing was left there');
    });

    test('what can not be read and what was pushed under the name of a flag can be taken out', async () => {
      const connection = await connectNats({ ...nobody, servers: [servers.urls], name: 'vandal' }, silent);
      const { cluster } = loadConfig([], {}).config;
      const manifests = await connection.open({ name: `signalbox-${cluster}-manifests`, keepMs: 0 });
      await manifests.put('torn.1', '{');
      const dash = new FileModel(scratch.path('flags'), '-dash').version('1', bytesLike(1, 10));
      const depot = await Depot.open(connection, cluster);
      await depot.push(await manifestOf(dash.wanted('1')), dash.folder, { mayReplace: false });
      await connection.close();
      const way = 'the manifest torn.1 is not JSON; take it out with: models remove --version 1 torn';
      assert.ok((await run('stored')).text.split('\n').includes(way));
      await assert.rejects(run('sweep'), (fault: Error) => fault.message.endsWith(way));
      await assert.rejects(run('remove', 'none'), /has no model none; it has -dash:1, torn:1$/);
      assert.equal(
        (await run('remove', 'torn', '--version', '1')).text,
        'torn:1 is taken out of the store; of which parts it was made nobody knows: models sweep takes them out',
      );
      assert.equal((await run('remove', '--', '-dash')).text, '-dash:1 is taken out of the store');
      assert.equal((await run('stored')).text, 'the store has no models');
    });

    test('wrong use and bad models are told', async () => {
      await assert.rejects(
        modelsText(['push', model.folder], {}),
        /say where with --nats nats:\/\/host:port/,
      );
      await assert.rejects(run('push'), /models push needs the folder of a model/);
      await assert.rejects(
        run('push', scratch.path('none')),
        /none can't be read: wanted is the folder of a model/,
      );
      await assert.rejects(
        run('push', model.folder, '--version', '7'),
        /has no version 7 to serve; it has 1, 2/,
      );
      await assert.rejects(
        run('push', model.folder, '--version', 'x'),
        /--version is "x"; wanted are numbers from 1/,
      );
      await assert.rejects(run('push', model.folder, '--replac'), /did you mean --replace\?/);
      await assert.rejects(run('remove', 'small'), /the store has no model small; it has nothing/);
      await assert.rejects(run('stored', 'all'), /models stored takes no words; all is too many/);
      await assert.rejects(
        modelsText(['stored', '--nats', 'nats://127.0.0.1:9'], {}),
        /can't be used at nats:\/\/127\.0\.0\.1:9: nobody listens there/,
      );
      const bad = new FileModel(scratch.path('more'), 'bad', ['nodes: { replica: 1 }']);
      bad.version('1', bytesLike(1, 10));
      const { text, isGood } = await run('push', bad.folder);
      assert.equal(isGood, false);
      assert.match(
        text,
        /nodes\.replica is not a known key; did you mean replicas\?(.|\n)*nothing was pushed/,
      );
      const told = await run('push', bad.folder, '--json');
      assert.equal(told.isGood, false);
      const refusal = JSON.parse(told.text) as { code: string; error: string; mistakes: { key: string }[] };
      assert.equal(refusal.code, 'MODEL_INVALID');
      assert.match(refusal.error, /config\.yaml: .*nodes\.replica is not a known key.*; nothing was pushed$/);
      assert.deepEqual(
        refusal.mistakes.map(({ key }) => key),
        ['nodes.replica'],
      );
      const empty = scratch.path('empty');
      mkdirSync(empty);
      writeFileSync(join(empty, 'note.txt'), '');
      await assert.rejects(run('push', empty), /is no model and has none/);
      rmSync(empty, { recursive: true });
    });

    test('a folder that is no good name for a model is told, and so is one of a version', async () => {
      const odd = new FileModel(scratch.path('odd'), 'my model').version('1', bytesLike(1, 10));
      const said = /my model can't be pushed: its folder's name is the model's, .*; rename it/;
      await assert.rejects(run('push', odd.folder), said);
      await assert.rejects(run('push', scratch.path('odd')), said);
      const dash = new FileModel(scratch.path('dashed'), '-dash').version('1', bytesLike(1, 10));
      await assert.rejects(
        run('push', dash.folder),
        /-dash can't be pushed: .*, the first neither a dot nor -, with which flags of commands begin; rename it$/,
      );
      writeFileSync(join(model.folder, '1', 'model.onnx'), '');
      await assert.rejects(
        run('push', join(model.folder, '1')),
        /1 is one version of a model: push .*small, with --version 1 for it alone/,
      );
      rmSync(join(model.folder, '1', 'model.onnx'));
    });

    test('with --json what can not be done is told as JSON, with its code', async () => {
      const refused = async (...args: string[]): Promise<unknown[]> => {
        const { text, isGood } = await modelsText([...args, '--json'], { SIGNALBOX_NATS: servers.urls });
        const { code, error } = JSON.parse(text) as { code: string; error: string };
        return [isGood, code, error];
      };
      const nowhere = ['--nats', 'nats://127.0.0.1:9'];
      const [isGood, code, error] = await refused('stored', ...nowhere);
      assert.deepEqual([isGood, code], [false, 'STORE_UNREACHABLE']);
      assert.match(String(error), /^NATS can't be used at nats:.*nobody listens there.*settings right\?$/);
      assert.deepEqual(await refused('remove', 'small'), [
        false,
        'MODEL_UNKNOWN',
        'the store has no model small; it has nothing',
      ]);
      await run('push', model.folder, '--version', '1');
      model.version('1', bytesLike(3, 1000));
      assert.equal((await refused('push', model.folder, '--version', '1'))[1], 'STORE_CONFLICT');
      await run('remove', 'small');
    });
  });
});
