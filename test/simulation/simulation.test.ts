// The simulator in short: many seeds without a violation, and the same seed twice with the same trace.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Report, ranges, runTasks } from './crew.js';
import { runTask } from './hand.js';
import { Random } from './random.js';
import { simulate } from './simulate.js';
import { Timeline } from './timeline.js';

describe('a simulated system', () => {
  test('300 seeds break nothing, and see every kind of end', async () => {
    const reports: Report[] = [];
    await runTasks(ranges(1, 300, 25), (report) => reports.push(report));
    assert.deepEqual(
      reports.flatMap(({ violations }) => violations),
      [],
    );
    const seen = new Set(reports.flatMap(({ endings }) => Object.keys(endings)));
    for (const ending of [
      'completed',
      'expired DEADLINE_EXCEEDED',
      'cancelled CANCELLED',
      'failed MODEL_FAILED',
      'failed JOB_POISONED',
      'failed DEVICE_LOST',
      'failed RETRIES_SPENT',
      'failed RUN_LOST',
      'failed RESULT_INVALID',
      'rejected QUEUE_FULL',
      'rejected OVERLOADED',
      'displaced DISPLACED',
      'rejected DRAINING',
    ]) {
      assert.ok(seen.has(ending), `no job ended as ${ending}`);
    }
  });

  test('60 clusters, whose nodes find each other by a NATS that fails, break nothing', async () => {
    const reports: Report[] = [];
    await runTasks(ranges(1001, 60, 10, true), (report) => reports.push(report));
    assert.deepEqual(
      reports.flatMap(({ violations }) => violations),
      [],
    );
  });

  test('the same seed gives the same trace, byte for byte', async () => {
    for (const seed of [3, 85, 209]) {
      const one = await simulate(seed, { trace: true });
      const other = await simulate(seed, { trace: true });
      assert.ok(one.lines.length > 1000);
      assert.equal(one.lines.join('\n'), other.lines.join('\n'));
      assert.equal(one.hash, other.hash);
      assert.equal((await simulate(seed)).hash, one.hash, 'without its lines it is the same run');
    }
    assert.notEqual((await simulate(3)).hash, (await simulate(4)).hash);
  });

  test('the same seeds give the same on another thread', async () => {
    const [task] = ranges(40, 10, 10);
    assert.ok(task !== undefined);
    const reports: Report[] = [];
    await runTasks([task], (report) => reports.push(report));
    assert.equal(reports[0]?.hash, (await runTask(task)).hash);
  });
});

describe('virtual time', () => {
  test('events run at their instant, in the order in which they were put there', () => {
    const timeline = new Timeline();
    const seen: string[] = [];
    const put = (at: number, name: string) => timeline.at(at, () => seen.push(`${name} at ${timeline.now}`));
    put(5, 'late');
    put(2, 'first');
    put(2, 'second');
    put(3, 'cancelled').cancelled = true;
    timeline.run(4);
    assert.deepEqual(seen, ['first at 2', 'second at 2']);
    assert.equal(timeline.now, 4);
    timeline.run(10);
    assert.deepEqual(seen.slice(2), ['late at 5']);
  });

  test('a timer that arms itself again comes round every time', () => {
    const timeline = new Timeline();
    let rounds = 0;
    const again = (): void => {
      rounds++;
      timeline.after(10, again);
    };
    timeline.after(10, again);
    timeline.run(100);
    assert.equal(rounds, 10);
  });
});

describe('chance', () => {
  test('a seed gives the same numbers, another one others', () => {
    const random = new Random(7);
    const other = new Random(7);
    const numbers = Array.from({ length: 1000 }, () => random.next());
    assert.deepEqual(
      numbers,
      Array.from({ length: 1000 }, () => other.next()),
    );
    assert.ok(numbers.every((number) => number >= 0 && number < 1));
    const mean = numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
    assert.ok(Math.abs(mean - 0.5) < 0.05, `the mean of many is ${mean}`);
    assert.notEqual(new Random(1).next(), new Random(2).next());
  });
});
