// A steward in a large cluster: it goes through what all have to serve only when something of that has changed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readOwners } from '../../cluster/ownership.js';
import type { NodeRecord } from '../../cluster/record.js';
import { Steward, type StewardFact } from '../../cluster/steward.js';
import { noEpoch, type Ownership } from '../../proto/ownership.js';

test('looks through all models only after a change, and then at once', () => {
  let looked = 0;
  let changes = 1;
  let now = 0;
  const models = ['one:1', 'two:1'];
  const lists: Ownership[] = [];
  const about = {
    cluster: 'c',
    protocol: 1,
    build: '',
    machine: '',
    labels: [],
    workers: [],
    jobs: 0,
    beat: 1,
  };
  const node = (id: string): NodeRecord => ({
    ...about,
    member: { id, roles: ['scheduler'], endpoint: '', host: '' },
    state: 'serving',
    get models() {
      if (id !== 'a') looked++;
      return models;
    },
    ownersEpoch: lists.at(-1)?.epoch ?? noEpoch,
  });
  const steward = new Steward({
    self: 'a',
    nodes: () => [node('a'), node('b')],
    changes: () => changes,
    standing: () => 'live',
    patienceMs: 1000,
    spaceMs: 10,
  });
  const tell = (fact: StewardFact): void => {
    now += 20;
    for (const effect of steward.told(fact, now)) {
      if (effect.type !== 'write') continue;
      lists.push(readOwners(effect.text) as Ownership);
      tell({ type: 'write.done', revision: lists.length });
    }
  };
  tell({ type: 'store.opened' });
  tell({ type: 'store.caughtUp' });
  tell({ type: 'tick' });
  const before = looked;
  for (let tick = 0; tick < 100; tick++) tell({ type: 'tick' });
  assert.equal(looked, before);
  models.push('three:1');
  changes++;
  tell({ type: 'members.changed' });
  assert.deepEqual(
    lists.map(({ owners }) => owners.length),
    [2, 3],
  );
});

test('an epoch that leaves no room for a higher one is no good', () => {
  assert.match(String(readOwners(`{"epoch":[${2 ** 48},"a"],"owners":{}}`)), /no good epoch/);
  assert.equal(typeof readOwners(`{"epoch":[${2 ** 48 - 1},"a"],"owners":{}}`), 'object');
});
