// Leases by one's own clock: what counts as news of a member, and when a view may judge at all.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Leases } from '../../cluster/leases.js';

let leases: Leases;

beforeEach(() => {
  leases = new Leases({ beatMs: 3000, leaseMs: 12_000 });
  leases.heardSelf(1, 0);
});

test('a lease ends when its entry has stayed the same for so long, and is told of once', () => {
  leases.heard('m', 5, 1000);
  leases.heard('m', 5, 9000);
  assert.deepEqual(leases.spent(13_000), []);
  assert.deepEqual(leases.spent(13_001), [{ member: 'm', revision: 5 }]);
  assert.deepEqual(leases.spent(20_000), []);
});

test('a lower revision is news too: a store that lost writes goes on from where it was', () => {
  leases.heard('m', 9, 0);
  leases.heard('m', 3, 5000);
  assert.deepEqual(leases.spent(12_001), []);
  assert.deepEqual(leases.spent(17_001), [{ member: 'm', revision: 3 }]);
});

test('before it has heard itself for the first time a view judges nobody', () => {
  const young = new Leases({ beatMs: 3000, leaseMs: 12_000 });
  young.heard('m', 1, 0);
  assert.deepEqual(young.spent(50_000), []);
  assert.equal(young.standing().state, 'joining');
});

test('it grows deaf before any lease can end, and only a new beat of its own ends that', () => {
  assert.equal(leases.growsDeaf(6000), false);
  assert.equal(leases.growsDeaf(6001), true);
  assert.equal(leases.growsDeaf(6002), false, 'it is deaf already');
  leases.heard('m', 1, 6100);
  assert.equal(leases.heardSelf(1, 7000), false, 'a watch that begins anew tells the old entry again');
  assert.equal(leases.standing().state, 'frozen');
  assert.equal(leases.heardSelf(2, 30_000), true);
  assert.deepEqual(leases.standing(), { state: 'live', reason: '' });
  assert.deepEqual(leases.spent(41_000), [], 'leases begin anew with it');
  assert.equal(leases.spent(42_001).length, 1);
});

test('who was held up hears its own old beat first, and judges nobody by what it has not read yet', () => {
  leases.heard('m', 1, 0);
  assert.equal(leases.heardSelf(2, 13_000), false, 'nobody had noticed: it was live all the time');
  assert.deepEqual(leases.spent(13_001), []);
  assert.equal(leases.spent(25_001).length, 1);
});
