// Golden inputs: what a model answered when it was first loaded it must answer again, and what its owner gave as right.
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { viewElements } from '../../runtime/executor/elements.js';
import type { RunResult } from '../../runtime/executor/executor.js';
import { createExecutor } from '../../runtime/executor/factory.js';
import { GoldenInputs, madeUpMostMs } from '../../runtime/executor/golden.js';
import { answerOf, difference } from '../../runtime/executor/golden-answer.js';
import { type GoldenInput, madeUp } from '../../runtime/executor/golden-input.js';
import { GoldenRecords } from '../../runtime/executor/golden-records.js';
import { orderOf } from '../../runtime/executor/order.js';
import type { ModelEntry } from '../../runtime/models/entry.js';
import { bytesOf, entryOf, floatRun, outcomeOf, temporaryPath, tensor } from './models.js';
import { onnxIdentity, writeOnnx } from './onnx.js';

const model = { model: 'model', version: '1' };

function executorWith(cache: string, notes: string[] = []) {
  const note = (reason: string) => notes.push(reason);
  const golden = new GoldenInputs(new GoldenRecords(cache, note), (event, fields) =>
    notes.push(`${event} ${fields.reason}`),
  );
  return createExecutor({ golden });
}

/** What becomes of loading it in a fresh executor. */
async function load(cache: string, entry: ModelEntry, notes: string[] = []) {
  const executor = executorWith(cache, notes);
  const loaded = await executor.load(entry);
  await executor.close();
  return loaded.ok ? loaded.golden : loaded;
}

function scaling(by: number): Uint8Array {
  return writeOnnx({
    inputs: [{ name: 'x', datatype: 'FP32', shape: ['rows', 4] }],
    outputs: [{ name: 'y', datatype: 'FP32', shape: ['rows', 4] }],
    nodes: [{ operator: 'Mul', inputs: ['x', 'by'], outputs: ['y'] }],
    weights: [{ name: 'by', shape: [1], values: Float32Array.of(by) }],
  });
}

function recordOf(cache: string): string {
  const [file = ''] = readdirSync(join(cache, 'golden'));
  return join(cache, 'golden', file);
}

describe('a model', () => {
  test('is recorded when it is first loaded, and has to answer the same from then on', async () => {
    const cache = temporaryPath('cache');
    const entry = entryOf({ onnx: scaling(3) });
    assert.equal(await load(cache, entry), 'recorded');
    assert.equal(await load(cache, entry), 'passed');
    assert.equal(await load(cache, { ...entry, name: 'copy' }), 'passed', 'its content counts, not its name');
    assert.equal(await load(cache, entryOf({ onnx: scaling(4) })), 'recorded', 'another model is another');
    assert.equal(await load('', entry), 'recorded', 'without a folder it is known to this process');
  });

  test('that answers otherwise is not served, and its device is suspect', async () => {
    const cache = temporaryPath('cache');
    const entry = entryOf({ onnx: scaling(3) });
    await load(cache, entry);
    const path = recordOf(cache);
    const record = JSON.parse(readFileSync(path, 'utf8')) as { outputs: { values: string }[] };
    const values = new Float64Array(Uint8Array.from(Buffer.from(record.outputs[0]!.values, 'base64')).buffer);
    values[2] = 100;
    record.outputs[0]!.values = Buffer.from(values.buffer).toString('base64');
    writeFileSync(path, JSON.stringify(record));
    const loaded = await load(cache, entry);
    assert.ok(typeof loaded === 'object' && loaded.suspect === true);
    assert.match(
      loaded.reason,
      /its golden input: output y is [\d.]+ at element 2, wanted is 100 within 0.01/,
    );
    writeFileSync(path, 'rubbish');
    const notes: string[] = [];
    assert.equal(await load(cache, entry, notes), 'recorded', 'a record that is none is made anew');
    assert.match(notes.join(), /is not used, and written anew/);
  });

  test('is not tried where its owner says so, or where it must not run twice', async () => {
    const onnx = scaling(3);
    const off = { use: 'off', tolerance: 0 } as const;
    assert.equal(await load('', entryOf({ onnx, config: { golden: off } })), 'none');
    assert.equal(await load('', entryOf({ onnx, config: { idempotent: false } })), 'none');
    assert.equal(await load('', entryOf({ config: { backend: 'echo' } })), 'none');
  });

  test('that takes no made-up input has none, and says why', async () => {
    const gather = writeOnnx({
      inputs: [{ name: 'x', datatype: 'FP32', shape: ['rows', 4] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: ['rows', 4] }],
      nodes: [{ operator: 'Div', inputs: ['x', 'zero'], outputs: ['y'] }],
      weights: [{ name: 'zero', shape: [1], values: Float32Array.of(0) }],
    });
    const notes: string[] = [];
    assert.equal(await load('', entryOf({ onnx: gather, config: { finite: true } }), notes), 'none');
    assert.match(notes.join(), /golden.none no made-up input .*output y is NaN/);
  });

  test('whose run takes long is not tried with a made-up input, says so, and is with what its owner gives', async () => {
    const simulated = (alphaMs: number): ModelEntry['config'] =>
      ({ backend: 'simulated', simulated: { alphaMs, betaMs: 0 } }) as unknown as ModelEntry['config'];
    const notes: string[] = [];
    const executor = executorWith('', notes);
    const loaded = await executor.load(entryOf({ config: simulated(60_000) }));
    await executor.close();
    assert.deepEqual(loaded.ok && [loaded.golden, loaded.runsOn], ['none', 'cpu (unproved)']);
    assert.match(notes.join(), /golden.none a run takes 60000 ms, .* give one in golden.json/);
    const folder = temporaryPath('version');
    mkdirSync(folder);
    const numbers = [{ name: 'x', shape: [1, 4], data: [1, 2, 3, 4] }];
    writeFileSync(
      join(folder, 'golden.json'),
      JSON.stringify({ inputs: numbers, outputs: [{ ...numbers[0], name: 'y' }] }),
    );
    assert.equal(await load('', { ...entryOf({ config: simulated(madeUpMostMs + 50) }), folder }), 'passed');
  });
});

describe('on another device than the CPU', () => {
  const order = orderOf(entryOf({ onnx: scaling(3) }), { device: 'cpu', threads: 1, graphs: '' });
  assert.ok(typeof order === 'object');
  /** Of a device that multiplies by so much. */
  const asking =
    (by: number) =>
    async (input: GoldenInput): Promise<RunResult> => {
      const [x] = input;
      assert.ok(x !== undefined);
      const values = Float32Array.from(viewElements('FP32', x.data) as Float32Array, (value) => value * by);
      const outputs = [{ ...x, name: 'y', data: bytesOf(values) }];
      return { key: '', ok: true, outputs, inputMs: 0, computeMs: 0, outputMs: 0 };
    };

  test('what the CPU recorded is the measure of what is recorded there', async () => {
    const folder = temporaryPath('cache');
    const golden = () => new GoldenInputs(new GoldenRecords(folder, () => {}), () => {});
    const there = { ...order, device: 'webgpu' } as const;
    const unproved = await golden().prove({ ...there, device: 'cuda:0' }, 1, asking(4));
    assert.equal(unproved.golden, 'recorded', 'where the CPU never ran it nobody can tell');
    assert.equal((await golden().prove(order, 1, asking(3))).golden, 'recorded');
    await assert.rejects(
      golden().prove(there, 1, asking(4)),
      /not compute what the CPU does: output y is .*golden/,
    );
    assert.equal((await golden().prove(there, 1, asking(3.001))).golden, 'recorded');
    assert.deepEqual(await golden().prove(there, 1, asking(3.001)), { golden: 'passed', failed: '' });
    assert.notEqual((await golden().prove(there, 1, asking(4))).failed, '');
  });
});

describe("an owner's golden.json", () => {
  function withFile(content: unknown): ModelEntry {
    const folder = temporaryPath('version');
    mkdirSync(folder);
    writeFileSync(
      join(folder, 'golden.json'),
      typeof content === 'string' ? content : JSON.stringify(content),
    );
    return { ...entryOf({ onnx: scaling(3) }), folder };
  }
  const inputs = [{ name: 'x', shape: [1, 4], data: [1, 2, 3, 4] }];

  test('is what the model has to answer', async () => {
    const right = { inputs, outputs: [{ name: 'y', shape: [1, 4], data: [3, 6, 9, 12.01] }] };
    assert.equal(await load('', withFile(right)), 'passed');
    const wrong = { inputs, outputs: [{ name: 'y', shape: [1, 4], data: [3, 6, 9, 13] }] };
    const loaded = await load('', withFile(wrong));
    assert.ok(typeof loaded === 'object');
    assert.match(loaded.reason, /output y is 12 at element 3, wanted is 13 within 0.01 of 13/);
  });

  for (const [content, says] of [
    ['{', /golden\.json: .*JSON/],
    [{}, /golden\.json: inputs is missing; wanted is a list/],
    [{ inputs: [{ name: 'z' }] }, /inputs\[0\]\.name is "z"; allowed are x/],
    [{ inputs: [{ name: 'x', shape: [1, 4], data: [1] }] }, /inputs\[0\] \(x\): wanted are a shape/],
    [
      { inputs: [{ ...inputs[0], data: [1, 2, 'a', 4] }] },
      /inputs\[0\]\.data\[2\] is "a"; wanted is a number/,
    ],
  ] as const) {
    test(`${JSON.stringify(content)} is refused with a sentence, and the device is not suspect`, async () => {
      const loaded = await load('', withFile(content));
      assert.ok(typeof loaded === 'object' && loaded.suspect !== true);
      assert.match(loaded.reason, says);
    });
  }
});

describe('a probe', () => {
  test('passes while the device is well, and fails when it has fallen sick', async () => {
    const executor = executorWith('');
    const simulated = { alphaMs: 0, betaMs: 0, faultInput: { sick: 670 } };
    const loaded = await executor.load(
      entryOf({ config: { backend: 'simulated', simulated, placement: 'thread' } }),
    );
    assert.ok(loaded.ok && loaded.golden === 'recorded');
    assert.equal(await executor.probe([model, { model: 'nobody', version: '1' }]), '');
    const last = await outcomeOf(executor, floatRun([[670, 1, 2, 3]], 4));
    assert.ok(last.ok && !Number.isNaN(new Float32Array(Uint8Array.from(last.outputs[0]!.data).buffer)[0]));
    assert.match(await executor.probe([model]), /^model:1: output y is NaN at element 0, wanted is/);
    await executor.close();
  });
});

describe('a made-up input', () => {
  test('is the same every time, one row, of numbers that the type has', () => {
    const inputs = (['FP32', 'FP16', 'BF16', 'UINT8', 'INT64', 'BOOL', 'BYTES'] as const).map((datatype) =>
      tensor(datatype, datatype, [-1, -1, 3]),
    );
    const order = orderOf(entryOf({ inputs, onnx: onnxIdentity('FP32', 4) }), {
      device: 'cpu',
      threads: 1,
      graphs: '',
    });
    assert.ok(typeof order === 'object');
    const one = madeUp(order, false);
    assert.deepEqual(one, madeUp(order, false));
    assert.deepEqual(one[0]?.shape, [1, 32, 3]);
    const values = answerOf(one);
    for (const [at, { values: numbers }] of values.entries())
      assert.ok(
        numbers.every((value) => value >= 0 && value < 256),
        inputs[at]?.datatype,
      );
    assert.ok((values[1]?.values ?? []).every((value) => value >= 0.5 && value < 1));
    assert.ok((values[2]?.values ?? []).every((value) => value >= 0.5 && value < 1));
  });
});

describe('an answer', () => {
  const floats = (...values: number[]) =>
    answerOf([
      { name: 'y', datatype: 'FP32', shape: [values.length], data: bytesOf(Float32Array.from(values)) },
    ]);

  test('is the same within the tolerance, and where both are NaN', () => {
    assert.equal(difference(floats(1, 100), floats(1.9, 100), 0.01), '');
    assert.match(difference(floats(1, 100), floats(2.1, 100), 0.01), /element 0/);
    assert.equal(difference(floats(Number.NaN, 1), floats(Number.NaN, 1), 0), '');
    assert.match(difference(floats(1, 1), floats(1, Number.NaN), 0.5), /is NaN at element 1/);
    assert.match(difference(floats(1), floats(1, 2), 1), /has the shape \[2\], wanted is \[1\]/);
    assert.match(difference(floats(1), [], 1), /no output y/);
  });

  test('of a large output is a sample of all of it', () => {
    const large = new Array(10_000).fill(1);
    const [kept] = floats(...large);
    assert.ok((kept?.values.length ?? 0) <= 4096);
    assert.match(difference(floats(...large), floats(...large.fill(2, 9_000)), 0.1), /is 2 at element 9000/);
  });
});
