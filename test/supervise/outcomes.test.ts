// What workers said of their loading counts as long as it is so.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Outcomes } from '../../runtime/supervise/outcomes.js';

test('what was let go has to be loaded anew', () => {
  const outcomes = new Outcomes();
  assert.equal(outcomes.of('moved'), undefined);
  outcomes.ended('moved', '');
  assert.equal(outcomes.of('moved'), '');
  outcomes.left('moved');
  assert.equal(outcomes.of('moved'), undefined);
  outcomes.ended('moved', '');
  assert.equal(outcomes.of('moved'), '');
});

test('why it could not be loaded stands as long as it is wanted', () => {
  const outcomes = new Outcomes();
  outcomes.ended('has', '');
  outcomes.ended('broken', 'no such operator');
  outcomes.left('broken');
  outcomes.forgive(new Set(['broken']));
  assert.equal(outcomes.of('broken'), 'no such operator');
  outcomes.forgive(new Set());
  assert.deepEqual(
    [outcomes.of('has'), outcomes.of('broken')],
    ['', undefined],
    'it has it until it says otherwise',
  );
});

test('of the many names that models have had the oldest go', () => {
  const outcomes = new Outcomes();
  for (let at = 0; at < 5000; at++) outcomes.ended(`model ${at}`, '');
  assert.deepEqual([outcomes.of('model 0'), outcomes.of('model 4999')], [undefined, '']);
});
