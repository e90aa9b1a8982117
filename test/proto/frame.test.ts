// Envelopes share a frame and come apart again; a frame of another version is told from rubbish.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeMessage, encodeMessage, framesOf } from '../../proto/codec.js';
import {
  envelopesOfAnyVersion,
  type FrameFault,
  joinEnvelopes,
  splitEnvelopes,
  splitFrame,
} from '../../proto/frame.js';
import { limits, protocolVersion } from '../../proto/limits.js';
import { Random } from '../simulation/random.js';
import { sample, sampleMessages } from './samples.js';

function fault(frame: readonly number[] | Uint8Array): FrameFault {
  const answer = splitEnvelopes(Uint8Array.from(frame));
  assert.ok('kind' in answer, 'the frame was taken');
  return answer;
}

describe('frames', () => {
  test('envelopes come out as they went in', () => {
    const envelopes = sampleMessages.map((message) => encodeMessage(message, framesOf(message) ?? 0));
    const split = splitEnvelopes(joinEnvelopes(envelopes));
    assert.ok(Array.isArray(split));
    assert.deepEqual(
      split.map((bytes) => (decodeMessage(bytes) as { message: unknown }).message),
      sampleMessages,
    );
  });

  test('a frame may be a part of a larger buffer', () => {
    const frame = joinEnvelopes([Uint8Array.of(1, 2), Uint8Array.of(3)]);
    const larger = Buffer.concat([Buffer.alloc(5), frame, Buffer.alloc(3)]);
    const split = splitEnvelopes(larger.subarray(5, 5 + frame.length));
    assert.deepEqual(split, [Buffer.of(1, 2), Buffer.of(3)]);
  });

  test('the bytes of a frame, written by hand', () => {
    const frame = [0x53, 0x42, protocolVersion, 2, 0, 0, 0, 0xaa, 0xbb, 0, 0, 0, 0];
    assert.deepEqual([...joinEnvelopes([Uint8Array.of(0xaa, 0xbb), new Uint8Array(0)])], frame);
  });

  test('an empty frame holds nothing', () => assert.deepEqual(splitEnvelopes(joinEnvelopes([])), []));

  test('another version is named, with ours', () => {
    assert.deepEqual(fault([0x53, 0x42, 9]), {
      kind: 'version',
      reason: `it speaks protocol version 9, this node speaks ${protocolVersion}`,
    });
  });

  test('a refusal can be read whatever the version around it', () => {
    const frame = joinEnvelopes([encodeMessage(sample('link.refused'), 0)]);
    frame[2] = 9;
    const [envelope] = envelopesOfAnyVersion(frame) as Uint8Array[];
    assert.deepEqual(decodeMessage(envelope as Uint8Array), { message: sample('link.refused'), frames: 0 });
    assert.equal(frame[2], 9, 'the frame is left as it was');
  });

  const rubbish: readonly (readonly [string, readonly number[]])[] = [
    ['nothing', []],
    ['a start alone', [0x53, 0x42]],
    ['another mark', [0x47, 0x45, 0x54, 0x20]],
    ['half a length', [0x53, 0x42, protocolVersion, 1, 0]],
    ['more length than bytes', [0x53, 0x42, protocolVersion, 5, 0, 0, 0, 1]],
    ['a length over the bound', [0x53, 0x42, protocolVersion, 0xff, 0xff, 0xff, 0x7f]],
    ['a tensor that is cut off', [0x53, 0x42, protocolVersion, 9, 0, 0, 0x80, 0, 1]],
    ['an envelope behind a tensor', [0x53, 0x42, protocolVersion, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 1]],
  ];
  for (const [what, frame] of rubbish) {
    test(`${what} is rubbish`, () => assert.equal(fault(frame).kind, 'rubbish'));
  }

  test('small tensors stand behind the envelopes, each at a multiple of eight, others are announced', () => {
    const tensors = [Uint8Array.of(1, 2, 3), undefined, new Uint8Array(0), Uint8Array.of(4)];
    const frame = joinEnvelopes([Uint8Array.of(9, 9)], tensors);
    const parts = splitFrame(frame);
    assert.ok(!('reason' in parts));
    assert.deepEqual(
      parts.tensors.map((tensor) => tensor && [...tensor]),
      [[1, 2, 3], undefined, [], [4]],
    );
    assert.deepEqual(
      parts.envelopes.map((envelope) => [...envelope]),
      [[9, 9]],
    );
    for (const tensor of parts.tensors) assert.equal(((tensor?.byteOffset ?? 0) - frame.byteOffset) % 8, 0);
  });

  test('more envelopes than a frame may hold are rubbish', () => {
    const frame = joinEnvelopes(new Array(limits.envelopesPerFrameMax + 1).fill(new Uint8Array(0)));
    assert.match(fault(frame).reason, /too many/);
  });

  test('damaged frames never throw', () => {
    const random = new Random(12);
    for (let round = 0; round < 5000; round++) {
      const frame = joinEnvelopes([encodeMessage(random.pick(sampleMessages), 0), Uint8Array.of(1)]);
      frame[random.whole(0, frame.length - 1)] = random.whole(0, 255);
      const cut = frame.subarray(0, random.whole(0, frame.length));
      for (const bytes of [frame, cut]) {
        const split = splitEnvelopes(bytes);
        if ('kind' in split) assert.ok(split.reason.length > 0);
      }
    }
  });
});
