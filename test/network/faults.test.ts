// What becomes of packets on a link with faults, wherever the tests run: links themselves need root and Linux, this does not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Faults, Lane, type Way, ways } from './faults.js';

const count = 10_000;

/** When each of so many arrives that are sent a millisecond apart; undefined where it is lost. */
function arrivals(way: Way, faults: Faults, seed = 1): (number | undefined)[] {
  const lane = new Lane(way, seed);
  lane.faults = faults;
  return Array.from({ length: count }, (_, at) => lane.arrivalAt(at));
}

test('a share of the packets is lost, in the direction that is meant', () => {
  const lost = (way: Way, faults: Faults): number =>
    arrivals(way, faults).filter((at) => at === undefined).length / count;
  for (const way of ways) {
    assert.equal(lost(way, {}), 0);
    assert.ok(Math.abs(lost(way, { lossShare: 0.3 }) - 0.3) < 0.025);
    assert.equal(lost(way, { lossShare: 1 }), 1);
    const other = way === 'in' ? 'out' : 'in';
    assert.equal(lost(way, { lossShare: 1, only: other }), 0);
    assert.equal(lost(way, { lossShare: 1, only: way }), 1);
  }
  assert.deepEqual(arrivals('in', { lossShare: 0.3 }), arrivals('in', { lossShare: 0.3 }), 'by its seed');
  assert.notDeepEqual(arrivals('in', { lossShare: 0.3 }), arrivals('in', { lossShare: 0.3 }, 2));
});

test('each is as late as it was told, and none overtakes another when that changes', () => {
  assert.ok(arrivals('out', { delayMs: 200 }).every((at, sentAt) => at === sentAt + 200));
  const lane = new Lane('out', 1);
  lane.faults = { delayMs: 200 };
  assert.equal(lane.arrivalAt(0), 200);
  lane.faults = {};
  assert.deepEqual([lane.arrivalAt(10), lane.arrivalAt(300)], [200, 300]);
});
