// Things kept by their number: the same as in a Map, whatever comes and goes in whatever order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Numbered } from '../../actors/numbered.js';

interface Thing {
  readonly name: string;
}

/** A sequence of its own, the same in each run. */
function sequence(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function compare(numbered: Numbered<Thing>, map: ReadonlyMap<number, Thing>): void {
  const numbers = [...map.keys()].sort((a, b) => a - b);
  assert.equal(numbered.size, map.size);
  assert.deepEqual(numbered.keys(), numbers);
  assert.deepEqual(
    numbered.values(),
    numbers.map((number) => map.get(number)),
  );
}

test('a number gives what was put under it last, until it is taken out', () => {
  const numbered = new Numbered<string>();
  assert.equal(numbered.get(7), undefined);
  assert.equal(numbered.delete(7), false);
  numbered.set(7, 'a');
  numbered.set(7, 'b');
  assert.equal(numbered.get(7), 'b');
  assert.equal(numbered.size, 1);
  assert.equal(numbered.delete(7), true);
  assert.equal(numbered.get(7), undefined);
  assert.deepEqual(numbered.values(), []);
});

test('numbers that want the same place, or lie beyond 32 bits, are told apart', () => {
  const numbered = new Numbered<string>();
  const numbers = [3, 3 + 64, 3 + 128, 4, 2 ** 32 + 3, 2 ** 40 + 3, 63, 127, 191];
  for (const number of numbers) numbered.set(number, `is ${number}`);
  for (const gone of [3, 63]) assert.equal(numbered.delete(gone), true);
  for (const number of numbers) {
    assert.equal(numbered.get(number), number === 3 || number === 63 ? undefined : `is ${number}`);
  }
});

for (const spread of [40, 300, 100_000]) {
  test(`whatever comes and goes below ${spread}, it holds what a Map would`, () => {
    const below = sequence(spread);
    const numbered = new Numbered<Thing>();
    const map = new Map<number, Thing>();
    for (let step = 0; step < 6000; step++) {
      const number = below(spread);
      if (below(100) < 45) assert.equal(numbered.delete(number), map.delete(number));
      else {
        const thing = { name: `${step}` };
        numbered.set(number, thing);
        map.set(number, thing);
      }
      const asked = below(spread);
      assert.equal(numbered.get(asked), map.get(asked));
      if (step % 500 === 0) compare(numbered, map);
    }
    compare(numbered, map);
  });
}

test('a few that stay long do not lose their place among many that pass', () => {
  const numbered = new Numbered<string>();
  numbered.set(1, 'first');
  for (let number = 2; number < 10_000; number++) {
    numbered.set(number, 'passes');
    if (number % 1000 === 0) continue;
    if (number > 50 && (number - 40) % 1000 !== 0) numbered.delete(number - 40);
  }
  assert.equal(numbered.get(1), 'first');
  assert.equal(numbered.get(1000), 'passes');
});
