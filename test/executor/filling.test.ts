// Batches that are filled with empty rows up to a size that the model may be run with: nobody sees those rows.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { places } from '../../proto/messages.js';
import { readStrings, writeStrings } from '../../runtime/executor/elements.js';
import { createExecutor } from '../../runtime/executor/factory.js';
import { filledRows } from '../../runtime/executor/filling.js';
import { readModelConfig } from '../../runtime/models/config.js';
import { entryOf, floatRun, floatsOf, loaded, successOf, tensor } from './models.js';
import { onnxIdentity } from './onnx.js';

function sized(sizes: readonly number[], maxBatch = sizes.at(-1)) {
  const config = readModelConfig(`maxBatch: ${maxBatch}\nbatching: { sizes: [${sizes}] }`);
  if (typeof config === 'string') throw new Error(config);
  return config;
}

test('the next size is taken', () => {
  assert.deepEqual(
    [1, 2, 4, 5, 8, 9].map((rows) => filledRows([2, 4, 8], rows)),
    [2, 2, 4, 8, 8, 9],
  );
  assert.equal(filledRows([], 3), 3);
});

for (const placement of places) {
  describe(placement, () => {
    const executor = createExecutor();
    after(() => executor.close());

    test('a model that takes 8 rows and no others answers three', async () => {
      const entry = entryOf({
        config: { ...sized([8]), placement },
        onnx: onnxIdentity('FP32', 4, 8),
      });
      const { costs } = await loaded(executor, entry);
      assert.deepEqual(
        costs.map(([rows]) => rows),
        [8],
      );
      const run = floatRun(
        [
          [1, 2, 3, 4],
          [5, 6, 7, 8, 9, 10, 11, 12],
        ],
        4,
      );
      const result = await successOf(executor, run);
      assert.deepEqual(floatsOf(result), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
      assert.deepEqual([...(result.outputs[0]?.shape ?? [])], [3, 4]);
    });

    test('a run costs what the filled batch costs', async () => {
      const entry = entryOf({
        name: 'stepped',
        config: {
          ...sized([4]),
          backend: 'simulated',
          placement,
          simulated: {
            steps: [
              [3, 0],
              [4, 25],
            ],
          },
        },
      });
      await loaded(executor, entry);
      const { computeMs } = await successOf(executor, floatRun([[1, 2, 3, 4]], 4, { model: 'stepped' }));
      assert.ok(computeMs >= 24, `${computeMs} ms for four rows`);
    });

    test('texts are filled with empty texts', async () => {
      const text = [tensor('x', 'BYTES', [-1, 2])];
      const entry = entryOf({
        name: 'texts',
        config: { ...sized([4]), backend: 'echo', placement },
        inputs: text,
        outputs: [tensor('y', 'BYTES', [-1, 2])],
      });
      await loaded(executor, entry);
      const data = writeStrings(['one', 'zwei', '', 'vier']);
      const header = { name: 'x', datatype: 'BYTES', shape: [2, 2] } as const;
      const run = floatRun([], 1, { model: 'texts', rows: [2], inputs: [{ header, frames: [data] }] });
      const [output] = (await successOf(executor, run)).outputs;
      assert.deepEqual([...(output?.shape ?? [])], [2, 2]);
      assert.deepEqual(readStrings(output!.data, 4), ['one', 'zwei', '', 'vier']);
    });
  });
}
