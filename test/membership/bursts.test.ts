// A burst of changes: the first is told at once, the rest together, and none is left untold.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bursts } from '../../runtime/membership/bursts.js';
import { until } from '../processes/harness.js';

test('many at once are told twice, and what comes later by itself', async () => {
  let told = 0;
  const bursts = new Bursts(5, () => told++);
  for (let at = 0; at < 1000; at++) bursts.tell();
  assert.equal(told, 1, 'the first waits for nobody');
  await until('the others are told', () => told === 2);
  bursts.tell();
  await until('and one that comes behind them', () => told === 3);
  bursts.stop();
});
