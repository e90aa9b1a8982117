// Rendezvous hashing: all agree, loads are even, and who comes or goes moves only its own.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { firstOf } from '../../proto/rendezvous.js';

describe('the first of several', () => {
  const schedulers = ['scheduler-1.a', 'scheduler-2.b', 'scheduler-3.c', 'scheduler-4.d'];
  const models = Array.from({ length: 1000 }, (_, index) => `model-${index}:1`);

  test('of no scheduler is nobody, of one it is that one', () => {
    assert.equal(firstOf('digits:1', []), undefined);
    assert.equal(firstOf('digits:1', ['scheduler-1.a']), 'scheduler-1.a');
  });

  test('does not hang on the order in which schedulers are seen', () => {
    for (const model of models.slice(0, 100)) {
      assert.equal(firstOf(model, schedulers), firstOf(model, schedulers.toReversed()));
    }
  });

  test('is spread evenly', () => {
    for (const scheduler of schedulers) {
      const owned = models.filter((model) => firstOf(model, schedulers) === scheduler).length;
      assert.ok(owned > 200 && owned < 300, `${scheduler} owns ${owned} of 1000`);
    }
  });

  test('changes only where it must', () => {
    const fewer = schedulers.slice(1);
    const more = [...schedulers, 'scheduler-5.e'];
    for (const model of models) {
      const owner = firstOf(model, schedulers);
      if (owner !== schedulers[0])
        assert.equal(firstOf(model, fewer), owner, 'a death moves only its own models');
      const next = firstOf(model, more);
      assert.ok(next === owner || next === 'scheduler-5.e', 'a newcomer takes, nobody else gets');
    }
  });
});
