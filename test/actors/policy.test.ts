// What a lane's policy rests on, each by itself: the costs of real models with their steps, the batch sizes that are
// worth sending, when a batch leaves, what waits as numbers, and whether a newcomer fits.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Backlog } from '../../actors/lane/backlog.js';
import { CostTable } from '../../actors/lane/cost.js';
import { Demand } from '../../actors/lane/demand.js';
import { type LaneView, Planner } from '../../actors/lane/policy.js';
import { Projection } from '../../actors/lane/projection.js';
import { CostShape } from '../../actors/lane/shape.js';
import { Sizes } from '../../actors/lane/sizes.js';

/** A row more costs little, up to the next step. */
function stepped(rows: number): number {
  return 5 + 5 * Math.ceil(rows / 8) + 0.01 * rows;
}

function learned(costs: (rows: number) => number, rowsMax = 32): CostTable {
  const cost = new CostTable();
  for (let run = 0; run < 60; run++)
    for (let rows = 1; rows <= rowsMax; rows++)
      cost.learn(rows, costs(rows) * (1 + 0.02 * Math.sin(run * 7)));
  return cost;
}

describe('the cost table', () => {
  test('keeps steps as they are, and never falls', () => {
    const cost = learned(stepped);
    for (const rows of [1, 8, 9, 16, 17, 32]) {
      assert.ok(Math.abs(cost.mean(rows) / stepped(rows) - 1) < 0.03, `${rows} rows: ${cost.mean(rows)} ms`);
    }
    let before = 0;
    for (let rows = 1; rows <= 300; rows++) {
      assert.ok(cost.high(rows) >= cost.mean(rows) && cost.mean(rows) >= before - 1e-9, `${rows} rows`);
      before = cost.mean(rows);
    }
  });

  for (const factor of [2, 0.5]) {
    test(`follows a worker that takes ${factor} times as long within 50 batches, for sizes unseen since too`, () => {
      const cost = learned(stepped);
      for (let run = 0; run < 50; run++) cost.learn(8, stepped(8) * factor);
      for (const rows of [1, 8, 32]) {
        const wanted = stepped(rows) * factor;
        assert.ok(Math.abs(cost.mean(rows) / wanted - 1) < 0.1, `${rows} rows: ${cost.mean(rows)} ms`);
        assert.ok(cost.high(rows) < wanted * 1.25, `${rows} rows: at most ${cost.high(rows)} ms`);
      }
    });
  }

  test('its high value is what nearly all runs stay below, and one hiccup does not make it', () => {
    const cost = new CostTable();
    for (let run = 0; run < 200; run++) cost.learn(4, run % 20 === 0 ? 13 : 10);
    const usual = cost.high(4);
    assert.ok(usual > 12 && usual < 14, `${usual}`);
    cost.learn(4, 100);
    assert.ok(cost.high(4) < 16, `${cost.high(4)} after one run of 100 ms`);
  });

  test('forgets a hiccup that was the first run of a size, and does not lay it on the other sizes', () => {
    const cost = new CostTable();
    cost.seed([[1, 1]]);
    cost.learn(8, 200);
    for (let run = 0; run < 20; run++) {
      cost.learn(1, 1);
      cost.learn(8, 2);
    }
    assert.ok(Math.abs(cost.mean(1) - 1) < 0.1, `${cost.mean(1)} ms for one row`);
    assert.ok(Math.abs(cost.mean(8) - 2) < 0.2, `${cost.mean(8)} ms for eight rows`);
  });

  test('learns that one size alone became slower', () => {
    const cost = learned(stepped, 16);
    for (let run = 0; run < 12; run++) {
      cost.learn(4, stepped(4));
      cost.learn(16, stepped(16) * 2);
    }
    assert.ok(Math.abs(cost.mean(4) / stepped(4) - 1) < 0.1, `${cost.mean(4)} ms for four rows`);
    assert.ok(Math.abs(cost.mean(16) / stepped(16) - 2) < 0.2, `${cost.mean(16)} ms for sixteen rows`);
  });

  test('what one worker learns of a size holds for another of its kind, at its own pace', () => {
    const shape = new CostShape();
    const [one, other] = [new CostTable(shape), new CostTable(shape)];
    one.seed([[1, stepped(1)]]);
    assert.ok(one.known && !other.known);
    other.seed([[1, 10 * stepped(1)]]);
    assert.ok(Math.abs(other.high(1) / other.mean(1) - one.high(1) / one.mean(1)) < 0.01);
    for (let run = 0; run < 10; run++) one.learn(16, stepped(16));
    assert.ok(Math.abs(one.mean(16) / stepped(16) - 1) < 0.03, `${one.mean(16)} ms`);
    assert.ok(Math.abs(other.mean(16) / stepped(16) / 10 - 1) < 0.03, `${other.mean(16)} ms`);
  });

  test('is kept and seeded', () => {
    const again = new CostTable();
    again.seed(learned(stepped).kept());
    assert.ok(Math.abs(again.mean(17) / stepped(17) - 1) < 0.03);
    assert.equal(new CostTable().known, false);
  });
});

describe('batch sizes', () => {
  test('end before a step, and one that lies behind it is cut down', () => {
    const sizes = new Sizes();
    sizes.review(learned(stepped), 2, 25, 32);
    assert.equal(sizes.full, 16);
    assert.deepEqual([sizes.cut(16), sizes.cut(17), sizes.cut(8)], [16, 16, 8]);
  });

  test('are as small as the load allows', () => {
    const sizes = new Sizes();
    sizes.review(learned(stepped), 1, 100, 32);
    assert.equal(sizes.wanted(0.05, 32), 1);
    assert.equal(sizes.wanted(0.75, 32), 8);
    assert.equal(sizes.wanted(100, 32), 32);
  });
});

describe('when a batch leaves', () => {
  const view = (changes: Partial<LaneView>): LaneView => ({
    rows: 1,
    headRows: 1,
    headDeadline: 100,
    headArrivedAt: 0,
    workers: 1,
    arrivalRowsPerMs: 0,
    budgetMs: 100,
    cost: learned((rows) => 10 + rows),
    rowsMax: 32,
    preferred: [],
    delayMostMs: 60_000,
    transportMs: 0,
    idle: 0,
    overrunMs: 0,
    marginMs: 0,
    ...changes,
  });

  test('a lone request goes at once', () => {
    assert.deepEqual({ ...new Planner().next('auto', view({}), 0) }, { rowsMost: 1, at: 0 });
  });

  test('under load it waits for others, but never longer than its head can', () => {
    const plan = new Planner().next('auto', view({ arrivalRowsPerMs: 0.6 }), 0);
    assert.ok(plan.at > 50 && plan.at < 100 - 12, `at ${plan.at}`);
    const due = new Planner().next('auto', view({ arrivalRowsPerMs: 0.6, headDeadline: 12.5 }), 0);
    assert.equal(due.at, 0);
  });

  test('where batches gain little, a busy worker is not kept waiting for more', () => {
    const cost = learned((rows) => 1 + 2 * rows);
    const busy = { cost, rows: 4, workers: 2, arrivalRowsPerMs: 0.9, headDeadline: 50, budgetMs: 50 };
    assert.equal(new Planner().next('auto', view(busy), 0).at, 0);
    const steep = { ...busy, cost: learned((rows) => 12 + 0.5 * rows), arrivalRowsPerMs: 1.6 };
    assert.ok(new Planner().next('auto', view(steep), 0).at > 0);
  });

  test('it is not given to a worker that may overrun by more than it can stand', () => {
    const given = (overrunMs: number, headDeadline: number) =>
      new Planner().next('edf', view({ rows: 10, headDeadline, overrunMs }), 0).at;
    assert.deepEqual([given(0, 21.5), given(2, 21.5), given(2, 40)], [0, 2, 0]);
  });

  test('the more comes beyond what can be done, the larger is the smallest batch that is begun', () => {
    const planner = new Planner();
    const cost = learned((rows) => 10 + rows);
    planner.full(cost, 1, 100, 32);
    const usual = planner.leastWorth(32 / cost.mean(32));
    assert.ok(usual > 16 && usual < 32 && planner.leastWorth(10) > usual, `${usual}`);
    assert.equal(planner.leastWorth(0.01), 1);
  });

  test('of sizes that were never run, with enough at hand twice the largest that was is tried', () => {
    const cost = new CostTable();
    for (let run = 0; run < 20; run++) cost.learn(1, 30);
    const tight = { cost, rowsMax: 4, budgetMs: 40, headDeadline: 1000 };
    const rowsMost = (rows: number) => new Planner().next('auto', view({ ...tight, rows }), 0).rowsMost;
    assert.deepEqual([1, 2, 3, 9].map(rowsMost), [1, 2, 2, 2]);
    cost.learn(2, 32);
    assert.equal(rowsMost(9), 4, 'it paid');
    const other = new CostTable();
    other.learn(1, 30);
    other.learn(2, 80);
    const plan = new Planner().next('auto', view({ ...tight, cost: other, rows: 9 }), 0);
    assert.equal(plan.rowsMost, 1, 'one try is enough where nothing is won');
  });

  test('a head that no run can answer in time is left out', () => {
    assert.equal(new Planner().next('auto', view({ headDeadline: 8 }), 0).rowsMost, 0);
  });

  test('no batch is so large that its head is late', () => {
    const { rowsMost } = new Planner().next('edf', view({ rows: 30, headDeadline: 20 }), 0);
    assert.ok(rowsMost >= 8 && rowsMost <= 10, `${rowsMost} rows`);
  });

  test('is parted among workers that have nothing to do, unless that saves less than a batch more costs', () => {
    const rowsFor = (cost: CostTable) =>
      new Planner().next('auto', view({ rows: 8, idle: 2, cost }), 0).rowsMost;
    assert.equal(rowsFor(learned((rows) => 10 + rows)), 4);
    assert.equal(rowsFor(learned((rows) => 0.05 + rows / 200)), 8);
  });

  test('is gathered no longer than its owner has it, by any policy that waits', () => {
    for (const policy of ['auto', 'deferred'] as const) {
      const waits = { rows: 3, headArrivedAt: 3, arrivalRowsPerMs: 0.6 };
      assert.ok(new Planner().next(policy, view(waits), 4).at > 10, policy);
      assert.equal(new Planner().next(policy, view({ ...waits, delayMostMs: 5 }), 4).at, 8, policy);
    }
  });

  test('by a window it leaves when its first has waited so long, or at a size that its owner prefers', () => {
    const set = { delayMostMs: 5, preferred: [4], headArrivedAt: 3 };
    assert.equal(new Planner().next('window', view({ ...set, rows: 3 }), 4).at, 8);
    assert.equal(new Planner().next('window', view({ ...set, rows: 4 }), 4).at, 4);
  });
});

describe('the demand of a lane', () => {
  test('is known after a moment, follows a change, and is forgotten without one', () => {
    const demand = new Demand();
    for (let now = 0; now <= 30; now += 0.5) demand.arrive(1, 50, now);
    assert.ok(Math.abs(demand.rowsPerMs(30) - 2) < 0.3, `${demand.rowsPerMs(30)}`);
    for (let now = 30; now <= 500; now += 0.1) demand.arrive(1, 50, now);
    assert.ok(Math.abs(demand.rowsPerMs(500) - 10) < 1);
    assert.ok(demand.rowsPerMs(1500) < 0.1);
    assert.equal(demand.budgetMs, 50);
  });
});

describe('the budget of a lane', () => {
  test('is not for ever that of its first jobs, and goes rather by the tight ones', () => {
    const demand = new Demand();
    for (let job = 0; job < 3; job++) demand.arrive(1, 100, job);
    for (let job = 3; job < 30; job++) demand.arrive(1, 1500, job);
    assert.ok(demand.budgetMs > 1200, `${demand.budgetMs} ms`);
    for (let job = 30; job < 230; job++) demand.arrive(1, job % 2 === 0 ? 100 : 1500, job);
    assert.ok(demand.budgetMs < 400, `${demand.budgetMs} ms`);
  });
});

describe('what waits', () => {
  test('is the same as in a plain sorted list, whatever comes and goes', () => {
    const backlog = new Backlog();
    const plain: (readonly [priority: number, deadline: number, rows: number])[] = [];
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return Math.floor((seed / 2147483648) * below);
    };
    for (let step = 0; step < 4000; step++) {
      if (plain.length > 0 && random(5) < 2) {
        const [gone] = plain.splice(random(plain.length), 1) as [(typeof plain)[number]];
        backlog.remove(...gone);
      } else {
        const one = [random(3), random(300), 1 + random(4)] as const;
        plain.push(one);
        backlog.add(...one);
      }
    }
    plain.sort(([a, due], [b, other]) => a - b || due - other);
    const total = plain.reduce((sum, [, , rows]) => sum + rows, 0);
    assert.equal(backlog.rows, total);
    const before = plain.filter(([priority, due]) => priority < 1 || (priority === 1 && due <= 150));
    assert.equal(
      backlog.ahead(1, 150),
      before.reduce((sum, [, , rows]) => sum + rows, 0),
    );
    backlog.rewind();
    let walked = 0;
    for (const [priority, due, rows] of plain) {
      assert.deepEqual([backlog.priorityHere, backlog.deadlineHere], [priority, due], `after ${walked} rows`);
      backlog.skip(rows);
      walked += rows;
    }
    assert.equal(backlog.deadlineHere, Number.POSITIVE_INFINITY);
    for (const one of plain) backlog.remove(...one);
    assert.deepEqual([backlog.rows, backlog.soonest], [0, Number.POSITIVE_INFINITY]);
  });
});

describe('the projection', () => {
  const cost = learned((rows) => 10 + rows);

  function projected(workers: number, freeAt = 0): Projection {
    const projection = new Projection();
    projection.full = 8;
    for (let worker = 0; worker < workers; worker++) projection.add(freeAt, cost);
    return projection;
  }

  function taken(projection: Projection, deadline: number): number {
    const backlog = new Backlog();
    while (backlog.rows < 1000 && projection.fits({ priority: 0, deadline, rows: 1 }, backlog, 0)) {
      backlog.add(0, deadline, 1);
    }
    return backlog.rows;
  }

  test('takes what full batches can finish, on all workers', () => {
    assert.equal(taken(projected(1), 9), 0);
    assert.ok(Math.abs(taken(projected(1), 60) - 24) <= 6, `${taken(projected(1), 60)}`);
    assert.equal(taken(projected(3), 60), 3 * taken(projected(1), 60));
    assert.ok(taken(projected(1, 20), 60) < taken(projected(1), 60));
  });

  test('nobody who waits is made late by one that is more urgent', () => {
    const backlog = new Backlog();
    for (let job = 0; job < 8; job++) backlog.add(0, 20, 1);
    const projection = projected(1);
    assert.equal(projection.fits({ priority: 0, deadline: 19, rows: 8 }, backlog, 0), false);
    assert.equal(projection.fits({ priority: 0, deadline: 60, rows: 8 }, backlog, 0), true);
  });

  test('one of higher priority goes before, and it is known who is late for it', () => {
    const backlog = new Backlog();
    for (let job = 0; job < 8; job++) backlog.add(1, 25, 1);
    const projection = projected(1);
    const urgent = { priority: 0, deadline: 25, rows: 8 };
    assert.equal(projection.fits(urgent, backlog, 0), false);
    assert.equal(projection.fits(urgent, backlog, 0, 'equals'), true);
    assert.equal(projection.holds(0, backlog, 0), true);
    backlog.add(0, 25, 8);
    assert.equal(projection.holds(0, backlog, 0), false);
    assert.equal(projection.lateAt, 8);
  });

  test('says when the answer would come', () => {
    const projection = projected(1, 30);
    assert.equal(projection.fits({ priority: 0, deadline: 35, rows: 1 }, new Backlog(), 0), false);
    assert.ok(projection.finishAt > 40 && projection.finishAt < 45, `${projection.finishAt}`);
  });
});
