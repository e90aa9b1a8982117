// When a scheduler was away itself: a gap in all that it hears, and how much of a batch's time falls into it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Attention } from '../../actors/scheduler/attention.js';

test('only a gap that is longer than workers are silent is an absence, and only what of it falls into the time', () => {
  const attention = new Attention();
  attention.hear(1000);
  assert.equal(attention.awayMs(0), 0, 'before the first word nothing was missed');
  attention.hear(1250);
  assert.equal(attention.awayMs(1000), 0);
  attention.hear(2000);
  attention.hear(2010);
  assert.deepEqual(
    [500, 1250, 1600, 2005].map((since) => attention.awayMs(since)),
    [750, 750, 400, 0],
  );
});
