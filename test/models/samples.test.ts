// The sample models do what they are for: digits reads what it has never seen, srcnn takes a picture of any size.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createExecutor } from '../../runtime/executor/factory.js';
import type { ModelEntry } from '../../runtime/models/entry.js';
import { scanRepository } from '../../runtime/models/repository.js';
import { bytesOf, floatsOf, loaded, successOf } from '../executor/models.js';
import { heldOutDigits } from './held-out.js';
import { samples } from './places.js';

const repository = await scanRepository(samples);
const executor = createExecutor();
after(() => executor.close());

function entryOf(name: string): ModelEntry {
  const entry = repository.find(name, '');
  assert.equal(entry?.state, 'available', entry?.reason);
  return entry as ModelEntry;
}

test('digits reads at least 95 of 100 held-out images', async () => {
  const entry = entryOf('digits');
  const { place } = await loaded(executor, entry);
  const { images, labels } = heldOutDigits();
  assert.equal(images.length, 360);
  let right = 0;
  for (let from = 0; from < images.length; from += entry.maxBatch) {
    const batch = images.slice(from, from + entry.maxBatch);
    const result = await successOf(executor, {
      key: `from-${from}`,
      model: 'digits',
      version: '1',
      place,
      inputs: [
        {
          header: { name: 'input', datatype: 'FP32', shape: [batch.length, 1, 8, 8] },
          frames: batch.map((image) => bytesOf(image)),
        },
      ],
      rows: batch.map(() => 1),
      outputs: ['label', 'probabilities'],
    });
    const said = new BigInt64Array(Uint8Array.from(result.outputs[0]?.data ?? []).buffer);
    const sure = floatsOf(result, 1);
    for (const [row, label] of [...said].entries()) {
      const own = sure.slice(row * 10, row * 10 + 10);
      assert.equal(own.indexOf(Math.max(...own)), Number(label));
      assert.ok(Math.abs(own.reduce((sum, share) => sum + share, 0) - 1) < 1e-4);
      if (Number(label) === labels[from + row]) right += 1;
    }
  }
  assert.ok(right / images.length >= 0.95, `${right} of ${images.length}`);
});

for (const model of ['srcnn', 'srcnn_x3'])
  test(`${model} gives back a picture of the same size, much like the one it got`, () => sharpens(model));

async function sharpens(model: string): Promise<void> {
  const { place } = await loaded(executor, entryOf(model));
  for (const [height, width] of [
    [24, 17],
    [9, 40],
  ] as const) {
    const shape = [1, 1, height, width];
    const picture = Float32Array.from({ length: height * width }, (_, at) => (at % width) / width);
    const result = await successOf(executor, {
      key: `${height}x${width}`,
      model,
      version: '1',
      place,
      inputs: [{ header: { name: 'input', datatype: 'FP32', shape }, frames: [bytesOf(picture)] }],
      rows: [1],
      outputs: [],
    });
    assert.deepEqual(result.outputs[0]?.shape, shape);
    const apart = floatsOf(result).map((pixel, at) => Math.abs(pixel - (picture[at] as number)));
    // At the edges too: a network that sees black beyond them answers with a bright frame.
    assert.ok(Math.max(...apart) < 0.1 && Math.max(...apart) > 0, `${Math.max(...apart)}`);
  }
}
