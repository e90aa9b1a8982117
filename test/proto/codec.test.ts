// What is said arrives as it was said, in bytes that any language can read; and whatever else arrives is refused with a
// sentence and changes nothing.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeMessage, encodeMessage, framesOf, invalid } from '../../proto/codec.js';
import { limits } from '../../proto/limits.js';
import { type Message, messages, retired } from '../../proto/messages.js';
import { epochCountBound } from '../../proto/ownership.js';
import { Random } from '../simulation/random.js';
import { sample, sampleMessages } from './samples.js';

function decoded(bytes: Uint8Array): Message {
  const envelope = decodeMessage(bytes);
  if (typeof envelope === 'string') assert.fail(envelope);
  return envelope.message;
}

function text(value: string): number[] {
  return [0xa0 + value.length, ...Buffer.from(value)];
}

describe('messages on the wire', () => {
  for (const message of sampleMessages) {
    test(`${message.type} arrives as it was said`, () => {
      const frames = framesOf(message) ?? 2;
      assert.deepEqual(decodeMessage(encodeMessage(message, frames)), { message, frames });
    });
  }

  test('every message has a sample', () => {
    assert.deepEqual(
      sampleMessages.map((message) => message.type).sort(),
      Object.values(messages)
        .map((definition) => definition.type)
        .sort(),
    );
  });

  test('numbers and names are used once, and none is a retired one', () => {
    const definitions = Object.values(messages);
    const numbers: number[] = definitions.map(({ number }) => number);
    assert.equal(new Set(numbers).size, numbers.length);
    assert.equal(new Set(definitions.map(({ type }) => type)).size, numbers.length);
    assert.deepEqual(
      numbers.filter((number) => retired.includes(number)),
      [],
    );
  });

  test('a refusal is number 1 in every version', () => assert.equal(messages.linkRefused.number, 1));

  test('the bytes of batch.go, written by hand', () => {
    // An array of four: the number, no frames, then the fields in their order.
    const bytes = [0x94, 43, 0, ...text('node-1.aaaaaa'), 9];
    assert.deepEqual([...encodeMessage(sample('batch.go'), 0)], bytes);
    assert.deepEqual(decoded(Uint8Array.from(bytes)), sample('batch.go'));
  });

  test('the bytes of batch.run, written by hand', () => {
    const float = Buffer.alloc(9, 0xcb);
    float.writeDoubleBE(12.25, 1);
    const bytes = [
      ...[0x9f, 40, 1],
      ...[...text('node-1.aaaaaa'), 9, 3, ...text('digits'), ...text('1'), 0xc2],
      ...[0x92, 41, 42, 0x92, 1, 2, 0x92, 1, 3],
      ...[0x92, ...float, 80],
      ...[0x91, 0x93, ...text('input'), ...text('FP32'), 0x92, 4, 64],
      ...[0xc2, 0x92, ...text('scores'), ...text('digit')],
    ];
    assert.deepEqual(decoded(Uint8Array.from(bytes)), sample('batch.run'));
    assert.deepEqual([...encodeMessage(sample('batch.run'), 1)], bytes);
  });
});

describe('what is no message', () => {
  for (const message of sampleMessages) {
    test(`every wrong field of ${message.type} is named`, () => {
      for (const key of Object.keys(message).filter((name) => name !== 'type')) {
        for (const wrong of [
          undefined,
          null,
          {},
          -1,
          Number.NaN,
          [{}],
          'x'.repeat(limits.textLengthMax + 1),
        ]) {
          const sentence = invalid({ ...message, [key]: wrong } as Message) ?? '';
          assert.ok(
            sentence.startsWith(`${message.type}.${key} is `),
            `${key} = ${String(wrong)}: ${sentence}`,
          );
          assert.match(sentence, /, wanted is .+/);
        }
      }
      assert.equal(invalid(message), undefined);
    });
  }

  test('what a field may be is bounded on both sides', () => {
    const enqueue = sample('job.enqueue');
    const wrong: Partial<Record<keyof typeof enqueue, unknown[]>> = {
      job: [0.5, 2 ** 53, '1', true],
      model: ['', 'm'.repeat(limits.nameLengthMax + 1), 7],
      budgetMs: [-0.1, Number.POSITIVE_INFINITY, '5'],
      company: ['', 'all', 0],
      avoid: ['x'.repeat(limits.textLengthMax + 1), 0],
    };
    for (const [key, values] of Object.entries(wrong)) {
      for (const value of values) {
        assert.ok(invalid({ ...enqueue, [key]: value } as Message), `${key} may not be ${String(value)}`);
      }
    }
    const good: Partial<Record<keyof typeof enqueue, unknown[]>> = {
      job: [0, Number.MAX_SAFE_INTEGER],
      model: ['m', 'm'.repeat(limits.nameLengthMax)],
      budgetMs: [0, 0.001, 1e12],
      avoid: ['', 'worker-1.k3f9x2'],
    };
    for (const [key, values] of Object.entries(good)) {
      for (const value of values) assert.equal(invalid({ ...enqueue, [key]: value } as Message), undefined);
    }
  });

  test('an epoch leaves room for a higher one', () => {
    const listed = sample('owners.listed');
    const epoch = [epochCountBound, 'somebody'] as const;
    assert.match(invalid({ ...listed, epoch }) ?? '', /epoch .*below 281474976710656/);
    assert.equal(invalid({ ...listed, epoch: [epochCountBound - 1, 'somebody'] }), undefined);
  });

  test('lists that belong together are equally long', () => {
    const run = sample('batch.run');
    assert.equal(invalid({ ...run, rows: [1] }), 'batch.run.rows has 1 entries for 2 jobs');
    assert.equal(invalid({ ...run, budgetsMs: [1, 2, 3] }), 'batch.run.budgetsMs has 3 entries for 2 jobs');
    const finished = sample('batch.finished');
    assert.match(invalid({ ...finished, codes: [''] }) ?? '', /codes has 1 entries for 3 jobs/);
    assert.match(invalid({ ...finished, sizes: [[]] }) ?? '', /sizes has 1 entries for 2 outputs/);
    assert.match(
      invalid({ ...finished, sizes: [[], [1]] }) ?? '',
      /1 entries in an output for 2 jobs that ran/,
    );
  });

  test('a batch announces as many frames as it has tensors', () => {
    const run = sample('batch.run');
    const finished = sample('batch.finished');
    const lost = {
      ...finished,
      codes: ['', '', ''].map(() => 'DEVICE_LOST' as const),
      outputs: [],
      sizes: [],
    };
    for (const [message, frames] of [
      [run, 1],
      [{ ...run, split: true }, 2],
      [finished, 2],
      [lost, 0],
    ] as const) {
      assert.deepEqual(decodeMessage(encodeMessage(message, frames)), { message, frames });
      assert.equal(
        decodeMessage(encodeMessage(message, frames + 1)),
        `${message.type} announces ${frames + 1} frames, its tensors are ${frames}`,
      );
    }
    assert.match(String(decodeMessage(encodeMessage(finished, 1))), /announces 1 frames, its tensors are 2/);
  });

  test('too many jobs for one batch are refused', () => {
    const jobs = Array.from({ length: limits.jobsPerBatchMax + 1 }, (_, index) => index);
    assert.match(
      invalid({ ...sample('batch.recall'), jobs }) ?? '',
      /^batch.recall.jobs is a list of 1025, wanted/,
    );
  });

  const refused: readonly (readonly [string, readonly number[], RegExp])[] = [
    ['nothing', [], /not plain MessagePack/],
    ['no array', [0x07], /not an array/],
    ['an empty array', [0x90], /no message has the number undefined/],
    ['an unknown number', [0x92, 0x63, 0], /no message has the number 99/],
    ['too few fields', [0x93, 43, 0, 0xa1, 0x61], /batch.go has 2 fields, given are 1/],
    ['too many fields', [0x95, 43, 0, 0xa1, 0x61, 1, 1], /batch.go has 2 fields, given are 3/],
    ['a fraction of frames', [0x94, 43, 0xca, 0x3f, 0, 0, 0, 0xa1, 0x61, 1], /announces 0.5 frames/],
    ['too many frames', [0x94, 43, 0xce, 0, 1, 0, 1, 0xa1, 0x61, 1], /announces 65537 frames/],
    ['bytes behind the end', [0x94, 43, 0, 0xa1, 0x61, 1, 1], /not plain/],
    ['an end before the end', [0x94, 43, 0, 0xa5, 0x61], /not plain/],
    ['a map', [0x91, 0x81, 0xa8, ...Buffer.from('toString'), 1], /not plain/],
    ['binary', [0x94, 43, 0, 0xc4, 1, 0x61, 1], /not plain/],
    ['the byte that never is', [0xc1], /not plain/],
    ['an array longer than the bytes', [0xdd, 1, 0xff, 0xff, 0xff, 1], /not plain/],
    ['arrays in arrays without end', new Array(200_000).fill(0x91), /not plain/],
  ];
  for (const [what, bytes, sentence] of refused) {
    test(`${what} is refused`, () => {
      const answer = decodeMessage(Uint8Array.from(bytes));
      assert.ok(typeof answer === 'string');
      assert.match(answer, sentence);
    });
  }

  test('a record definition, which would change how later envelopes are read, changes nothing', () => {
    const poison = [0xd4, 0x72, 0x45, 0x91, 0xa1, 0x61, 0x07];
    assert.equal(typeof decodeMessage(Uint8Array.from(poison)), 'string');
    const after = { type: 'batch.go', scheduler: 'node-1.aaaaaa', batch: 0x45 } as const;
    assert.deepEqual(decoded(encodeMessage(after, 0)), after);
  });

  test('rubbish and damaged envelopes never throw and never give an invalid message', () => {
    const random = new Random(11);
    let refusals = 0;
    let accepted = 0;
    const take = (bytes: Uint8Array): void => {
      const answer = decodeMessage(bytes);
      if (typeof answer === 'string') {
        refusals++;
        assert.ok(answer.length > 10 && answer.length < 2000);
      } else {
        accepted++;
        assert.equal(invalid(answer.message), undefined);
      }
    };
    for (let round = 0; round < 20_000; round++) {
      const length = random.whole(0, 40);
      take(Uint8Array.from({ length }, () => random.whole(0, 255)));
      const bytes = encodeMessage(random.pick(sampleMessages), 0);
      for (let change = random.whole(1, 3); change > 0; change--) {
        bytes[random.whole(0, bytes.length - 1)] = random.whole(0, 255);
      }
      take(random.chance(0.2) ? bytes.subarray(0, random.whole(0, bytes.length)) : bytes);
    }
    assert.ok(refusals > 20_000 && accepted > 1000, `${refusals} refused, ${accepted} accepted`);
  });
});
