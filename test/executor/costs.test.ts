// What the executor measures of a model when it loads it, and what it keeps of that for the next start.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { limits } from '../../proto/limits.js';
import { now, pause } from '../../runtime/clock.js';
import type { Cost } from '../../runtime/executor/executor.js';
import { createExecutor } from '../../runtime/executor/factory.js';
import { KeptCosts } from '../../runtime/executor/kept.js';
import { LearnedCosts } from '../../runtime/executor/learned.js';
import { Measuring, modelMostMs, runsEach, sizesOf } from '../../runtime/executor/measuring.js';
import type { LoadOrder } from '../../runtime/executor/order.js';
import type { ModelEntry } from '../../runtime/models/entry.js';
import {
  entryOf,
  floatRun,
  loaded,
  moduleOf,
  outcomeOf,
  successOf,
  temporaryPath,
  tensor,
} from './models.js';
import { onnxIdentity } from './onnx.js';

async function costsOf(entry: ModelEntry, kept?: KeptCosts, threads = 1) {
  const executor = createExecutor({ threads, ...(kept === undefined ? {} : { kept }) });
  try {
    return (await loaded(executor, entry)).costs;
  } finally {
    await executor.close();
  }
}

describe('measured', () => {
  test('is each size that a batch may well have', () => {
    assert.deepEqual(sizesOf({ rowSizes: [], rowsMax: 1 }), [1]);
    assert.deepEqual(sizesOf({ rowSizes: [], rowsMax: 8 }), [1, 2, 4, 8]);
    assert.deepEqual(sizesOf({ rowSizes: [], rowsMax: 12 }), [1, 2, 4, 8, 12]);
    assert.deepEqual(sizesOf({ rowSizes: [4, 12], rowsMax: 12 }), [4, 12]);
  });

  test('a simulated model says what its steps cost', async () => {
    const simulated = {
      steps: [
        [2, 3],
        [4, 7],
      ],
    };
    const entry = entryOf({ config: { backend: 'simulated', simulated } });
    assert.deepEqual(await costsOf(entry), [
      [1, 3],
      [2, 3],
      [4, 7],
      [8, 14],
    ]);
  });

  for (const placement of ['inline', 'thread'] as const) {
    test(`a real model is run at each size, ${placement}`, async () => {
      const beganAt = now();
      const costs = await costsOf(entryOf({ onnx: onnxIdentity('FP32', 4), config: { placement } }));
      const tookMs = now() - beganAt;
      const sizes = [1, 2, 4, 8].slice(0, costs.length);
      assert.deepEqual(
        costs.map(([rows]) => rows),
        sizes,
      );
      assert.ok(costs.every(([, ms]) => ms > 0));
      // On a machine that has no time for it, larger sizes are left out.
      const [, lastMs] = costs.at(-1) as Cost;
      assert.ok(costs.length === 4 || tookMs + 2 * lastMs * runsEach > modelMostMs, `${costs}, ${tookMs} ms`);
    });
  }

  test('nothing is said of a model whose inputs are of any size', async () => {
    const open = [tensor('x', 'FP32', [-1, -1])];
    assert.deepEqual(await costsOf(entryOf({ onnx: onnxIdentity('FP32', 4), inputs: open })), []);
  });

  const order = { backend: 'simulated', rowSizes: [], rowsMax: 1024 } as unknown as LoadOrder;

  test('stops before it takes too long, and fewer rows never cost more', async () => {
    const asked: number[] = [];
    const measured = await new Measuring().costsOf(order, 20, async (rows) => {
      asked.push(rows);
      return rows * 5;
    });
    // 16 rows would cost up to 80 ms each of four times; 32 rows 160 ms.
    assert.deepEqual(asked, [2, 4, 8, 16]);
    const costs = [
      [1, 10],
      [2, 10],
      [4, 20],
      [8, 40],
      [16, 80],
    ];
    assert.deepEqual(measured, { costs, isAll: true });
  });

  test('is not for ever: of many models the last are left to be learned, and may be measured another time', async () => {
    const measuring = new Measuring();
    const slow = (): Promise<number> => pause(30).then(() => 1);
    const sizes: number[] = [];
    for (let model = 0; model < 5; model++) {
      const { costs, isAll } = await measuring.costsOf(order, 1, slow);
      sizes.push(costs.length);
      if (model === 0) assert.ok(isAll && costs.length > 5, `${costs.length} sizes`);
      if (model === 4) assert.deepEqual([costs, isAll], [[[1, 1]], false]);
    }
    assert.ok((sizes[3] as number) < (sizes[0] as number), `${sizes}`);
  });
});

describe('kept', () => {
  const said: string[] = [];
  const keptAt = (path: string) => new KeptCosts(path, (reason) => said.push(reason));

  test('is found again by the same model, not by another content, device or number of threads', async () => {
    const path = join(temporaryPath('cache'), 'deeper', 'costs.json');
    const entry = entryOf({ onnx: onnxIdentity('FP32', 4) });
    const first = await costsOf(entry, keptAt(path));
    assert.deepEqual(await costsOf(entry, keptAt(path)), first);
    const doctored = readFileSync(path, 'utf8').replace(/\[1,[\d.]+\]/, '[1,1e-7]');
    writeFileSync(path, doctored);
    assert.equal((await costsOf(entry, keptAt(path)))[0]?.[1], 1e-7, 'it was not measured again');
    assert.notEqual((await costsOf(entry, keptAt(path), 2))[0]?.[1], 1e-7, 'of other threads it was');
    utimesSync(entry.file, 1, 1);
    assert.notEqual((await costsOf(entry, keptAt(path)))[0]?.[1], 1e-7, 'another content was measured');
    assert.equal(Object.keys(JSON.parse(readFileSync(path, 'utf8')).costs).length, 3);
    assert.deepEqual(readdirSync(dirname(path)), ['costs.json'], 'no draft is left lying');
    assert.deepEqual(said, []);
  });

  test('what real runs cost takes the place of what was measured, once there were enough of them', async () => {
    const path = join(temporaryPath('cache'), 'costs.json');
    const entry = entryOf({ onnx: onnxIdentity('FP32', 4) });
    const measured = await costsOf(entry, keptAt(path));
    const executor = createExecutor({ kept: keptAt(path) });
    await loaded(executor, entry);
    const taken: number[] = [];
    for (let time = 0; time < 9; time++) {
      const { computeMs } = await successOf(executor, floatRun([[1, 2, 3, 4]], 4, { model: entry.name }));
      taken.push(computeMs);
    }
    for (let time = 0; time < 7; time++) {
      await successOf(executor, floatRun([new Array(12).fill(1)], 4, { model: entry.name }));
    }
    await executor.close();
    const kept = await costsOf(entry, keptAt(path));
    assert.deepEqual(
      kept.map(([rows]) => rows),
      measured.map(([rows]) => rows),
      'seven runs of three rows say too little',
    );
    const usual = taken.sort((one, other) => one - other)[4] as number;
    const most = kept[1]?.[1] as number;
    assert.equal(kept[0]?.[1], Math.min(most, Math.round(usual * 10_000) / 10_000));
  });

  test('a model whose file is gone is unloaded all the same, and what it taught is kept as of that file', async () => {
    const path = join(temporaryPath('cache'), 'costs.json');
    const [gone, replaced] = [0, 1].map((at) => entryOf({ name: `m${at}`, onnx: onnxIdentity('FP32', 4) }));
    const kept = keptAt(path);
    const executor = createExecutor({ kept });
    for (const entry of [gone, replaced] as ModelEntry[]) {
      await loaded(executor, entry);
      for (let time = 0; time < 9; time++)
        await successOf(executor, floatRun([[1, 2, 3, 4]], 4, { model: entry.name }));
    }
    const before = Object.keys(JSON.parse(readFileSync(path, 'utf8')).costs).sort();
    rmSync((gone as ModelEntry).file);
    utimesSync((replaced as ModelEntry).file, 1, 1);
    const unhandled: unknown[] = [];
    const hear = (fault: unknown): unknown => unhandled.push(fault);
    process.on('unhandledRejection', hear);
    for (const name of ['m0', 'm1']) executor.unload(name, '1');
    await executor.close();
    await pause(50);
    process.off('unhandledRejection', hear);
    assert.deepEqual(unhandled, []);
    assert.deepEqual(Object.keys(JSON.parse(readFileSync(path, 'utf8')).costs).sort(), before);
  });

  test('a load that fails after it was put somewhere leaves nothing there', async () => {
    const gone = `${temporaryPath('cache')}-unloaded`;
    const text = `import { writeFileSync } from 'node:fs';
      export const load = () => ({
        infer: ({ inputs: [{ shape, data }] }) => [{ name: 'y', shape, data }],
        unload: () => writeFileSync(${JSON.stringify(gone)}, ''),
      });`;
    const broken = { find: () => Promise.reject(new Error('no disk')), keep: () => Promise.resolve() };
    const executor = createExecutor({ kept: broken as unknown as KeptCosts });
    for (const entry of [
      entryOf({ config: { backend: './own.mjs' }, module: moduleOf(text) }),
      entryOf({ config: { backend: 'echo' } }),
      entryOf({ onnx: onnxIdentity('FP32', 4), config: { placement: 'thread' } }),
    ]) {
      assert.deepEqual(await executor.load(entry), { ok: false, reason: 'no disk' });
      const after = await outcomeOf(executor, floatRun([[1, 2, 3, 4]], 4));
      assert.match(after.ok ? 'it runs' : after.reason, /is not loaded in this worker/);
    }
    assert.ok(existsSync(gone), 'the thread of its own has let go of it');
    await executor.close();
  });

  test('a size that was never measured is learned', () => {
    const learned = new LearnedCosts();
    assert.equal(learned.beside([[1, 2]]), undefined);
    for (let time = 0; time < 40; time++) learned.note(16, time < 8 ? 100 : 30);
    assert.deepEqual(learned.beside([[1, 2]]), [
      [1, 2],
      [16, 30],
    ]);
    for (let rows = 1; rows <= 100; rows++) for (let time = 0; time < 8; time++) learned.note(rows, rows);
    assert.equal(learned.beside([[1000, 2000]])?.length, limits.batchSizesMax, 'no more than can be said');
  });

  test('a file that is none is passed over with a word, and written anew', async () => {
    const entry = entryOf({ onnx: onnxIdentity('FP32', 4) });
    for (const content of [
      '',
      '{',
      '[]',
      '{"format":2,"costs":{}}',
      '{"format":1,"costs":{"a":[[2,1],[1,1]]}}',
    ]) {
      said.length = 0;
      const path = join(temporaryPath('cache'), 'costs.json');
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
      assert.equal((await costsOf(entry, keptAt(path))).length, 4, content);
      assert.ok(said.length > 0 && said.every((reason) => /no file of kept costs/.test(reason)), content);
      assert.equal(Object.keys(JSON.parse(readFileSync(path, 'utf8')).costs).length, 1);
    }
  });

  test('a folder that can not be written costs a word, not the model', async () => {
    said.length = 0;
    const file = entryOf({ onnx: onnxIdentity('FP32', 4) });
    assert.equal((await costsOf(file, keptAt(join(file.file, 'costs.json')))).length, 4);
    assert.match(said.at(-1) ?? '', /can't be kept/);
  });
});
