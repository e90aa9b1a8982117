// The keeping of a membership in a store that is slow: what takes longer than its patience comes about all the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Connection, ConnectionEvents, Store } from '../../cluster/store.js';
import { type Clock, settle } from '../../runtime/clock.js';
import { Upkeep } from '../../runtime/membership/upkeep.js';
import { membershipOf } from '../cluster/stored-town.js';

const silent = { debug() {}, info() {}, warn() {}, error() {}, takes: () => false };
const leaseMs = 400;
const tickMs = 25;
const settled = (): Promise<void> => new Promise(settle);

test('a store that takes longer to open than this node bears to hear nothing is not opened anew all the while', async () => {
  let now = 0;
  let ticks: (() => void)[] = [];
  const clock: Clock = {
    now: () => now,
    after: (delayMs, run) => {
      if (delayMs === tickMs) ticks.push(run);
      return { cancel() {} };
    },
    pause: () => new Promise(() => {}),
  };
  const pass = async (ms: number): Promise<void> => {
    for (const until = now + ms; now < until; ) {
      now += tickMs;
      const due = ticks;
      ticks = [];
      for (const run of due) run();
      await settled();
    }
  };
  /** Nothing that is written there is ever told. */
  let watches = 0;
  const store = {
    put: async () => 1,
    watch: async () => {
      watches++;
      return () => {};
    },
  } as unknown as Store;
  let opened = 0;
  let answer: (store: Store) => void = () => {};
  const open = (): Promise<Store> => {
    if (++opened === 1) return Promise.resolve(store);
    return new Promise((resolve) => {
      answer = resolve;
    });
  };
  const membership = membershipOf(
    { id: 'one.aa', roles: ['worker'], endpoint: '', host: '' },
    { beatMs: leaseMs / 4, leaseMs },
  );
  const upkeep = new Upkeep({
    membership,
    connect: async () => ({ open, close: async () => {} }) as Connection,
    store: { name: 'members', keepMs: 0 },
    where: 'here',
    startMs: 1000,
    tickMs,
    log: silent,
    take: () => {},
    changed: () => {},
    clock,
  });
  void upkeep.start().catch(() => {});
  await settled();
  assert.deepEqual([opened, watches], [1, 1]);
  await pass(leaseMs);
  assert.equal(opened, 2, 'what hears nothing is looked at anew');
  await pass(5 * leaseMs);
  assert.equal(opened, 2);
  answer(store);
  await settled();
  assert.equal(watches, 2);
  await pass(leaseMs);
  assert.equal(opened, 3, 'it hears nothing yet');
  await upkeep.abandon();
});

test('who is refused asks again ever later, the first time too, and says why it is outside as long as it is', async () => {
  const pauses: number[] = [];
  let resume: () => void = () => {};
  const clock: Clock = {
    now: () => 0,
    after: () => ({ cancel() {} }),
    pause: (delayMs) => {
      pauses.push(delayMs);
      return new Promise((resolve) => {
        resume = resolve;
      });
    },
  };
  const store = { put: async () => 1, watch: async () => () => {} } as unknown as Store;
  let events: ConnectionEvents | undefined;
  let isRefused = false;
  const upkeep = new Upkeep({
    membership: membershipOf(
      { id: 'one.aa', roles: ['worker'], endpoint: '', host: '' },
      { beatMs: leaseMs / 4, leaseMs },
    ),
    connect: async (given) => {
      events = given;
      if (isRefused) throw new Error('refused');
      return { open: async () => store, close: async () => {} } as Connection;
    },
    store: { name: 'members', keepMs: 0 },
    where: 'here',
    startMs: 1000,
    tickMs,
    log: silent,
    take: () => {},
    changed: () => {},
    clock,
    waits: { againFirstMs: 250, againMostMs: 1000, inMostMs: 4000, goodbyeMs: 1 },
  });
  const started = upkeep.start();
  upkeep.hurry();
  await started;
  await settled();
  assert.equal(upkeep.trouble, '');
  isRefused = true;
  events?.closed('let out');
  assert.equal(upkeep.trouble, 'let out');
  for (let time = 0; time < 4; time++) {
    resume();
    await settled();
  }
  assert.deepEqual(pauses, [1000, 1000, 2000, 4000, 4000]);
  assert.equal(upkeep.trouble, 'refused');
  isRefused = false;
  resume();
  await settled();
  assert.equal(upkeep.trouble, '');
});
