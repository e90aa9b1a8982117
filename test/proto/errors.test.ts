// The error table is complete and agrees with itself: every code has statuses that exist and a sentence for people.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { errorCodes, errors, grpcStatus, isErrorCode, SignalboxError } from '../../proto/errors.js';

describe('the error table', () => {
  for (const code of errorCodes) {
    test(code, () => {
      const { grpc, http, meaning, retryable } = errors[code];
      assert.match(code, /^[A-Z]+(_[A-Z]+)*$/);
      assert.ok(grpc in grpcStatus);
      assert.ok(http >= 400 && http < 600);
      assert.match(meaning, /^[A-Z].+\.$/);
      // Who is at fault decides whether the same request can do better.
      if (grpc === 'INVALID_ARGUMENT' || grpc === 'NOT_FOUND' || grpc === 'UNIMPLEMENTED')
        assert.ok(!retryable);
      if (grpc === 'UNAVAILABLE') assert.ok(retryable);
      if (http >= 500) assert.notEqual(grpc, 'INVALID_ARGUMENT');
    });
  }

  test('its gRPC statuses have the numbers of the protocol', () => {
    assert.deepEqual(grpcStatus, {
      CANCELLED: 1,
      INVALID_ARGUMENT: 3,
      DEADLINE_EXCEEDED: 4,
      NOT_FOUND: 5,
      PERMISSION_DENIED: 7,
      RESOURCE_EXHAUSTED: 8,
      ABORTED: 10,
      UNIMPLEMENTED: 12,
      INTERNAL: 13,
      UNAVAILABLE: 14,
    });
  });

  test('only its own codes are codes', () => {
    assert.ok(errorCodes.every(isErrorCode));
    for (const value of ['', 'toString', 'internal', 7, undefined]) assert.ok(!isErrorCode(value));
  });

  test('an error carries its code, its sentence and when to try again', () => {
    const error = new SignalboxError('QUEUE_FULL', 'the queue is full', 100);
    assert.equal(`${error}`, 'SignalboxError: the queue is full');
    assert.deepEqual([error.code, error.retryAfterMs], ['QUEUE_FULL', 100]);
    assert.equal(new SignalboxError('INTERNAL', '').retryAfterMs, 0);
  });
});
