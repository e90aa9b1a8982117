// The deadline wheel against a sorted list, under random additions, removals and jumps of time: nothing fires early,
// nothing more than a millisecond late, nothing twice and nothing is forgotten.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Deadline, Wheel } from '../../actors/router/wheel.js';
import { Random } from '../simulation/random.js';

class Entry implements Deadline {
  readonly deadline: number;
  wheelNext: Deadline | undefined = undefined;
  wheelBefore: Deadline | undefined = undefined;
  wheelSlot = -1;

  constructor(deadline: number) {
    this.deadline = deadline;
  }
}

/** From within the same millisecond to days. */
const reaches = [0.5, 5, 70, 500, 5000, 300_000, 2e7, 3e8, 5e9];
const jumps = [0, 0.3, 1, 10, 63, 64, 65, 4096, 4097, 100_000, 3e6, 2e8, 2e9];

function fireAll(wheel: Wheel<Entry>, now: number): Entry[] {
  const fired: Entry[] = [];
  wheel.advance(now, (entry) => fired.push(entry));
  return fired;
}

describe('the deadline wheel', () => {
  test('agrees with a sorted list, 200 times', () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = new Random(seed);
      let now = random.between(0, 1e6);
      const wheel = new Wheel<Entry>(now);
      const waiting = new Set<Entry>();
      for (let step = 0; step < 120; step++) {
        const what = random.next();
        if (what < 0.5) {
          const entry = new Entry(now + random.next() * random.pick(reaches));
          wheel.add(entry, now);
          waiting.add(entry);
        } else if (what < 0.65 && waiting.size > 0) {
          const entry = random.pick([...waiting]);
          wheel.remove(entry);
          wheel.remove(entry);
          waiting.delete(entry);
        } else {
          now += random.next() * random.pick(jumps);
          for (const entry of fireAll(wheel, now)) {
            assert.ok(waiting.delete(entry), `seed ${seed}: fired though it was not waiting`);
            assert.ok(entry.deadline <= now, `seed ${seed}: fired ${entry.deadline - now} ms early`);
          }
          const late = [...waiting].filter((entry) => entry.deadline <= now - 1);
          assert.deepEqual(late, [], `seed ${seed}: late`);
        }
        assert.equal(wheel.size, waiting.size);
        const soonest = Math.min(...[...waiting].map(({ deadline }) => Math.ceil(deadline)));
        assert.ok(
          wheel.nextAt() <= Math.max(soonest, Math.ceil(now)),
          `seed ${seed}: it would wake up too late`,
        );
      }
      const rest = fireAll(wheel, now + 1e10);
      assert.equal(rest.length, waiting.size, `seed ${seed}: some were forgotten`);
      assert.equal(wheel.nextAt(), Number.POSITIVE_INFINITY);
    }
  });

  test('whoever wakes up when it says hears of every deadline within a millisecond', () => {
    for (let seed = 0; seed < 20; seed++) {
      const random = new Random(1000 + seed);
      const wheel = new Wheel<Entry>(0);
      const entries = Array.from({ length: 100 }, () => new Entry(random.next() * random.pick(reaches)));
      for (const entry of entries) wheel.add(entry, 0);
      let heard = 0;
      let wakes = 0;
      for (let now = wheel.nextAt(); now < Number.POSITIVE_INFINITY; now = wheel.nextAt()) {
        for (const { deadline } of fireAll(wheel, now)) {
          assert.ok(deadline <= now && deadline > now - 1, `${now - deadline} ms late`);
          heard++;
        }
        wakes++;
      }
      assert.equal(heard, entries.length);
      // An entry that waits long is moved once a level, not looked at all the time.
      assert.ok(wakes < entries.length * 6, `${wakes} wakes for ${entries.length} deadlines`);
    }
  });

  test('what fires may add and remove', () => {
    const wheel = new Wheel<Entry>(0);
    const [first, second, third] = [new Entry(5), new Entry(5), new Entry(7)];
    for (const entry of [first, second]) wheel.add(entry, 0);
    const heard: Entry[] = [];
    wheel.advance(5, (entry) => {
      if (heard.length === 0) {
        wheel.remove(entry === first ? second : first);
        wheel.add(third, 5);
      }
      heard.push(entry);
    });
    assert.equal(heard.length, 1);
    assert.deepEqual(fireAll(wheel, 7), [third]);
  });

  test('a deadline that has passed already fires next', () => {
    const wheel = new Wheel<Entry>(100);
    const entry = new Entry(3);
    wheel.add(entry, 100);
    assert.ok(wheel.nextAt() <= 100);
    assert.deepEqual(fireAll(wheel, 100), [entry]);
  });
});
