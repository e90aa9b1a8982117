// What NATS throws becomes a sentence for people, and keeps what was thrown for who looks for the cause.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inSentences, unlessChanged } from '../../cluster/nats-faults.js';

const thrown =
  (fault: unknown): (() => Promise<never>) =>
  () =>
    Promise.reject(fault);

test('a fault is told in a sentence, with what NATS threw as its cause', async () => {
  const fault = Object.assign(new Error('TIMEOUT'), { code: 'TIMEOUT' });
  for (const ask of [inSentences, unlessChanged]) {
    await assert.rejects(ask(thrown(fault)), { message: 'it does not answer in time', cause: fault });
  }
});

test('an entry that is at another revision is no fault', async () => {
  const fault = Object.assign(new Error('wrong'), { api_error: { err_code: 10071, description: 'wrong' } });
  assert.equal(await unlessChanged(thrown(fault)), undefined);
});
