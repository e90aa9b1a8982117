// Optimised graphs that are kept for the next start: used when they are what they should be, and never otherwise.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { createExecutor } from '../../runtime/executor/factory.js';
import { folderBytesMax, isWorthKeeping } from '../../runtime/executor/graphs.js';
import type { ModelEntry } from '../../runtime/models/entry.js';
import { entryOf, floatRun, floatsOf, loaded, successOf, temporaryPath } from './models.js';
import { onnxNegations } from './onnx.js';

const given = [1, -2, 3, 4];
const negated = [-1, 2, -3, -4];
const even = onnxNegations(300);
const odd = onnxNegations(301);

const modelOf = (onnx: Uint8Array): ModelEntry =>
  entryOf({ onnx, maxBatch: 1, config: { placement: 'thread' } });

/** What a worker that starts now answers. */
async function answerOf(entry: ModelEntry, graphs: string, more = {}): Promise<number[]> {
  const executor = createExecutor({ graphs, ...more });
  try {
    await loaded(executor, entry);
    return floatsOf(await successOf(executor, floatRun([given], 4)));
  } finally {
    await executor.close();
  }
}

/** Loaded once by a worker before. */
async function keptGraph(): Promise<{ entry: ModelEntry; folder: string; file: string; content: Buffer }> {
  const folder = temporaryPath('graphs');
  const entry = modelOf(even);
  assert.deepEqual(await answerOf(entry, folder), given);
  const names = readdirSync(folder);
  assert.equal(names.length, 1, `${names}`);
  const file = join(folder, names[0] as string);
  return { entry, folder, file, content: readFileSync(file) };
}

/** A kept file as it should be, of any graph, in place of this one. */
function signed(file: string, graph: Uint8Array): Buffer {
  const key = /([0-9a-f]{64})\.graph$/.exec(file)?.[1] as string;
  return Buffer.concat([graph, createHash('sha256').update(key).update(graph).digest()]);
}

describe('a kept graph', () => {
  test('is what the next start runs, and is left as it is', async () => {
    const { entry, folder, file, content } = await keptGraph();
    assert.deepEqual(signed(file, content.subarray(0, -32)), content);
    const { ino } = statSync(file);
    utimesSync(file, 1, 1);
    assert.deepEqual(await answerOf(entry, folder), given);
    const after = statSync(file);
    assert.equal(after.ino, ino, 'it was not written again');
    assert.ok(after.mtimeMs > 1_000_000, 'it counts as used just now');
    writeFileSync(file, signed(file, odd));
    assert.deepEqual(await answerOf(entry, folder), negated, 'it is really used');
  });

  const spoilt: readonly (readonly [string, (content: Buffer, file: string) => Uint8Array])[] = [
    ['has one wrong bit', (content) => content.fill((content[50] as number) ^ 1, 50, 51)],
    ['has a wrong hash', (content) => content.fill(0, content.length - 1)],
    ['is cut off', (content) => content.subarray(0, content.length >> 1)],
    ['is empty', () => new Uint8Array()],
    ['is only a hash', (_, file) => signed(file, new Uint8Array())],
    ['is of another model', (_, file) => signed(file.replace(/[0-9a-f]{64}/, '0'.repeat(64)), odd)],
    ['is signed but no model', (_, file) => signed(file, Buffer.from('no model at all'))],
  ];
  for (const [what, spoil] of spoilt) {
    test(`that ${what} is not used, and written anew`, async () => {
      const { entry, folder, file, content } = await keptGraph();
      writeFileSync(file, spoil(Buffer.from(content), file));
      assert.deepEqual(await answerOf(entry, folder), given);
      assert.deepEqual(readFileSync(file), content);
      assert.equal(readdirSync(folder).length, 1);
    });
  }

  test('is not that of another content, or of other options', async () => {
    const { entry, folder } = await keptGraph();
    writeFileSync(entry.file, odd);
    assert.deepEqual(await answerOf(entry, folder), negated);
    assert.equal(readdirSync(folder).length, 2);
    assert.deepEqual(await answerOf(entry, folder, { threads: 2 }), negated);
    assert.equal(readdirSync(folder).length, 3);
  });

  test('may be made by several at once', async () => {
    const folder = temporaryPath('graphs');
    const entry = modelOf(even);
    const answers = await Promise.all([1, 2, 3, 4].map(() => answerOf(entry, folder)));
    assert.deepEqual(answers, [given, given, given, given]);
    assert.equal(readdirSync(folder).length, 1, 'no draft is left lying');
    assert.deepEqual(await answerOf(entry, folder), given);
  });

  test('makes room: what was used longest ago goes first, and so do old drafts', async () => {
    const folder = temporaryPath('graphs');
    mkdirSync(folder);
    const old = (name: string, bytes: number, seconds: number): string => {
      const path = join(folder, name);
      writeFileSync(path, '');
      truncateSync(path, bytes);
      utimesSync(path, seconds, seconds);
      return path;
    };
    const half = folderBytesMax / 2 - 1_000_000;
    const [oldest, older, left, foreign] = [
      old('a.graph', half, 1000),
      old('b.graph', half, 2000),
      old('c.1-0-1.draft', 10, 1000),
      old('notes.txt', 10, 1000),
    ];
    const recent = old('d.graph', half, Date.now() / 1000);
    assert.deepEqual(await answerOf(modelOf(even), folder), given);
    assert.deepEqual([oldest, older, left, foreign, recent].map(existsSync), [
      false,
      true,
      false,
      true,
      true,
    ]);
  });
});

describe('no graph is kept', () => {
  test('of few nodes, or of weights that take longer to be read than the nodes to be optimised', () => {
    assert.ok(isWorthKeeping(900, 5_000_000));
    assert.ok(!isWorthKeeping(20, 33_000));
    assert.ok(!isWorthKeeping(400, 24_000_000));
    assert.ok(!isWorthKeeping(50_000, 1_000_000_000));
  });

  test('of a small model', async () => {
    const folder = temporaryPath('graphs');
    assert.deepEqual(await answerOf(modelOf(onnxNegations(20)), folder), given);
    assert.ok(!existsSync(folder));
  });

  test('of a model that may have weights in other files', async () => {
    const folder = temporaryPath('graphs');
    const entry = modelOf(onnxNegations(300, ['x', 'location']));
    const named = { ...entry, outputs: [{ name: 'location', datatype: 'FP32' as const, shape: [-1, 4] }] };
    assert.deepEqual(await answerOf(named, folder), given);
    assert.ok(!existsSync(folder));
  });

  test('where nothing can be written: the model is loaded all the same', async () => {
    const { entry, file } = await keptGraph();
    assert.deepEqual(await answerOf(entry, join(file, 'deeper')), given);
    const asFile = temporaryPath('graphs');
    copyFileSync(file, asFile);
    assert.deepEqual(await answerOf(entry, asFile), given);
  });

  test('of a file that is no model: it says so as ever', async () => {
    const broken = Buffer.concat([even, Buffer.from([0xff])]);
    const folder = temporaryPath('graphs');
    const entry = modelOf(even);
    writeFileSync(entry.file, broken);
    const executor = createExecutor({ graphs: folder });
    const result = await executor.load(entry);
    assert.ok(!result.ok && /protobuf/i.test(result.reason), JSON.stringify(result));
    assert.deepEqual(readdirSync(folder), []);
    await executor.close();
  });
});
