// Frames as a stream: whatever order the answers come in, they go on in that of the frames; so many are under way at a time;
// and what is late is left out, while what is wrong ends it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { now } from '../../runtime/clock.js';
import type { Asked } from '../../runtime/infer/asking.js';
import { type Frame, type Passage, passed } from '../../runtime/infer/frames/stream.js';

const answer: Asked = {
  status: 200,
  type: 'image/png',
  code: '',
  text: '',
  bytes: new Uint8Array(1),
};

async function* numbered(count: number, read: number[] = []): AsyncGenerator<Frame> {
  for (let number = 1; number <= count; number++) {
    read.push(number);
    yield { name: String(number), bytes: new Uint8Array(0), delayMs: 40 };
  }
}

async function through(count: number, passage: Partial<Passage>): Promise<string[]> {
  const told: string[] = [];
  const whole = { inFlightMax: 3, deadlineMs: Number.POSITIVE_INFINITY, ask: async () => answer, ...passage };
  for await (const { frame, image } of passed(numbered(count), whole)) {
    told.push(image === undefined ? `${frame.name} late` : frame.name);
  }
  return told;
}

function refusal(code: string): Error {
  return Object.assign(new Error('no'), { code });
}

describe('frames', () => {
  test('go on in their order, however their answers come, and no more than so many at a time', async () => {
    const waiting: { name: string; give(): void }[] = [];
    const asked: string[] = [];
    const read: number[] = [];
    let most = 0;
    const ask = (frame: Frame): Promise<Asked> =>
      new Promise((resolve) => {
        asked.push(frame.name);
        waiting.push({ name: frame.name, give: () => resolve(answer) });
        most = Math.max(most, waiting.length);
        // The latest first.
        if (waiting.length === 3 || asked.length === 7)
          for (const one of waiting.splice(0).reverse()) one.give();
      });
    const order: string[] = [];
    const passage = { inFlightMax: 3, deadlineMs: Number.POSITIVE_INFINITY, ask };
    for await (const { frame } of passed(numbered(7, read), passage)) {
      order.push(frame.name);
      assert.ok(read.length <= order.length + 3, 'frames are not read ahead of what there is room for');
      // Whoever waits while the window is not full is the window's rest.
      for (const one of waiting.splice(0)) one.give();
    }
    assert.deepEqual(order, ['1', '2', '3', '4', '5', '6', '7']);
    assert.equal(most, 3);
  });

  test('that are late are left out, whether the server says so or the clock', async () => {
    const ask = async ({ name }: Frame): Promise<Asked> => {
      if (name === '2') throw refusal('DEADLINE_EXCEEDED');
      if (name === '4') throw refusal('OVERLOADED');
      const begunAt = now();
      while (name === '5' && now() - begunAt < 60);
      return answer;
    };
    assert.deepEqual(await through(6, { deadlineMs: 50, ask, inFlightMax: 1 }), [
      '1',
      '2 late',
      '3',
      '4 late',
      '5 late',
      '6',
    ]);
  });

  test('end with what is wrong, and its frame is named', async () => {
    const ask = async ({ name }: Frame): Promise<Asked> => {
      if (name === '3') throw refusal('INPUT_INVALID');
      return answer;
    };
    await assert.rejects(through(9, { deadlineMs: 1000, ask }), /^Error: frame 3: no$/);
    // Without a deadline nothing can be late.
    const late = async (): Promise<Asked> => {
      throw refusal('DEADLINE_EXCEEDED');
    };
    await assert.rejects(through(9, { ask: late }), /^Error: frame 1: no$/);
  });
});
