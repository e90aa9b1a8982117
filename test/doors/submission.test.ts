// What becomes of a request that fits its model: how much time it is given, and what it counts as the same as.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import type { SignalboxError } from '../../proto/errors.js';
import { doorDefaults } from '../../runtime/doors/door.js';
import type { InferRequest } from '../../runtime/doors/request.js';
import { makeSignature, type Wishes } from '../../runtime/doors/signature.js';
import { submissionOf } from '../../runtime/doors/submission.js';
import { Padding } from '../../runtime/models/padding.js';
import { port } from './entries.js';
import { floats, StandIn } from './stand-in.js';

const inputs = [port('a', 'FP32', [-1, -1]), port('b', 'FP32', [-1, -1], true)].map((input) => ({
  ...input,
  optional: input.optional ?? false,
}));
const usual: Wishes = { idempotent: true, shareIdentical: true, hedge: false };

function signatureOf(wishes: Partial<Wishes> = {}, version = '1') {
  return makeSignature('m', version, 8, inputs, inputs, { ...usual, ...wishes });
}

function request(change: Partial<InferRequest> = {}): InferRequest {
  const tensors = [tensor('a', [2, 2], 1, 2, 3, 4), tensor('b', [2, 1], 5, 6)];
  const about = { model: 'm', version: '', id: '', parameters: undefined, outputs: [] };
  return { ...about, inputs: tensors, ...change };
}

function tensor(name: string, shape: readonly number[], ...values: number[]) {
  return { name, datatype: 'FP32', shape, data: floats(...values) };
}

let engine = new StandIn();
beforeEach(() => {
  engine = new StandIn();
});

function specOf(
  given: InferRequest,
  signature = signatureOf(),
  leftMs = Number.POSITIVE_INFINITY,
  spentMs = 0,
) {
  return submissionOf(signature, given, leftMs, { engine, options: doorDefaults }, spentMs).spec;
}

test('what is over already is refused and counted, what is not gets what is left', () => {
  const timeout = (microseconds: number) => request({ parameters: new Map([['timeout', microseconds]]) });
  for (const [given, leftMs, spentMs] of [
    [request(), 0, 0],
    [request(), -3.21, 0],
    [timeout(5000), 100, 5],
    [timeout(5000), Number.POSITIVE_INFINITY, 7],
    [timeout(1_000_000), -1, 0],
  ] as const) {
    assert.throws(
      () => specOf(given, signatureOf(), leftMs, spentMs),
      (fault: SignalboxError) => {
        assert.equal(fault.code, 'DEADLINE_PAST');
        return /^the deadline had passed \d+(\.\d)? ms before the request was read/.test(fault.message);
      },
    );
  }
  assert.deepEqual(engine.refused, Array(5).fill('m:1 DEADLINE_PAST'));
  assert.equal(specOf(timeout(5000), signatureOf(), 100, 2).budgetMs, 3);
  assert.equal(specOf(request(), signatureOf(), 100, 2).budgetMs, 100);
  assert.equal(specOf(request(), signatureOf({ deadlineDefaultMs: 70 })).budgetMs, 70);
  assert.equal(
    specOf(request(), signatureOf({ deadlineDefaultMs: 1e12 })).budgetMs,
    doorDefaults.deadlineMaxMs,
  );
  assert.equal(engine.refused.length, 5);
});

test('the model says whether its jobs may run twice, on two workers, or once for several', () => {
  const { idempotent, hedge, identity } = specOf(request(), signatureOf({ shareIdentical: false }));
  assert.deepEqual([idempotent, hedge, identity], [true, false, '']);
  const other = specOf(request(), signatureOf({ idempotent: false, hedge: true }));
  assert.deepEqual([other.idempotent, other.hedge], [false, true]);
});

test('requests are the same only when model, version, outputs, shapes and every byte are', () => {
  const whole = specOf(request()).identity;
  assert.match(whole, /^.{43}=$/);
  const swapped = [...request().inputs].reverse();
  assert.equal(specOf(request({ id: 'other', inputs: swapped })).identity, whole);
  const priority = new Map([['priority', 1]]);
  assert.equal(specOf(request({ parameters: priority })).identity, whole);
  const others = [
    specOf(request(), signatureOf({}, '2')),
    specOf(request({ outputs: ['a'] })),
    specOf(request({ outputs: ['b'] })),
    specOf(request({ inputs: [tensor('a', [2, 2], 1, 2, 3, 4)] })),
    specOf(request({ inputs: [tensor('a', [2, 2], 1, 2, 3, 4), tensor('b', [2, 1], 5, 7)] })),
    specOf(request({ inputs: [tensor('a', [2, 1], 1, 2), tensor('b', [2, 2], 3, 4, 5, 6)] })),
    specOf(request({ inputs: [tensor('a', [1, 4], 1, 2, 3, 4), tensor('b', [1, 2], 5, 6)] })),
  ];
  assert.equal(new Set([whole, ...others.map(({ identity }) => identity)]).size, others.length + 1);
});

test('requests of different sizes are filled up to share batches, and stay what they are', () => {
  const buckets = { dimension: 1, sizes: [4], inputs: [] };
  const padding = new Padding(buckets, inputs, inputs);
  const judge = { engine, options: doorDefaults };
  const submitted = (...tensors: ReturnType<typeof tensor>[]) =>
    submissionOf(signatureOf({ padding }), request({ inputs: tensors }), 1000, judge);
  const three = submitted(tensor('a', [1, 3], 1, 2, 3));
  const two = submitted(tensor('a', [1, 2], 1, 2));
  assert.equal(three.spec.shapeKey, two.spec.shapeKey);
  assert.notEqual(three.spec.identity, submitted(tensor('a', [1, 4], 1, 2, 3, 0)).spec.identity);
  assert.deepEqual([three.spec.inputs[0]?.shape, three.spec.bytes], [[1, 4], 16]);
  assert.deepEqual(three.payload[0], new Uint8Array(floats(1, 2, 3, 0)));
  const answer = { name: 'a', datatype: 'FP32', shape: [1, 4], data: floats(5, 6, 7, 8) } as const;
  assert.deepEqual(three.restore?.([answer])[0]?.shape, [1, 3]);
  assert.equal(submitted(tensor('a', [1, 4], 1, 2, 3, 4)).restore, undefined);
});
