// Who is to own what: loads stay within their bounds, and no more moves than these ask for, whoever comes and goes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assign, boundsOf, loadFactor } from '../../cluster/assign.js';
import { Random } from '../simulation/random.js';

type Owners = ReadonlyMap<string, string>;

const named = (count: number): string[] => Array.from({ length: count }, (_, at) => `model-${at}:1`);
const crew = (...names: string[]): string[] => names.map((name) => `${name}.x1`);
const nobody = (): undefined => undefined;

function loadsOf(owners: Owners, schedulers: readonly string[]): number[] {
  return schedulers.map((one) => [...owners.values()].filter((owner) => owner === one).length);
}

function movedFrom(before: Owners, after: Owners): string[] {
  return [...after].flatMap(([model, owner]) => (before.get(model) === owner ? [] : [model]));
}

test('all models get an owner; where there is nobody none does', () => {
  assert.deepEqual([...assign(named(3), [], nobody)], []);
  assert.deepEqual(loadsOf(assign(named(3), crew('a'), nobody), crew('a')), [3]);
  assert.equal(assign([], crew('a', 'b'), nobody).size, 0);
});

test('does not hang on the order in which models and schedulers are known', () => {
  const [models, schedulers] = [named(40), crew('a', 'b', 'c')];
  const turned = assign(models.toReversed(), schedulers.toReversed(), nobody);
  assert.deepEqual([...turned].sort(), [...assign(models, schedulers, nobody)].sort());
});

for (const [models, schedulers, least, most] of [
  [1, 2, 0, 1],
  [2, 2, 1, 1],
  [3, 2, 1, 2],
  [8, 3, 2, 3],
  [100, 3, 27, 41],
] as const) {
  test(`${models} models of ${schedulers}: from ${least} to ${most} each`, () => {
    assert.deepEqual(boundsOf(models, schedulers), { least, most });
  });
}

test('who comes takes its share, and only that moves', () => {
  const [models, two, three] = [named(8), crew('a', 'b'), crew('a', 'b', 'c')];
  const before = assign(models, two, nobody);
  const after = assign(models, three, (model) => before.get(model));
  assert.deepEqual(movedFrom(before, after).length, 2);
  assert.ok(movedFrom(before, after).every((model) => after.get(model) === 'c.x1'));
});

test('who goes leaves its models to the others, and only those move', () => {
  const [models, three, two] = [named(12), crew('a', 'b', 'c'), crew('a', 'b')];
  const before = assign(models, three, nobody);
  const after = assign(models, two, (model) => before.get(model));
  assert.deepEqual(
    movedFrom(before, after),
    [...before].flatMap(([model, owner]) => (owner === 'c.x1' ? [model] : [])),
  );
});

test('over random comings and goings loads are bounded, and as few move as the bounds allow', () => {
  const random = new Random(7);
  const all = crew(...'abcdefghij');
  let owners: Owners = new Map();
  for (let turn = 0; turn < 2000; turn++) {
    const models = named(random.whole(0, 60)).filter(() => random.chance(0.9));
    const schedulers = all.filter(() => random.chance(0.7));
    if (schedulers.length === 0) continue;
    const before = owners;
    owners = assign(models, schedulers, (model) => before.get(model));
    assert.equal(owners.size, models.length);
    const { least, most } = boundsOf(models.length, schedulers.length);
    const loads = loadsOf(owners, schedulers);
    assert.ok(Math.min(...loads) >= least && Math.max(...loads) <= most, `${loads} of ${least} to ${most}`);
    assert.ok(
      most <=
        Math.max(
          Math.ceil(models.length / schedulers.length),
          (loadFactor * models.length) / schedulers.length,
        ),
    );
    const kept = new Map([...before].filter(([model]) => models.includes(model)));
    const had = loadsOf(kept, schedulers);
    const orphans = models.filter((model) => !schedulers.includes(kept.get(model) ?? '')).length;
    const excess = had.reduce((sum, load) => sum + Math.max(0, load - most), 0);
    const lack = had.reduce((sum, load) => sum + Math.max(0, least - load), 0);
    const moved = movedFrom(before, owners).length - orphans;
    assert.equal(moved, Math.max(excess, lack - orphans), `turn ${turn}: ${had} of ${least} to ${most}`);
  }
});
