// A delivery taken apart: tensors come back in their order, whether they stood in the first frame or in their own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeMessage } from '../../proto/codec.js';
import { joinEnvelopes } from '../../proto/frame.js';
import type { Message } from '../../proto/messages.js';
import { readMail } from '../../runtime/post/mail.js';
import { Outbox } from '../../runtime/post/outbox.js';

const beat: Message = { type: 'peer.beat', sequence: 1, intervalMs: 40 };
const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

function sent(...batches: readonly (readonly Uint8Array[])[]): readonly Uint8Array[] {
  const outbox = new Outbox();
  for (const frames of batches) assert.ok(outbox.put(beat, frames));
  return outbox.take();
}

test('tensors of any size come back in their order', () => {
  const large = filled(100_000, 2);
  const delivery = sent([filled(8, 1), large], [], [filled(16, 3), filled(0, 0), filled(50_000, 4)]);
  assert.equal(delivery.length, 3, 'two are too large for the first frame');
  assert.equal(delivery[1], large, 'and are not copied');
  const mail = readMail(delivery);
  assert.ok(!('drop' in mail));
  assert.deepEqual(
    mail.envelopes.map(({ frames }) => frames),
    [2, 0, 3],
  );
  assert.deepEqual(
    mail.tensors.map((tensor) => [tensor.length, tensor[0]]),
    [
      [8, 1],
      [100_000, 2],
      [16, 3],
      [0, undefined],
      [50_000, 4],
    ],
  );
});

test('small ones alone make one frame', () => assert.equal(sent([filled(64, 1)], [filled(64, 2)]).length, 1));

test('tensors that do not add up are dropped with their envelopes', () => {
  const first = joinEnvelopes([encodeMessage(beat, 2)], [filled(8, 1), undefined]);
  for (const delivery of [[first], [first, filled(8, 1), filled(8, 1)]]) {
    const mail = readMail(delivery);
    assert.ok('drop' in mail && mail.drop === 'frameCount');
  }
  assert.ok('envelopes' in readMail([first, filled(9, 1)]));
});
