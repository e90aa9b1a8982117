// Leases by one's own clock: what counts as news of a member, and when a view may judge at all.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Leases } from '../../cluster/leases.js';

let leases: Leases;

let beats = 0;

/** Written, and back from the store. */
function beat(writtenAt: number, heardAt = writtenAt): boolean {
  leases.wrote(++beats, writtenAt);
  return leases.heardSelf(beats, heardAt);
}

beforeEach(() => {
  beats = 0;
  leases = new Leases({ beatMs: 3000, leaseMs: 12_000 });
  beat(0);
});

test('a lease ends when its entry has stayed the same for so long, and is told of once', () => {
  leases.heard('m', 5, 1000);
  beat(5000);
  leases.heard('m', 5, 9000);
  beat(10_000);
  beat(13_000);
  assert.deepEqual(leases.spent(), []);
  beat(13_001);
  assert.deepEqual(leases.spent(), [{ member: 'm', revision: 5 }]);
  beat(15_000);
  assert.deepEqual(leases.spent(), []);
});

test('a lower revision is news too: a store that lost writes goes on from where it was', () => {
  leases.heard('m', 9, 0);
  beat(4000);
  leases.heard('m', 3, 5000);
  for (const at of [8000, 12_001, 17_000]) beat(at);
  assert.deepEqual(leases.spent(), []);
  beat(17_001);
  assert.deepEqual(leases.spent(), [{ member: 'm', revision: 3 }]);
});

test('before it has heard itself for the first time a view judges nobody', () => {
  const young = new Leases({ beatMs: 3000, leaseMs: 12_000 });
  young.heard('m', 1, 0);
  young.wrote(1, 50_000);
  assert.deepEqual(young.spent(), []);
  assert.equal(young.standing().state, 'joining');
});

test('what the store tells late is no silence: others are judged by what was told before its own beat', () => {
  leases.heard('m', 1, 0);
  for (let at = 1000; at <= 6000; at += 1000) beat(at, 2 * at);
  beat(7000, 13_000);
  assert.deepEqual(leases.spent(), [], 'what m has written since may be under way');
  leases.heard('m', 2, 13_100);
  for (let at = 8000; at <= 25_000; at += 1000) beat(at, at + 6000);
  assert.deepEqual(leases.spent(), [], 'it may have written right before it was heard');
  beat(25_101, 31_101);
  assert.equal(leases.spent().length, 1);
});

test('it grows deaf before any lease can end, and only a new beat of its own ends that', () => {
  assert.equal(leases.growsDeaf(6000), false);
  assert.equal(leases.growsDeaf(6001), true);
  assert.equal(leases.growsDeaf(6002), false, 'it is deaf already');
  leases.heard('m', 1, 6100);
  assert.equal(leases.heardSelf(1, 7000), false, 'a watch that begins anew tells the old entry again');
  assert.equal(leases.standing().state, 'frozen');
  assert.equal(beat(30_000), true);
  assert.deepEqual(leases.standing(), { state: 'live', reason: '' });
  assert.deepEqual(leases.spent(), [], 'leases begin anew with it');
  beat(36_000);
  beat(42_000);
  assert.deepEqual(leases.spent(), []);
  beat(42_001);
  assert.equal(leases.spent().length, 1);
});

test('who was held up hears its own old beat first, and judges nobody by what it has not read yet', () => {
  leases.heard('m', 1, 0);
  assert.equal(beat(13_000), false, 'nobody had noticed: it was live all the time');
  assert.deepEqual(leases.spent(), []);
  for (const at of [19_000, 25_000]) beat(at);
  assert.deepEqual(leases.spent(), []);
  beat(25_001);
  assert.equal(leases.spent().length, 1);
});
