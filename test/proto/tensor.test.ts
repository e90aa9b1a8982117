// How many bytes a tensor has, also where the shape tries to be larger than what can be counted.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  byteSize,
  bytesElementOffsets,
  type Datatype,
  datatypes,
  elementCount,
  isDatatype,
} from '../../proto/tensor.js';

function size(datatype: Datatype, shape: readonly number[]): number {
  return byteSize({ name: 'input', datatype, shape });
}

describe('tensors', () => {
  test('every datatype of the protocol is known, and nothing else', () => {
    const known = 'BOOL UINT8 UINT16 UINT32 UINT64 INT8 INT16 INT32 INT64 FP16 BF16 FP32 FP64 BYTES'.split(
      ' ',
    );
    assert.deepEqual(Object.keys(datatypes), known);
    for (const name of known) assert.ok(isDatatype(name));
    for (const name of ['fp32', 'FLOAT', '', 'toString', '__proto__', 7, undefined])
      assert.ok(!isDatatype(name));
  });

  test('the size follows from datatype and shape', () => {
    assert.equal(size('FP32', [2, 3, 4]), 96);
    assert.equal(size('INT64', []), 8, 'a scalar has one element');
    assert.equal(size('BOOL', [7]), 7);
    assert.equal(size('FP16', [0, 5]), 0);
  });

  test('only its content tells the size of BYTES', () => assert.equal(size('BYTES', [3]), -1));

  for (const shape of [[-1], [1.5], [Number.NaN], [Number.POSITIVE_INFINITY], [2, -3]]) {
    test(`[${shape}] is no shape`, () => {
      assert.equal(elementCount(shape), -1);
      assert.equal(size('UINT8', shape), -1);
    });
  }

  test('a product too large to count is no shape, also on the way to zero', () => {
    assert.equal(elementCount([2 ** 40, 2 ** 40]), -1);
    assert.equal(elementCount([2 ** 40, 2 ** 40, 0]), -1);
    assert.equal(elementCount([2 ** 26, 2 ** 26]), 2 ** 52);
    assert.equal(size('FP64', [2 ** 26, 2 ** 26]), -1, 'the elements can be counted, their bytes not');
  });
});

describe('the elements of BYTES', () => {
  const two = Uint8Array.of(2, 0, 0, 0, 0x68, 0x69, 0, 0, 0, 0);

  test('each begins where the one before ends', () =>
    assert.deepEqual(bytesElementOffsets(two, 2), [0, 6, 10]));

  test('a view into a larger buffer is read from its own beginning', () => {
    const larger = new Uint8Array(20);
    larger.set(two, 7);
    assert.deepEqual(bytesElementOffsets(larger.subarray(7, 17), 2), [0, 6, 10]);
  });

  test('no elements have no bytes', () => {
    assert.deepEqual(bytesElementOffsets(new Uint8Array(0), 0), [0]);
    assert.equal(bytesElementOffsets(Uint8Array.of(1), 0), '1 bytes are left over after 0 elements');
  });

  test('what is missing or left over is said', () => {
    assert.equal(bytesElementOffsets(two, 3), 'element 2 of 3 has no length: the data ends after 10 bytes');
    assert.equal(bytesElementOffsets(two, 1), '4 bytes are left over after 1 elements');
    assert.equal(bytesElementOffsets(two.subarray(0, 5), 1), 'element 0 says it has 2 bytes, 1 are left');
    assert.equal(
      bytesElementOffsets(Uint8Array.of(255, 255, 255, 255), 1),
      'element 0 says it has 4294967295 bytes, 0 are left',
    );
  });
});
