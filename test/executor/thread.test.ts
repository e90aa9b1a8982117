// The compute thread beside the main thread: the one computes, the other stays awake, and neither waits for the other.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { constants, platform } from 'node:os';
import { test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { createExecutor } from '../../runtime/executor/factory.js';
import { entryOf, floatRun, loaded, outcomeOf, successOf } from './models.js';
import { onnxIdentity } from './onnx.js';

const sleeping = { backend: 'simulated', simulated: { alphaMs: 100, betaMs: 0 } } as const;

test('the main thread goes on while a run holds the thread', async () => {
  const executor = createExecutor();
  await loaded(executor, entryOf({ config: sleeping }));
  let isDone = false;
  let turns = 0;
  const running = outcomeOf(executor, floatRun([[1, 2, 3, 4]], 4)).then((result) => {
    isDone = true;
    return result;
  });
  while (!isDone) {
    await new Promise(setImmediate);
    turns += 1;
  }
  assert.ok((await running).ok);
  assert.ok(turns > 20, `${turns} turns during 100 ms`);
  await executor.close();
});

test('a tiny model answers while the thread is held by another', async () => {
  const executor = createExecutor();
  await loaded(executor, entryOf({ name: 'heavy', config: sleeping }));
  await loaded(executor, entryOf({ name: 'light', config: { backend: 'echo' } }));
  const order: string[] = [];
  const heavy = outcomeOf(executor, floatRun([[1, 2, 3, 4]], 4, { model: 'heavy' })).then(() =>
    order.push('heavy'),
  );
  const light = outcomeOf(executor, floatRun([[1, 2, 3, 4]], 4, { model: 'light' })).then(() =>
    order.push('light'),
  );
  await Promise.all([heavy, light]);
  assert.deepEqual(order, ['light', 'heavy']);
  await executor.close();
});

test('runs in the thread go in the order given', async () => {
  const executor = createExecutor();
  await loaded(executor, entryOf({ config: { backend: 'simulated', simulated: { alphaMs: 1, jitter: 1 } } }));
  const order: string[] = [];
  const keys = Array.from({ length: 10 }, (_, at) => `run-${at}`);
  await Promise.all(
    keys.map(async (key) =>
      order.push((await outcomeOf(executor, floatRun([[1, 2, 3, 4]], 4, { key }))).key),
    ),
  );
  assert.deepEqual(order, keys);
  await executor.close();
});

test('close waits for a run that holds the thread', async () => {
  const executor = createExecutor();
  await loaded(executor, entryOf({ config: sleeping }));
  const order: string[] = [];
  const running = outcomeOf(executor, floatRun([[1, 2, 3, 4]], 4)).then((result) =>
    order.push(String(result.ok)),
  );
  const closing = executor.close().then(() => order.push('closed'));
  await Promise.all([running, closing]);
  assert.deepEqual(order, ['true', 'closed']);
});

test('a lost device is told once, after all that it held was answered', async () => {
  const told: string[] = [];
  let broken: () => void = () => {};
  const heard = new Promise<void>((resolve) => {
    broken = resolve;
  });
  const executor = createExecutor({
    broken: (reason) => {
      told.push(reason);
      broken();
    },
  });
  await loaded(
    executor,
    entryOf({ config: { backend: 'simulated', simulated: { faultInput: { lost: 7 } } } }),
  );
  await successOf(executor, floatRun([[1, 0, 0, 0]], 4));
  assert.deepEqual(told, []);
  const ends = [7, 7].map(async (value) => {
    const result = await outcomeOf(executor, floatRun([[value, 0, 0, 0]], 4));
    return result.ok ? '' : result.code;
  });
  assert.deepEqual(await Promise.all(ends), ['DEVICE_LOST', 'DEVICE_LOST']);
  await heard;
  assert.deepEqual(told, ['the device was lost: the simulated device was lost']);
  await executor.close();
});

test('a compute thread that ends unasked loses its runs and is told; one that was asked is not', async (t) => {
  const threads: Worker[] = [];
  const remember = (thread: Worker): number => threads.push(thread);
  process.on('worker', remember);
  t.after(() => process.off('worker', remember));
  const told: string[] = [];
  let broken: () => void = () => {};
  const heard = new Promise<void>((resolve) => {
    broken = resolve;
  });
  const tell = (reason: string): void => {
    told.push(reason);
    broken();
  };
  const asked = createExecutor({ broken: tell });
  await loaded(asked, entryOf({ config: sleeping }));
  await asked.close();
  const executor = createExecutor({ broken: tell });
  await loaded(executor, entryOf({ config: sleeping }));
  const running = outcomeOf(executor, floatRun([[1, 2, 3, 4]], 4));
  void threads[1]?.terminate();
  const result = await running;
  assert.ok(!result.ok && result.code === 'DEVICE_LOST');
  await heard;
  assert.deepEqual(told, ['the compute thread has ended']);
  await executor.close();
});

test('only the computing threads are nice', {
  skip: platform() !== 'linux' && 'read from /proc',
}, async () => {
  const before = niceness();
  const executor = createExecutor({ threads: 2 });
  await loaded(executor, entryOf({ onnx: onnxIdentity(), config: { placement: 'thread' } }));
  const during = niceness();
  assert.equal(during.get(String(process.pid)), before.get(String(process.pid)));
  const lowered = [...during].filter(
    ([thread, nice]) => !before.has(thread) && nice === constants.priority.PRIORITY_BELOW_NORMAL,
  );
  assert.ok(
    lowered.length >= 2,
    `lowered are ${lowered.length} threads: the compute thread and the library's own`,
  );
  await executor.close();
});

/** Of every thread of this process. */
function niceness(): Map<string, number> {
  return new Map(
    readdirSync('/proc/self/task').map((thread) => {
      const line = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8');
      return [thread, Number(line.slice(line.lastIndexOf(')') + 2).split(' ')[16])];
    }),
  );
}
