// Whose turn it is among lanes: by weight of what each was given, and no saving up.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Demand } from '../../actors/lane/demand.js';
import { Lane } from '../../actors/lane/lane.js';
import type { Member } from '../../actors/scheduler/crew.js';
import { Transport } from '../../actors/scheduler/transport.js';
import { Turns } from '../../actors/scheduler/turns.js';
import { Shapes, WorkerRecord } from '../../actors/scheduler/workers.js';
import { batchingDefaults } from '../../proto/batching.js';

function laneOf(model: string, weight = 1): Lane {
  const lane = new Lane(`${model}:1`, model, '1', { depthMax: 100, bytesMax: 1e6 });
  lane.batching = { ...batchingDefaults, weight };
  return lane;
}

function wait(lane: Lane): void {
  const job = lane.queue.count + 1;
  const sizes = { shapeKey: '', rows: 1, bytes: 1, priority: 0, deadline: 1e6, company: 'any' } as const;
  const way = { avoid: '', admitted: false, arrival: job, arrivedAt: 0, strand: undefined };
  lane.queue.add({ router: 'router-1', job, attempt: 1, ...sizes, ...way });
}

function crewOf(...names: readonly string[]): Member[] {
  return names.map((name) => {
    const register = { name, device: 'cpu', tags: [], inlineCredits: 1, threadCredits: 1 };
    const worker = new WorkerRecord(name, 1, { type: 'worker.register', ...register }, new Shapes());
    const share = { state: 'ready', place: 'thread', rowsMax: 8, reason: '', runsOn: 'cpu' } as const;
    return { worker, share, preferred: false };
  });
}

const pair = crewOf('worker-1', 'worker-2');
const [one, two] = pair as [Member, Member];

describe('turns', () => {
  /** Both want more than there is: who got how many milliseconds. */
  function share(lanes: readonly Lane[], costs: readonly number[]): number[] {
    const turns = new Turns();
    const given = lanes.map(() => 0);
    for (const lane of lanes) wait(lane);
    for (let now = 0; now < 4000; ) {
      const first = turns.order(lanes)[0] as Lane;
      const at = lanes.indexOf(first);
      const ms = costs[at] as number;
      turns.charge(first, one, ms, now);
      given[at] = (given[at] as number) + ms;
      now += ms;
    }
    return given;
  }

  test('equal weights get equal time, whatever a batch of each costs', () => {
    const [a, b] = share([laneOf('a'), laneOf('b')], [1, 7]) as [number, number];
    assert.ok(Math.abs(a - b) <= 14, `${a} and ${b} ms`);
  });

  test('time goes by weight', () => {
    const [a, b] = share([laneOf('a', 3), laneOf('b', 1)], [2, 2]) as [number, number];
    assert.ok(Math.abs(a / b - 3) < 0.1, `${a} and ${b} ms`);
  });

  test('who had nothing to run does not save up', () => {
    const turns = new Turns();
    const [busy, idle] = [laneOf('busy'), laneOf('idle')];
    wait(busy);
    for (let now = 0; now < 1000; now += 10) turns.charge(busy, one, 10, now);
    turns.enter(idle);
    wait(idle);
    let inARow = 0;
    while (turns.order([busy, idle])[0] === idle) {
      turns.charge(idle, one, 10, 1000);
      inARow++;
    }
    assert.ok(inARow <= 2, `${inARow} in a row`);
  });

  test('a lane counts on what others leave of the workers, and on its own part at least', () => {
    const turns = new Turns();
    const [flood, calm] = [laneOf('flood'), laneOf('calm')];
    assert.equal(turns.shareOf(calm, pair, 0), 1, 'nobody else is there');
    for (let now = 0; now < 1000; now += 1) {
      turns.charge(flood, one, 0.9, now);
      turns.charge(flood, two, 0.9, now);
      turns.charge(calm, one, 0.2, now);
    }
    assert.equal(turns.shareOf(calm, pair, 1000), 0.5);
    const left = turns.shareOf(flood, pair, 1000);
    assert.ok(left > 0.85 && left < 0.95, `${left} is left to the flood`);
    assert.ok(turns.contended(calm, pair, 1000));
    assert.ok(!turns.contended(calm, pair, 5000), 'what was long ago is forgotten');
  });
});

describe('turns of lanes that share no worker', () => {
  test('take nothing from each other', () => {
    const turns = new Turns();
    const [here, there] = [laneOf('here'), laneOf('there')];
    for (let now = 0; now < 1000; now += 1) {
      turns.charge(here, one, 0.1, now);
      turns.charge(there, two, 1, now);
    }
    assert.equal(turns.shareOf(here, [one], 1000), 1);
    assert.ok(!turns.contended(here, [one], 1000));
    const inline = { ...two, share: { ...two.share, place: 'inline' as const } };
    assert.equal(turns.shareOf(here, [inline], 1000), 1, 'neither do the places of one worker');
  });
});

describe('demand', () => {
  test('is the rate of rows, and fades', () => {
    const demand = new Demand();
    assert.equal(demand.rowsPerMs(0), 0);
    for (let now = 0; now < 2000; now += 2) demand.arrive(4, 100, now);
    const rate = demand.rowsPerMs(2000);
    assert.ok(rate > 1.8 && rate < 2.2, `${rate} rows per ms`);
    assert.ok(demand.rowsPerMs(6000) < 0.01);
  });

  test('its budget is nearer to the short ones', () => {
    const demand = new Demand();
    for (let now = 0; now < 1000; now++) demand.arrive(1, now % 2 === 0 ? 50 : 450, now);
    assert.ok(demand.budgetMs >= 50 && demand.budgetMs < 200, `${demand.budgetMs} ms`);
  });
});

describe('transport', () => {
  test('learns what is usual and what is hardly exceeded', () => {
    const transport = new Transport();
    assert.deepEqual([transport.usualMs, transport.highMs], [0, 0]);
    for (let run = 0; run < 200; run++) transport.learn(run % 2 === 0 ? 0.4 : 0.6, 0);
    assert.ok(Math.abs(transport.usualMs - 0.5) < 0.05);
    assert.ok(transport.highMs > 0.6 && transport.highMs < 1);
  });

  test('one that was held up for long says little', () => {
    const transport = new Transport();
    for (let run = 0; run < 50; run++) transport.learn(0.5, 0);
    transport.learn(3000, 0);
    assert.ok(transport.highMs < 5, `${transport.highMs} ms`);
    transport.learn(-1, 0);
    assert.ok(transport.usualMs >= 0);
    const before = transport.highMs;
    transport.doubt();
    assert.ok(transport.highMs < before);
  });

  test('a way that has become long is believed soon, and forgotten in some seconds', () => {
    const transport = new Transport();
    for (let run = 0; run < 50; run++) transport.learn(0.5, 0);
    transport.learn(30, 0);
    assert.equal(transport.latestMs(0), 0, 'held up for a moment');
    for (let run = 0; run < 5; run++) transport.learn(4000, 0);
    assert.ok(transport.latestMs(0) > 300, `${transport.latestMs(0)} ms`);
    assert.ok(transport.latestMs(1500) > 0);
    assert.equal(transport.latestMs(3000), 0);
  });

  test('the first is no usual one: it may have been held up', () => {
    const transport = new Transport();
    transport.learn(340, 0);
    transport.learn(0.5, 0);
    assert.equal(transport.hopedMs, 0);
    transport.learn(0.5, 0);
    assert.ok(transport.hopedMs > 100 && transport.hopedMs < 120, `${transport.hopedMs} ms`);
    assert.equal(transport.usualMs, transport.hopedMs);
  });
});
