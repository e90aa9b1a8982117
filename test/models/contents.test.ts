// Names of editions by what is in them: two processes that never spoke call the same files the same, whenever they read them.
import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { manifestOf } from '../../runtime/distribution/contents.js';
import { createLog } from '../../runtime/log.js';
import { Contents } from '../../runtime/models/contents.js';
import { editionOf, type ModelEntry } from '../../runtime/models/entry.js';
import { Shelf } from '../../runtime/models/shelf.js';
import { isAsRead } from '../../runtime/models/stamp.js';
import { Catalogue } from '../../runtime/node/catalogue.js';
import { FileModel } from '../distribution/file-model.js';
import { onnxIdentity } from '../executor/onnx.js';
import { Scratch } from '../processes/harness.js';

const scratch = new Scratch();
const log = createLog('silent', 'test');
after(() => scratch.remove());

/** A machine with a copy of the models, which reads them when it is asked. */
function machine(models: string, name: string): { shelf: Shelf; folder: string; cache: string } {
  const folder = scratch.path(name);
  cpSync(models, folder, { recursive: true });
  const cache = scratch.path(`cache-${name}`);
  return { shelf: new Shelf(folder, log, new Contents(cache)), folder, cache };
}

async function entryOf(shelf: Shelf): Promise<ModelEntry> {
  return (await shelf.scan('some'))?.[0] as ModelEntry;
}

function models(name: string): FileModel {
  const model = new FileModel(scratch.path(name), 'some', []);
  return model.version('1', Buffer.from('weights'));
}

test('two machines name the same files the same, also when one of them has read them only after a change', async () => {
  const source = models('models');
  const one = machine(scratch.path('models'), 'one');
  const first = new Catalogue([await entryOf(one.shelf)]);
  const before = editionOf(first.models[0] as ModelEntry);
  for (const { folder } of [one]) writeFileSync(join(folder, 'some', '1', 'weights.bin'), 'others');
  source.version('1', Buffer.from('others'));
  const two = machine(scratch.path('models'), 'two');
  first.take('some', [await entryOf(one.shelf)], true);
  const second = new Catalogue([await entryOf(two.shelf)]);
  const [here, there] = [first, second].map((catalogue) => editionOf(catalogue.models[0] as ModelEntry));
  assert.equal(here, there);
  assert.notEqual(here, before);
  assert.equal(
    here,
    `1+${(await manifestOf(source.wanted('1'))).digest.slice(0, 10)}`,
    'as a push names them',
  );
});

test('what was only touched is the same, and its entry goes by how it lies there now', async () => {
  models('touched');
  const { shelf, folder } = machine(scratch.path('touched'), 'three');
  const before = await entryOf(shelf);
  const catalogue = new Catalogue([before]);
  utimesSync(join(folder, 'some', '1', 'weights.bin'), 1, 1);
  const after = await entryOf(shelf);
  assert.equal(editionOf(after), editionOf(before));
  assert.notEqual(after.stamp, before.stamp);
  catalogue.take('some', [after], false);
  assert.equal(catalogue.wanted()[0]?.stamp, after.stamp);
});

test('a worker takes files that were copied over by the same ones for what they are, and others not', async () => {
  const folder = scratch.path('copied');
  const model = new FileModel(folder, 'some', []);
  writeFileSync(join(model.folder, 'config.yaml'), 'maxBatch: 0\n');
  model.version('1', Buffer.from('beside'));
  const file = join(model.folder, '1', 'model.onnx');
  writeFileSync(file, onnxIdentity('FP32', 4));
  const entry = await entryOf(new Shelf(folder, log, new Contents()));
  assert.equal(entry.state, 'available', entry.reason);
  assert.equal(await isAsRead(entry), true);
  writeFileSync(file, onnxIdentity('FP32', 4));
  utimesSync(file, 1, 1);
  assert.equal(await isAsRead(entry), true);
  assert.equal(
    await isAsRead({ ...entry, content: undefined }),
    false,
    'without a name by content it can not know',
  );
  writeFileSync(file, onnxIdentity('FP32', 5));
  assert.equal(await isAsRead(entry), false);
});

test('what was read once is not read again, in another process neither', async () => {
  models('kept');
  const { shelf, folder, cache } = machine(scratch.path('kept'), 'five');
  const before = editionOf(await entryOf(shelf));
  const kept = join(cache, 'digests.json');
  const told = JSON.parse(readFileSync(kept, 'utf8')) as [string, { sha256: string }][];
  assert.deepEqual(
    told.map(([path]) => path).sort(),
    ['1/weights.bin', 'config.yaml'].map((path) => join(folder, 'some', path)),
  );
  for (const [, digest] of told) digest.sha256 = '0'.repeat(64);
  writeFileSync(kept, JSON.stringify(told));
  const again = new Shelf(folder, log, new Contents(cache));
  assert.notEqual(editionOf(await entryOf(again)), before, 'it goes by what was kept');
  writeFileSync(kept, 'rubbish');
  assert.equal(editionOf(await entryOf(new Shelf(folder, log, new Contents(cache)))), before);
});

test('nodes that keep what they have read in one folder take nothing from each other', async () => {
  const cache = scratch.path('cache-shared');
  const nodes = ['seven', 'eight'].map((name) => ({ contents: new Contents(cache), model: models(name) }));
  // Both know what was kept before either of them keeps something.
  for (const { contents, model } of nodes) await contents.of(model.folder, '1');
  for (const { contents } of nodes) await contents.keep();
  const told = JSON.parse(readFileSync(join(cache, 'digests.json'), 'utf8')) as [string][];
  assert.equal(told.length, 2 * nodes.length);
  assert.deepEqual(readdirSync(cache), ['digests.json'], 'nothing is left beside it');
});

test('what changes while it is read is read again: an entry has the content and the configuration of one moment', async () => {
  const model = models('changing');
  const contents = new Contents();
  const config = join(model.folder, 'config.yaml');
  const of = contents.of.bind(contents);
  let changes = 0;
  contents.of = async (folder, version) => {
    if (changes++ === 0)
      writeFileSync(config, readFileSync(config, 'utf8').replace('maxBatch: 4', 'maxBatch: 9'));
    return of(folder, version);
  };
  const entry = await entryOf(new Shelf(scratch.path('changing'), log, contents));
  assert.equal(entry.maxBatch, 9);
  assert.equal(entry.content, await of(model.folder, '1'));
});

test('of a version in both folders the own one counts', async () => {
  const source = models('both');
  source.version('2', Buffer.from('second'));
  const own = machine(scratch.path('both'), 'six');
  own.shelf.put('some', '2', { folder: source.folder, content: 'fetched' });
  own.shelf.put('some', '3', { folder: source.folder, content: 'fetched' });
  source.version('3', Buffer.from('third'));
  const found = (await own.shelf.scan('some')) ?? [];
  assert.deepEqual(
    found.map(({ version, content }) => [version, content === 'fetched']),
    [
      ['1', false],
      ['2', false],
      ['3', true],
    ],
  );
  assert.deepEqual(
    ['1', '2', '3'].map((version) => own.shelf.hasOwn('some', version)),
    [false, true, false],
  );
  assert.deepEqual(
    found.map((entry) => own.shelf.isOwn(entry)),
    [true, true, false],
  );
  assert.equal(own.shelf.passesOver('some', '2', 'fetched'), true);
  assert.equal(own.shelf.passesOver('some', '2', found[1]?.content ?? ''), false, 'both are the same');
  assert.equal(own.shelf.passesOver('some', '3', 'fetched'), false, 'there is no own one');
  assert.equal(own.shelf.drop('some', '3', 'other'), false);
  assert.equal(own.shelf.drop('some', '3', 'fetched'), true);
  assert.equal((await own.shelf.scan('some'))?.length, 2);
});
