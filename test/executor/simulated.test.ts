// The simulated model: costs what it is told, and commits each fault on command.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { places } from '../../proto/messages.js';
import { createExecutor } from '../../runtime/executor/factory.js';
import { readSimulated } from '../../runtime/executor/simulated.js';
import { entryOf, floatRun, floatsOf, loaded, outcomeOf, successOf, tensor } from './models.js';

const executor = createExecutor();
after(() => executor.close());

function simulated(settings: Record<string, unknown>, name = 'model') {
  return entryOf({
    name,
    config: { backend: 'simulated', simulated: { alphaMs: 0, betaMs: 0, ...settings } },
  });
}

describe('cost', () => {
  test('is alpha plus beta for each row, and is what a warm run is said to take', async () => {
    const { place, runMs } = await loaded(executor, simulated({ alphaMs: 10, betaMs: 5 }));
    assert.deepEqual({ place, runMs }, { place: 'thread', runMs: 15 });
    const { computeMs } = await successOf(
      executor,
      floatRun(
        [
          [1, 2, 3, 4],
          [1, 2, 3, 4],
        ],
        4,
      ),
    );
    assert.ok(computeMs >= 19, `${computeMs} ms for 10 + 5 × 2`);
  });

  test('is that of the next larger step where steps are given', async () => {
    await loaded(
      executor,
      simulated(
        {
          alphaMs: 500,
          steps: [
            [1, 0],
            [4, 12],
          ],
        },
        'stepped',
      ),
    );
    const frames = Array.from({ length: 2 }, () => [1, 2, 3, 4]);
    const { computeMs } = await successOf(executor, floatRun(frames, 4, { model: 'stepped' }));
    assert.ok(computeMs >= 11 && computeMs < 400, `${computeMs} ms for a step of 12`);
  });

  test('another shape repeats the first number of each row', async () => {
    const outputs = [tensor('label', 'INT64', [-1, 2])];
    await loaded(executor, { ...simulated({}, 'label'), outputs });
    const run = floatRun(
      [
        [7, 0, 0, 0],
        [9, 0, 0, 0],
      ],
      4,
      { model: 'label' },
    );
    const [output] = (await successOf(executor, run)).outputs;
    assert.deepEqual([...new BigInt64Array(Uint8Array.from(output!.data).buffer)], [7n, 7n, 9n, 9n]);
  });
});

describe('faults', () => {
  test('one guilty row spoils the run, the next is right', async () => {
    const faultInput = { garbage: 664, nan: 665, lost: 667 };
    await loaded(executor, simulated({ faultInput }));
    const garbage = await outcomeOf(
      executor,
      floatRun(
        [
          [1, 2, 3, 4],
          [664, 0, 0, 0],
        ],
        4,
      ),
    );
    assert.ok(!garbage.ok && garbage.code === 'RESULT_INVALID');
    assert.match(garbage.reason, /output y FP32 \[2,4\] has 16 bytes, wanted are 32/);
    const lost = await outcomeOf(executor, floatRun([[667, 0, 0, 0]], 4));
    assert.ok(!lost.ok && lost.code === 'DEVICE_LOST');
    assert.ok(floatsOf(await successOf(executor, floatRun([[665, 0, 0, 0]], 4))).every(Number.isNaN));
    assert.deepEqual(floatsOf(await successOf(executor, floatRun([[666, 0, 0, 664]], 4))), [666, 0, 0, 664]);
  });

  test('slow takes its factor', async () => {
    await loaded(executor, simulated({ alphaMs: 4, slowFactor: 10, faultInput: { slow: 5 } }));
    const { computeMs } = await successOf(executor, floatRun([[5, 0, 0, 0]], 4));
    assert.ok(computeMs >= 39, `${computeMs} ms for 4 × 10`);
  });

  test('every n-th run commits it without being asked', async () => {
    await loaded(executor, simulated({ faultEvery: { lost: 3 } }));
    const ends: boolean[] = [];
    for (let at = 0; at < 6; at++) ends.push((await outcomeOf(executor, floatRun([[1, 2, 3, 4]], 4))).ok);
    assert.deepEqual(ends, [true, true, false, true, true, false]);
  });

  for (const place of places) {
    test(`die ends the process by SIGSEGV, ${place}`, async () => {
      const child = fork(fileURLToPath(new URL('./doomed.js', import.meta.url)), [place, 'die']);
      assert.deepEqual(await once(child, 'exit'), [null, 'SIGSEGV']);
    });

    test(`hang never answers, ${place}`, async () => {
      const child = fork(fileURLToPath(new URL('./doomed.js', import.meta.url)), [place, 'hang']);
      await once(child, 'message');
      const ended = once(child, 'exit');
      // An answer would have ended it with 3.
      const timer = setTimeout(() => child.kill('SIGKILL'), 300);
      assert.deepEqual(await ended, [null, 'SIGKILL']);
      clearTimeout(timer);
    });
  }
});

describe('settings', () => {
  test('defaults fill in what is not said', () => {
    const settings = readSimulated({ alphaMs: 3, faultEvery: { die: 100 } });
    assert.ok(typeof settings === 'object');
    assert.deepEqual([settings.alphaMs, settings.slowFactor, settings.faultEvery], [3, 10, { die: 100 }]);
    assert.ok(typeof readSimulated(undefined) === 'object');
  });

  const wrong: readonly (readonly [unknown, RegExp])[] = [
    [{ alpha: 1 }, /simulated\.alpha is not known, allowed are alphaMs, betaMs/],
    [{ alphaMs: -1 }, /simulated\.alphaMs is -1, wanted is a number from 0/],
    [{ alphaMs: '2' }, /simulated\.alphaMs is "2", wanted is a number/],
    [
      {
        steps: [
          [4, 2],
          [2, 3],
        ],
      },
      /simulated\.steps is .*, wanted are rows from 1 and milliseconds, both ascending/,
    ],
    [{ steps: [[0, 2]] }, /simulated\.steps is/],
    [{ steps: 3 }, /simulated\.steps is 3/],
    [{ jitter: 2 }, /simulated\.jitter is 2, wanted is 0 to 1/],
    [{ faultInput: { explode: 1 } }, /faultInput\.explode is not known, allowed are die, hang/],
    [{ faultInput: 666 }, /faultInput is 666, wanted is a map/],
    [{ faultEvery: { die: 0.5 } }, /faultEvery\.die is 0\.5, wanted is a whole number from 1/],
    [[], /simulated is \[\], wanted are settings/],
  ];
  for (const [given, sentence] of wrong) {
    test(`${JSON.stringify(given)} is refused with a sentence, and so is the model`, async () => {
      assert.match(String(readSimulated(given)), sentence);
      const config = { backend: 'simulated', simulated: given as Record<string, unknown> } as const;
      const result = await executor.load(entryOf({ name: 'refused', config }));
      assert.ok(!result.ok);
      assert.match(result.reason, sentence);
    });
  }
});
