// The keeping of the list of owners, over a store that breaks off: it begins anew, and leaves the store time to breathe.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Steward } from '../../cluster/steward.js';
import type { Connection, Store, WatchEvents } from '../../cluster/store.js';
import type { Clock } from '../../runtime/clock.js';
import { settle } from '../../runtime/clock.js';
import { OwnersUpkeep } from '../../runtime/membership/owners.js';

const silent = { debug() {}, info() {}, warn() {}, error() {}, takes: () => false };
const waits = { againFirstMs: 250, againMs: 1000 };
const endingMost = 10;

/** A store whose watches end as soon as they begin, or can't begin. */
function restless(begin: (events: WatchEvents) => void) {
  const pauses: { readonly ms: number; readonly go: () => void }[] = [];
  let watches = 0;
  const clock: Clock = {
    now: () => 0,
    after: () => ({ cancel() {} }),
    pause: (ms) => new Promise((resolve) => void pauses.push({ ms, go: resolve })),
  };
  const watch = async (events: WatchEvents): Promise<() => void> => {
    if (++watches <= endingMost) begin(events);
    return () => {};
  };
  const owners = new OwnersUpkeep({
    steward: new Steward({
      self: 'node-1',
      nodes: () => [],
      standing: () => 'live',
      patienceMs: 1000,
      spaceMs: 10,
    }),
    store: { name: 'owners', keepMs: 0 },
    tickMs: 100,
    log: silent,
    told: () => {},
    clock,
    waits,
  });
  owners.connected({
    open: async () => ({ watch }) as unknown as Store,
    close: async () => {},
  } as Connection);
  return { owners, pauses, watches: () => watches };
}

const settled = (): Promise<void> => new Promise(settle);

test('a watch that ends as soon as it begins is begun again after a pause, and each time so', async () => {
  const { owners, pauses, watches } = restless((events) => events.ended('the store was lost'));
  for (let time = 1; time <= 3; time++) {
    await settled();
    assert.deepEqual([watches(), pauses.map(({ ms }) => ms)], [time, Array(time).fill(waits.againFirstMs)]);
    pauses.at(-1)?.go();
  }
  owners.stop();
});

test('one that can not begin is tried again after the longer one; who has stopped begins none', async () => {
  const { owners, pauses, watches } = restless(() => {
    throw new Error('no stream of that name');
  });
  await settled();
  assert.deepEqual(
    pauses.map(({ ms }) => ms),
    [waits.againMs],
  );
  owners.stop();
  pauses.at(-1)?.go();
  await settled();
  assert.equal(watches(), 1);
});

test('a connection that comes back is not made to wait for the pause of the one before', async () => {
  const { owners, pauses, watches } = restless((events) => events.ended('the store was lost'));
  await settled();
  owners.connected(undefined);
  pauses.at(-1)?.go();
  await settled();
  assert.equal(watches(), 1, 'there is nothing to open it over');
  const store = { watch: async () => () => {} } as unknown as Store;
  let opened = 0;
  const open = async (): Promise<Store> => {
    opened++;
    return store;
  };
  owners.connected({ open, close: async () => {} });
  await settled();
  assert.equal(opened, 1);
  owners.stop();
});
