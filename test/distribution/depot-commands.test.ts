// The commands of the store of models, with a real NATS: what they say they did, and what they refuse in which words.
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connectNats } from '../../cluster/nats.js';
import type { ConnectionEvents } from '../../cluster/store.js';
import { loadConfig } from '../../runtime/config/load.js';
import { manifestOf } from '../../runtime/distribution/contents.js';
import { Depot } from '../../runtime/distribution/depot.js';
import { modelsText } from '../../runtime/models/command.js';
import { nobody } from '../cluster/access.js';
import { executable, skip } from '../nats/at-hand.js';
import { NatsServers } from '../nats/servers.js';
import { Scratch } from '../processes/harness.js';
import { bytesLike, FileModel } from './file-model.js';

const silent: ConnectionEvents = { away: () => {}, back: () => {}, closed: () => {} };

describe('the commands of a store of models', { skip }, () => {
  let servers: NatsServers;
  before(async () => {
    servers = await NatsServers.start(executable);
  });
  after(() => servers.remove());

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
    assert.equal((await run('remove', 'small', '--version', '1')).text, 'small:1 is taken out of the store');
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
    await assert.rejects(modelsText(['push', model.folder], {}), /say where with --nats nats:\/\/host:port/);
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
    assert.match(text, /nodes\.replica is not a known key; did you mean replicas\?(.|\n)*nothing was pushed/);
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

  test('of several versions that are pushed together none goes where one is refused, and each that is refused is named', async () => {
    const three = new FileModel(scratch.path('three'), 'three', []);
    for (const version of ['2', '3']) three.version(version, bytesLike(Number(version), 100));
    await run('push', three.folder);
    for (const version of ['1', '2', '3']) three.version(version, bytesLike(9, 100));
    await assert.rejects(
      run('push', three.folder),
      /^SignalboxError: the store has three:2 with other content \(\w{10}\), three:3 with other .* --replace; nothing was pushed$/,
    );
    assert.doesNotMatch((await run('stored')).text, /three:1/);
    await run('remove', 'three');
  });

  test('two that push the same at the same moment both come to a good end', async () => {
    const twice = new FileModel(scratch.path('twice'), 'twice').version('1', bytesLike(4, 1000));
    for (const { text } of await Promise.all([1, 2, 3].map(() => run('push', twice.folder))))
      assert.match(text, /^twice:1 is in the store/);
    await run('remove', 'twice');
  });

  test('what versions in config.yaml does not choose any more is told where the store serves it on', async () => {
    const rolled = new FileModel(scratch.path('rolled'), 'rolled', []);
    for (const version of ['1', '2']) rolled.version(version, bytesLike(Number(version), 100));
    await run('push', rolled.folder);
    new FileModel(scratch.path('rolled'), 'rolled', ['versions: [1]']);
    const { text } = await run('push', rolled.folder, '--replace');
    const [first, second, ...more] = text.split('\n');
    assert.match(String(first), /^rolled:1 is replaced/);
    assert.match(String(second), /^rolled:2 stays in the store .*: models remove --version 2 rolled$/);
    assert.deepEqual(more, []);
    await run('remove', '--version', '2', 'rolled');
    assert.doesNotMatch((await run('push', rolled.folder)).text, /stays/);
    await run('remove', 'rolled');
  });

  test('parts that are alike are sent once, and only what was sent is told', async () => {
    const even = new FileModel(scratch.path('even'), 'even').version('1', new Uint8Array(12_000_000));
    assert.match(
      (await run('push', even.folder)).text,
      /: 7\.8 MB sent for 12\.0 MB: parts that are alike go once$/,
    );
    await run('remove', 'even');
  });

  test('flags may stand before the verb, and what stands there in its place is no folder or model', async () => {
    const before = await modelsText(['--nats', servers.urls, '--json', 'stored'], {});
    assert.deepEqual(JSON.parse(before.text), []);
    await assert.rejects(run('pull', 'push', model.folder), {
      name: 'ConfigError',
      message: 'models pull is not known; did you mean push?',
    });
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
});
