// What is particular to ONNX Runtime: numbers, datatypes, its refusals in our words, and which models count as tiny.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { byteSize, type Datatype, datatypes } from '../../proto/tensor.js';
import { viewElements, writeStrings } from '../../runtime/executor/elements.js';
import type { Run } from '../../runtime/executor/executor.js';
import { createExecutor } from '../../runtime/executor/factory.js';
import { entryOf, floatRun, floatsOf, loaded, outcomeOf, successOf, tensor } from './models.js';
import { linearWeights, onnxIdentity, onnxLinear, onnxMlp } from './onnx.js';

const executor = createExecutor();
after(() => executor.close());

function runOf(model: string, datatype: Datatype, shape: readonly number[], data: Uint8Array): Run {
  const inputs = [{ header: { name: 'x', datatype, shape }, frames: [data] }];
  return { key: 'run-1', model, version: '1', place: 'thread', inputs, rows: [shape[0] ?? 1], outputs: [] };
}

describe('numbers', () => {
  test('a linear layer computes what it should, each row by itself', async () => {
    const [wide, high] = [5, 3];
    const entry = entryOf({
      name: 'linear',
      onnx: onnxLinear(wide, high),
      inputs: [tensor('x', 'FP32', [-1, wide])],
      outputs: [tensor('y', 'FP32', [-1, high])],
    });
    await loaded(executor, entry);
    const rows = [
      [1, 2, 3, 4, 5],
      [0, 0, 0, 0, 0],
      [-1, 0.5, 9, 0, 2],
    ];
    const weights = linearWeights(wide, high);
    const expected = rows.flatMap((row) =>
      Array.from({ length: high }, (_, o) =>
        row.reduce((sum, x, i) => sum + x * (weights[i * high + o] ?? 0), o),
      ),
    );
    const result = floatsOf(await successOf(executor, floatRun(rows, wide, { model: 'linear' })));
    assert.equal(result.length, expected.length);
    for (const [at, value] of expected.entries()) assert.ok(Math.abs(value - (result[at] ?? 0)) < 1e-4);
  });

  const numeric = (Object.keys(datatypes) as Datatype[]).filter(
    (datatype) => !['BF16', 'BYTES'].includes(datatype),
  );
  for (const datatype of numeric) {
    test(`${datatype} goes through unchanged`, async () => {
      const name = `identity-${datatype}`;
      const [x, y] = [tensor('x', datatype, [-1, 3]), tensor('y', datatype, [-1, 3])];
      await loaded(executor, entryOf({ name, onnx: onnxIdentity(datatype, 3), inputs: [x], outputs: [y] }));
      const data = new Uint8Array(byteSize({ name: 'x', datatype, shape: [2, 3] }));
      for (let at = 0; at < data.length; at++) data[at] = datatype === 'BOOL' ? at % 2 : (at * 5) % 120;
      const [output] = (await successOf(executor, runOf(name, datatype, [2, 3], data))).outputs;
      assert.equal(output?.datatype, datatype);
      assert.deepEqual(viewElements(datatype, output!.data), viewElements(datatype, data));
    });
  }

  test('BYTES are text, and what is no text is refused', async () => {
    const [x, y] = [tensor('x', 'BYTES', [-1, 2]), tensor('y', 'BYTES', [-1, 2])];
    await loaded(
      executor,
      entryOf({ name: 'text', onnx: onnxIdentity('BYTES', 2), inputs: [x], outputs: [y] }),
    );
    const data = writeStrings(['sémaphore', '', '信号', '\uFEFFa']);
    const [output] = (await successOf(executor, runOf('text', 'BYTES', [2, 2], data))).outputs;
    assert.deepEqual([...output!.data], [...data]);
    const broken = Uint8Array.from([1, 0, 0, 0, 255, 0, 0, 0, 0]);
    const refused = await outcomeOf(executor, runOf('text', 'BYTES', [1, 2], broken));
    assert.ok(!refused.ok);
    assert.match(refused.reason, /input x: element 0 is not UTF-8/);
    const zero = await outcomeOf(executor, runOf('text', 'BYTES', [1, 2], writeStrings(['a', 'b\0c'])));
    assert.ok(!zero.ok);
    assert.match(zero.reason, /input x: element 1 has a zero character/);
    const cut = await outcomeOf(executor, runOf('text', 'BYTES', [1, 2], Uint8Array.from([9, 0, 0, 0, 65])));
    assert.ok(!cut.ok);
    assert.match(cut.reason, /element 0 says it has 9 bytes, 1 are left/);
  });
});

describe('refusals', () => {
  test('an input that does not fit the graph fails alone, in one sentence', async () => {
    const onnx = onnxMlp([4, 8, 4]);
    for (const placement of ['inline', 'thread'] as const) {
      await loaded(executor, entryOf({ name: placement, onnx, config: { placement } }));
      const wide = await outcomeOf(executor, floatRun([[1, 2, 3, 4, 5]], 5, { model: placement }));
      assert.ok(!wide.ok && wide.code === 'MODEL_FAILED');
      assert.match(wide.reason, /Got: 5 Expected: 4/);
      assert.doesNotMatch(wide.reason, /\n|onnxruntime_src|\.cc/);
      assert.ok((await outcomeOf(executor, floatRun([[1, 2, 3, 4]], 4, { model: placement }))).ok);
    }
  });

  test('a file that is no model is not loaded and says why; the others stay', async () => {
    await loaded(executor, entryOf({ name: 'good', onnx: onnxIdentity() }));
    const rubbish = await executor.load(entryOf({ name: 'rubbish', onnx: Buffer.from('not a model') }));
    assert.ok(!rubbish.ok);
    assert.match(rubbish.reason, /protobuf/i);
    const absent = await executor.load({ ...entryOf({ name: 'absent' }), file: '/nowhere/model.onnx' });
    assert.ok(!absent.ok && absent.reason.includes('/nowhere/model.onnx'));
    assert.ok((await outcomeOf(executor, floatRun([[1, 2, 3, 4]], 4, { model: 'good' }))).ok);
  });

  test('a config that names another output than the file is not loaded', async () => {
    const outputs = [tensor('z', 'FP32', [-1, 4])];
    const result = await executor.load(entryOf({ onnx: onnxIdentity(), outputs }));
    assert.deepEqual(result, { ok: false, reason: 'the config names an output z, the model file has y' });
  });

  test('BF16 is refused with what to do instead', async () => {
    const [x, y] = [tensor('x', 'BF16', [-1, 4]), tensor('y', 'BF16', [-1, 4])];
    const result = await executor.load(entryOf({ onnx: onnxIdentity('BF16'), inputs: [x], outputs: [y] }));
    assert.ok(!result.ok);
    assert.match(result.reason, /x is BF16.*export the model with FP16 or FP32/);
  });

  test('a model whose output has lost its rows gives RESULT_INVALID', async () => {
    // The file batches over its second dimension, the config says that the first one counts rows.
    const inputs = [tensor('x', 'FP32', [-1, 4])];
    await loaded(
      executor,
      entryOf({ name: 'rows', onnx: onnxIdentity(), inputs, config: { placement: 'inline' } }),
    );
    const run = floatRun([[1, 2, 3, 4, 5, 6, 7, 8]], 4, { model: 'rows', rows: [3] });
    const result = await outcomeOf(executor, run);
    assert.ok(!result.ok && result.code === 'RESULT_INVALID');
    assert.match(result.reason, /output y FP32 \[2,4\] has not the batch's 3 rows/);
  });
});

describe('placement auto', () => {
  async function placeOf(onnx: Uint8Array, inFeatures: number, outFeatures: number): Promise<string> {
    const inputs = [tensor('x', 'FP32', [-1, inFeatures])];
    const outputs = [tensor('y', 'FP32', [-1, outFeatures])];
    return (await loaded(executor, entryOf({ name: 'auto', onnx, inputs, outputs, maxBatch: 2 }))).place;
  }

  test('a heavy model and one of open size go to the thread', async () => {
    assert.equal(await placeOf(onnxMlp([256, 512, 256]), 256, 256), 'thread');
    assert.equal(await placeOf(onnxIdentity(), -1, 4), 'thread');
  });

  test('a tiny model runs inline, and moving it there leaves one that answers', async () => {
    const entry = entryOf({ name: 'tiny', onnx: onnxMlp([4, 8, 4]), maxBatch: 2 });
    // Only a machine too busy for a run of microseconds puts it elsewhere: then it is asked again.
    let place = 'thread';
    for (let tries = 0; tries < 20 && place === 'thread'; tries++)
      ({ place } = await loaded(executor, entry));
    assert.equal(place, 'inline');
    assert.ok((await outcomeOf(executor, floatRun([[1, 2, 3, 4]], 4, { model: 'tiny' }))).ok);
  });
});
