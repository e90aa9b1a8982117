// Which nodes are to have a model: decided alike by all who see the same nodes, and moved no more than has to be.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  fits,
  type Holding,
  holdersOf,
  isCovered,
  isUnderWay,
  type Place,
  type Wanted,
  whyNowhere,
} from '../../cluster/placement.js';

const wanted: Wanted = {
  model: 'm',
  version: '1',
  digest: 'a'.repeat(64),
  spread: { replicas: 2, needs: [] },
};
const holding: Holding = { model: 'm', version: '1', content: 'a'.repeat(10), state: 'ready', reason: '' };

function place(name: string, more: Partial<Place> = {}): Place {
  return {
    member: { id: `${name}.aaaaaa`, roles: ['host'], endpoint: '', host: '' },
    state: 'serving',
    labels: [],
    machine: 'here',
    workers: [{ id: `${name}-worker-1.aaaaaa`, device: 'cpu' }],
    holdings: [],
    ...more,
  };
}

const names = Array.from({ length: 12 }, (_, at) => `node-${at}`);

test('all decide the same, whatever the order in which they know each other', () => {
  const places = names.map((name) => place(name));
  const holders = holdersOf(wanted, places);
  assert.equal(holders.length, 2);
  assert.deepEqual(holdersOf(wanted, [...places].reverse()), holders);
  const all = { ...wanted, spread: { replicas: 0, needs: [] } };
  assert.equal(holdersOf(all, places).length, 12);
});

test('models are spread, and one node less moves only what it had', () => {
  const places = names.map((name) => place(name));
  const counts = new Map<string, number>();
  for (let model = 0; model < 300; model++) {
    const before = holdersOf({ ...wanted, model: `m${model}` }, places);
    for (const holder of before) counts.set(holder, (counts.get(holder) ?? 0) + 1);
    const gone = before[0] as string;
    const after = holdersOf(
      { ...wanted, model: `m${model}` },
      places.filter(({ member }) => member.id !== gone),
    );
    assert.equal(after[0], before[1], 'who has it keeps it');
  }
  assert.ok(
    [...counts.values()].every((count) => count > 20 && count < 90),
    JSON.stringify([...counts]),
  );
});

test('a node that is started again has its rank, under another id', () => {
  const places = names.map((name) => place(name));
  const again = places.map((one) => ({
    ...one,
    member: { ...one.member, id: one.member.id.replace('aaaaaa', 'bbbbbb') },
  }));
  const named = (ids: readonly string[]): string[] => ids.map((id) => id.split('.')[0] ?? '');
  assert.deepEqual(named(holdersOf(wanted, again)), named(holdersOf(wanted, places)));
});

test('tags and devices decide who fits; who drains, or has no workers, does not', () => {
  const big = place('big', { labels: ['big'] });
  const gpu = place('gpu', { workers: [{ id: 'w', device: 'cuda:1' }] });
  const needs = (...tags: string[]) => ({ replicas: 0, needs: tags });
  assert.ok(fits(needs('big'), big) && !fits(needs('big'), gpu));
  assert.ok(fits(needs('cuda'), gpu) && fits(needs('cuda:1'), gpu) && !fits(needs('cuda:0'), gpu));
  assert.ok(fits(needs('host:here', 'cpu'), big) && !fits(needs('host:there'), big));
  assert.ok(!fits(needs('big', 'cuda'), big));
  const odd = place('odd', { labels: ['with spaces'], machine: 'a machine' });
  assert.ok(!fits(needs('with spaces'), odd), 'a worker does not register with that either');
  assert.ok(!fits(needs('host:a machine'), odd));
  assert.ok(
    !fits(needs(), place('one', { state: 'draining' })) && !fits(needs(), place('one', { workers: [] })),
  );
  assert.deepEqual(holdersOf({ ...wanted, spread: needs('none') }, [big, gpu]), []);
});

test('whoever could not load it is passed by, unless nobody else is left', () => {
  const places = names.map((name) => place(name));
  const [first, second] = holdersOf(wanted, places);
  const failing = (one: Place): Place => ({
    ...one,
    holdings: [{ ...holding, state: 'failed', reason: 'why' }],
  });
  const after = holdersOf(
    wanted,
    places.map((one) => (one.member.id === first ? failing(one) : one)),
  );
  assert.equal(after[0], second);
  assert.ok(!after.includes(first as string));
  assert.deepEqual(holdersOf(wanted, places.map(failing)), [first, second]);
});

test('who is not to have it any more keeps it until all who are to have it are ready', () => {
  const [one, two] = [place('one'), place('two', { holdings: [holding] })] as const;
  const ids = [one.member.id, two.member.id];
  assert.equal(isCovered(wanted, ids, [one, two]), false);
  assert.equal(isCovered(wanted, ids, [{ ...one, holdings: [holding] }, two]), true);
  assert.equal(
    isCovered(wanted, ids, [{ ...one, holdings: [{ ...holding, state: 'loading' }] }, two]),
    false,
  );
  assert.equal(
    isCovered(wanted, ids, [{ ...one, holdings: [{ ...holding, content: 'b'.repeat(10) }] }, two]),
    false,
  );
  assert.equal(isCovered(wanted, [], [one, two]), false, 'nobody is to have it: whoever has it keeps it');
});

test('why nobody has it is told', () => {
  const needing = { ...wanted, spread: { replicas: 0, needs: ['big'] } };
  assert.equal(
    whyNowhere(needing, [place('one')]),
    'no node of the cluster takes it: wanted is a worker with big',
  );
  assert.equal(whyNowhere(wanted, []), 'no node of the cluster takes it: wanted is a worker');
  assert.equal(whyNowhere(wanted, [place('one')]), 'it is to come to one.aaaaaa');
  const told = [
    place('one', { holdings: [{ ...holding, state: 'fetching' }] }),
    place('two', { holdings: [{ ...holding, state: 'failed', reason: 'the disk is full' }] }),
  ];
  assert.equal(whyNowhere(wanted, told), "one.aaaaaa fetches it; two.aaaaaa can't have it: the disk is full");
});

test('a model is under way to those who are to have it until each has it or could not load it', () => {
  const one = { ...wanted, spread: { replicas: 1, needs: [] } };
  const holds = (state: Holding['state']): Place => place('next', { holdings: [{ ...holding, state }] });
  assert.equal(isUnderWay(one, [place('next')]), true);
  assert.equal(isUnderWay(one, [holds('fetching')]), true);
  assert.equal(isUnderWay(one, [holds('ready')]), false);
  assert.equal(isUnderWay(one, [holds('failed')]), false, 'nobody waits for that');
  assert.equal(isUnderWay(one, []), false, 'nor for nobody');
  assert.equal(isUnderWay(one, [place('next', { state: 'draining' })]), false);
});
