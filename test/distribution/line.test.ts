// A node's line to the store of models: it begins anew whenever it has ended, and each time that the store is away is told once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryStoreServer } from '../../cluster/memory.js';
import { Line } from '../../runtime/distribution/line.js';
import type { Log } from '../../runtime/log.js';
import { until } from '../processes/harness.js';

test('each time that the store goes away is told once, also for the same reason as the time before', async () => {
  const server = new MemoryStoreServer();
  const warned: string[] = [];
  let caughtUp = 0;
  const log = { warn: (event: string, { reason }: { reason: string }) => warned.push(`${event}: ${reason}`) };
  const line = new Line({
    connect: async (events) => server.connect(events),
    cluster: 'c',
    log: log as unknown as Log,
    events: { opened: () => {}, put: () => {}, removed: () => {}, caughtUp: () => caughtUp++ },
  });
  void line.keep();
  for (let times = 1; times <= 3; times++) {
    await until('it is there', () => caughtUp === times);
    server.leave();
    await until('it is told', () => warned.length === times);
    server.comeBack();
  }
  await until('it is there', () => caughtUp === 4);
  assert.deepEqual(warned, Array(3).fill('store.away: the store is away'));
  await line.stop();
});
