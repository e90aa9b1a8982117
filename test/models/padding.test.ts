// Requests of different sizes that share batches: filled with zeros to a bucket's size, and what comes of that is cut off.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Tensor } from '../../proto/tensor.js';
import { readStrings, writeStrings } from '../../runtime/executor/elements.js';
import { bucketOf } from '../../runtime/models/buckets.js';
import { Padding } from '../../runtime/models/padding.js';

const buckets = { dimension: 1, sizes: [4, 8], inputs: [] };
const ids = { name: 'ids', shape: [-1, -1] };
const mask = { name: 'mask', shape: [-1, -1] };
const points = { name: 'points', shape: [-1, -1, 2] };
const fixed = { name: 'fixed', shape: [-1, 3] };

function floats(name: string, shape: readonly number[], values: readonly number[]): Tensor {
  return { name, datatype: 'FP32', shape, data: new Uint8Array(Float32Array.from(values).buffer) };
}

function shown(tensor: Tensor | undefined): [readonly number[], number[]] {
  const bytes = Uint8Array.from(tensor?.data ?? []);
  return [tensor?.shape ?? [], [...new Float32Array(bytes.buffer)]];
}

test('the next larger bucket is taken, and none beyond the largest', () => {
  assert.deepEqual(
    [0, 4, 5, 8, 9].map((size) => bucketOf(buckets, size)),
    [4, 4, 8, 8, 9],
  );
});

describe('inputs are filled', () => {
  test('row by row, with zeros', () => {
    const padding = new Padding(buckets, [ids, fixed, points], []);
    const given = [
      floats('ids', [2, 3], [1, 2, 3, 4, 5, 6]),
      floats('fixed', [2, 3], [1, 1, 1, 1, 1, 1]),
      floats('points', [2, 3, 2], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
    ];
    const [first, second, third] = padding.pad(given)?.tensors ?? [];
    assert.deepEqual(shown(first), [
      [2, 4],
      [1, 2, 3, 0, 4, 5, 6, 0],
    ]);
    assert.equal(second, given[1], 'what has no open dimension stays as it is');
    assert.deepEqual(shown(third), [
      [2, 4, 2],
      [1, 2, 3, 4, 5, 6, 0, 0, 7, 8, 9, 10, 11, 12, 0, 0],
    ]);
    assert.deepEqual(shown(given[0]), [
      [2, 3],
      [1, 2, 3, 4, 5, 6],
    ]);
  });

  test('only those that are named', () => {
    const padding = new Padding({ ...buckets, inputs: ['ids'] }, [ids, mask], []);
    const given = [floats('ids', [1, 3], [1, 2, 3]), floats('mask', [1, 1], [1])];
    const [first, second] = padding.pad(given)?.tensors ?? [];
    assert.deepEqual(
      [first?.shape, second?.shape],
      [
        [1, 4],
        [1, 1],
      ],
    );
  });

  test('not where the size is a bucket, beyond all of them, or not the same in all', () => {
    const padding = new Padding(buckets, [ids, mask], []);
    const pair = (one: number, other: number) => [
      floats('ids', [1, one], new Array(one).fill(1)),
      floats('mask', [1, other], new Array(other).fill(1)),
    ];
    assert.equal(padding.pad(pair(4, 4)), undefined);
    assert.equal(padding.pad(pair(9, 9)), undefined);
    assert.equal(padding.pad(pair(2, 3)), undefined);
    assert.equal(padding.pad([undefined, undefined]), undefined);
    assert.equal(padding.pad([pair(2, 2)[0], undefined])?.tensors[1], undefined);
    assert.deepEqual(padding.pad([pair(2, 2)[0], undefined])?.tensors[0]?.shape, [1, 4]);
  });
});

describe('outputs are cut', () => {
  const outputs = [
    { name: 'hidden', shape: [-1, -1, 2] },
    { name: 'attention', shape: [-1, -1, -1] },
    { name: 'pooled', shape: [-1, 4] },
    { name: 'words', shape: [-1, -1] },
  ];
  const padding = new Padding(buckets, [ids], outputs);
  const restored = (output: Tensor) =>
    padding.pad([floats('ids', [2, 3], [1, 2, 3, 4, 5, 6])])?.restore([output])[0];

  test('in each open dimension that has the size of the bucket', () => {
    const hidden = Array.from({ length: 16 }, (_, at) => at);
    assert.deepEqual(shown(restored(floats('hidden', [2, 4, 2], hidden))), [
      [2, 3, 2],
      [0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13],
    ]);
    const attention = Array.from({ length: 32 }, (_, at) => at);
    assert.deepEqual(shown(restored(floats('attention', [2, 4, 4], attention))), [
      [2, 3, 3],
      [0, 1, 2, 4, 5, 6, 8, 9, 10, 16, 17, 18, 20, 21, 22, 24, 25, 26],
    ]);
  });

  test('not where the model has its own size, or gives another', () => {
    const pooled = floats('pooled', [2, 4], [1, 2, 3, 4, 5, 6, 7, 8]);
    assert.equal(restored(pooled), pooled);
    const other = floats('hidden', [2, 1, 2], [1, 2, 3, 4]);
    assert.equal(restored(other), other);
  });

  test('texts by their own lengths', () => {
    const data = writeStrings(['a', 'bb', 'ccc', 'x', 'd', 'ee', 'fff', 'x']);
    const cut = restored({ name: 'words', datatype: 'BYTES', shape: [2, 4], data });
    assert.deepEqual(cut?.shape, [2, 3]);
    assert.deepEqual(readStrings(cut?.data ?? new Uint8Array(), 6), ['a', 'bb', 'ccc', 'd', 'ee', 'fff']);
  });
});
