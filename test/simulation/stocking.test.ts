// Stocks of several nodes in virtual time: whatever happens, all have what they are to have in the end, and nobody lets go what
// nobody else has.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type StockBug, StockTown } from './stocking.js';

const seeds = 60;

function found(bug: StockBug): string {
  for (let seed = 1; seed <= seeds; seed++) {
    try {
      new StockTown(seed, bug).run();
    } catch (fault) {
      return `seed ${seed}: ${(fault as Error).message}`;
    }
  }
  return '';
}

test('nothing goes wrong', () => {
  assert.equal(found({}), '');
});

test('a stock that takes others to have what they only fetch is found', () => {
  const sees: StockBug['sees'] = (sight) => ({
    ...sight,
    others: sight.others.map(({ holdings = [], ...place }) => ({
      ...place,
      holdings: holdings.map((holding) => ({ ...holding, state: 'ready' as const })),
    })),
  });
  assert.match(found({ sees }), /lets m\d\.1 go, and sees nobody who has it/);
});

test('a stock that misses what is taken out is found', () => {
  assert.match(found({ hears: ({ type }) => type !== 'manifest.removed' }), /wanted is/);
});

test('a stock that never looks again is found', () => {
  assert.match(found({ hears: ({ type }) => type !== 'tick' }), /wanted is|behind/);
});
