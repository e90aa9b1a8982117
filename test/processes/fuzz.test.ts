// A few seconds of what `npm run fuzz` does for minutes, with the same files each time: nothing breaks down, each file is
// answered right or refused with a word, and memory stays bounded.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { fuzz } from '../fuzz/main.js';
import { mutated } from '../fuzz/mutation.js';
import { Scratch } from './harness.js';

const minutes = 5 / 60;
const casesLeast = 5;
const memoryMostMb = 1500;

describe('mutated files', () => {
  const scratch = new Scratch();
  after(() => scratch.remove());

  test('break nothing down, and each is answered or refused', async (t) => {
    const { tallies, peakNodeMb, peakAllMb } = await fuzz(minutes, 1, '', scratch.path('kept'));
    for (const tally of tallies) {
      t.diagnostic(tally.text());
      assert.deepEqual(tally.wrong, []);
      assert.deepEqual(tally.crashes, []);
      assert.ok(tally.cases >= casesLeast, `${tally.cases} ${tally.name}`);
      assert.equal(tally.right + tally.refusedCount, tally.cases);
    }
    t.diagnostic(
      `memory at most: ${peakNodeMb.toFixed(0)} MB in the node, ${peakAllMb.toFixed(0)} MB in all`,
    );
    assert.ok(peakAllMb < memoryMostMb, `${peakAllMb} MB`);
  });

  test('are the same for the same number', () => {
    const bases = [Buffer.from('some file'), Buffer.from('another one')];
    assert.deepEqual(mutated(bases, 7), mutated(bases, 7));
    const different = new Set(
      Array.from({ length: 100 }, (_, number) => mutated(bases, number).toString('hex')),
    );
    assert.ok(different.size > 90);
  });
});
