// Finite numbers: where a model promises them, an answer with NaN or infinity is none, wherever it stands in the output.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { places } from '../../proto/messages.js';
import type { Datatype, Tensor } from '../../proto/tensor.js';
import { createExecutor } from '../../runtime/executor/factory.js';
import { findNotFinite } from '../../runtime/executor/finite.js';
import { readModelConfig } from '../../runtime/models/config.js';
import { bytesOf, entryOf, floatRun, loaded, outcomeOf, successOf } from './models.js';
import { onnxIdentity, writeOnnx } from './onnx.js';

const views = { FP32: Float32Array, FP64: Float64Array, FP16: Uint16Array, BF16: Uint16Array } as const;
type Floating = keyof typeof views;

/** NaN, infinity, its negative, and the largest number that is none of them, as the type has them. */
const special: Readonly<Record<Floating, readonly [number, number, number, number]>> = {
  FP32: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3.4028234663852886e38],
  FP64: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.MAX_VALUE],
  FP16: [0x7e00, 0x7c00, 0xfc00, 0xfbff],
  BF16: [0xffc0, 0x7f80, 0xff80, 0x7f7f],
};

const quotient = writeOnnx({
  inputs: [{ name: 'x', datatype: 'FP32', shape: ['rows', 4] }],
  outputs: [{ name: 'y', datatype: 'FP32', shape: ['rows', 4] }],
  nodes: [{ operator: 'Div', inputs: ['x', 'x'], outputs: ['y'] }],
});

function outputOf(datatype: Datatype, rows: number, elements: ArrayBufferView & { length: number }): Tensor {
  return { name: 'y', datatype, shape: [rows, elements.length / rows], data: bytesOf(elements) };
}

for (const datatype of Object.keys(views) as Floating[]) {
  test(`${datatype}: the one that is not is found, at whatever place and length`, () => {
    const [nan, infinite, below, largest] = special[datatype];
    for (const length of [1, 2, 3, 4, 5, 7, 8, 64, 65]) {
      const elements = new views[datatype](length).fill(largest);
      assert.equal(findNotFinite([outputOf(datatype, 1, elements)], 1), undefined);
      for (let at = 0; at < length; at++) {
        for (const value of [nan, infinite, below]) {
          elements[at] = value;
          const found = findNotFinite([outputOf(datatype, 1, elements)], 1);
          const what = Object.is(value, nan) ? 'NaN' : 'infinite';
          assert.match(found ?? '', new RegExp(`^output y is ${what} at element ${at} \\(row 0\\),`));
        }
        elements[at] = largest;
      }
    }
  });
}

test('says in which row, looks at no row that only fills up, and at nothing that is not a fraction', () => {
  const elements = new Float32Array(12);
  elements[9] = Number.NaN;
  const output = outputOf('FP32', 4, elements);
  assert.match(findNotFinite([output], 4) ?? '', /NaN at element 9 \(row 3\)/);
  assert.equal(findNotFinite([output], 3), undefined);
  assert.match(findNotFinite([output], undefined) ?? '', /NaN at element 9,/);
  assert.equal(findNotFinite([outputOf('INT32', 1, Int32Array.of(-1, 0x7f800000))], 1), undefined);
  const shifted = new Uint8Array(bytesOf(Float32Array.of(0, 1, Number.NaN)).length + 1);
  shifted.set(bytesOf(Float32Array.of(0, 1, Number.NaN)), 1);
  const unaligned: Tensor = { name: 'y', datatype: 'FP32', shape: [1, 3], data: shifted.subarray(1) };
  assert.match(findNotFinite([unaligned], 1) ?? '', /NaN at element 2/);
});

for (const placement of places) {
  describe(placement, () => {
    const executor = createExecutor();
    after(() => executor.close());
    const onnx = onnxIdentity('FP32', 4);
    const bad = floatRun(
      [
        [1, 2, 3, 4],
        [1, Number.NaN, 3, 4],
      ],
      4,
    );

    test('an answer that is not finite is RESULT_INVALID where the model promises it', async () => {
      await loaded(executor, entryOf({ config: { finite: true, placement }, onnx }));
      const outcome = await outcomeOf(executor, bad);
      assert.ok(!outcome.ok && outcome.code === 'RESULT_INVALID');
      assert.match(outcome.reason, /output y is NaN at element 5 \(row 1\), .*finite: true/);
      assert.ok((await outcomeOf(executor, floatRun([[1, 2, 3, 4]], 4))).ok);
    });

    test('elsewhere it goes out as it is', async () => {
      await loaded(executor, entryOf({ config: { placement }, onnx }));
      assert.ok((await successOf(executor, bad)).ok);
    });

    test("what is computed of rows that fill a batch up is nobody's", async () => {
      const config = readModelConfig('maxBatch: 8\nfinite: true\nbatching: { sizes: [8] }');
      if (typeof config === 'string') throw new Error(config);
      // What fills up is zeros, and their quotient is NaN.
      await loaded(executor, entryOf({ config: { ...config, placement }, onnx: quotient }));
      assert.ok((await outcomeOf(executor, floatRun([[1, 2, 3, 4]], 4))).ok);
      assert.ok(!(await outcomeOf(executor, floatRun([[1, 0, 3, 4]], 4))).ok);
    });
  });
}
