// What admission and batching do where estimates are few, many, or asked for by many: nothing is thought over again
// without need, nothing that is in use is forgotten, and nobody's being unknown turns admission off.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CostTable } from '../../actors/lane/cost.js';
import { type LaneView, Planner } from '../../actors/lane/policy.js';
import { Sizes } from '../../actors/lane/sizes.js';
import { SlidingHigh } from '../../actors/lane/sliding.js';
import { Shapes, WorkerRecord } from '../../actors/scheduler/workers.js';
import type { Said } from '../../proto/messages.js';
import { Random } from '../simulation/random.js';
import { SchedulerStage as Stage } from './scheduler-stage.js';
import { digits, otherWorker, said, worker } from './stage.js';

function seeded(...points: readonly (readonly [rows: number, ms: number])[]): CostTable {
  const cost = new CostTable();
  cost.seed(points);
  return cost;
}

describe('the high end of the newest values', () => {
  test('is the second largest of the last 192, whichever of them leave', () => {
    const random = new Random(3);
    const high = new SlidingHigh();
    const values: number[] = [];
    for (let count = 0; count < 2000; count++) {
      // Steps down and up, so that the largest leave while others are remembered.
      const value = (count % 500 < 250 ? 10 : 1) + random.whole(0, 20) / 10;
      high.add(value);
      values.push(value);
      if (count < 192 || count % 3 > 0) continue;
      const newest = values.slice(-192).sort((one, other) => other - one);
      // Of equal ones each counts.
      assert.equal(high.high, newest[1], `after ${count}`);
    }
    high.restart(2);
    assert.equal(high.high, 2.2);
  });
});

describe('what hardly any run exceeds', () => {
  const after = (hiccupMs: number) => {
    const cost = new CostTable();
    cost.seed([[1, 10]]);
    for (let run = 0; run < 190; run++)
      cost.learn(1, run === 60 || run === 120 ? hiccupMs : 10 + (run % 3) / 4);
    return cost;
  };

  test('is learned from few in two hundred', () => {
    assert.ok(Math.abs(after(15).high(1) - 15) < 0.5, `${after(15).high(1)} ms`);
  });

  test('is not what two that were held up took: they are no reason to refuse all others', () => {
    assert.ok(after(90).high(1) < 22, `${after(90).high(1)} ms`);
  });
});

describe('batch sizes', () => {
  test('are not looked for again when only workers and budgets have drifted', () => {
    const cost = seeded([1, 10], [64, 73]);
    let asked = 0;
    const mean = cost.mean.bind(cost);
    cost.mean = (rows) => {
      asked++;
      return mean(rows);
    };
    const sizes = new Sizes();
    sizes.review(cost, 32, 100, 64);
    const first = asked;
    for (let step = 1; step <= 100; step++) sizes.review(cost, 32 - step / 10, step % 2 ? 100 : 93, 64);
    assert.ok(asked - first < first, `${asked - first} costs were asked for after the first ${first}`);
    sizes.review(cost, 32, 40, 64);
    const tight = sizes.full;
    sizes.review(cost, 32, 100, 64);
    assert.ok(tight >= 25 && tight <= 30 && sizes.full === 64, `${tight}, then ${sizes.full}`);
  });
});

describe('a size that the owner prefers', () => {
  const view: LaneView = {
    rows: 6,
    headRows: 1,
    headDeadline: 1000,
    headArrivedAt: 0,
    workers: 1,
    arrivalRowsPerMs: 0.75,
    budgetMs: 1000,
    cost: seeded([1, 10], [16, 20]),
    rowsMax: 16,
    preferred: [2, 4, 8],
    delayMostMs: 500,
    transportMs: 0,
    idle: 0,
    overrunMs: 0,
    marginMs: 0,
  };

  for (const policy of ['window', 'deferred', 'auto'] as const) {
    test(`${policy}: goes at once when it is passed too, the largest such`, () => {
      const waits = new Planner().next(policy, { ...view, preferred: [8] }, 1);
      assert.ok(waits.at > 1, 'without it there is something to wait for');
      assert.deepEqual({ ...new Planner().next(policy, view, 1) }, { rowsMost: 4, at: 1 });
      assert.ok(new Planner().next(policy, { ...view, headRows: 6 }, 1).at > 1, 'the head must go into it');
    });
  }
});

describe('what is known of shapes', () => {
  test('is forgotten of those only that were not used for longest', () => {
    const register = { name: 'w', device: 'cpu', tags: [], inlineCredits: 1, threadCredits: 1 } as const;
    const record = new WorkerRecord(worker, 1, { type: 'worker.register', ...register }, new Shapes());
    const busy = record.outlook('digits:1', 'busy');
    busy.cost.learn(1, 5);
    for (let shape = 0; shape < 5000; shape++) {
      record.outlook('digits:1', `shape-${shape}`);
      assert.equal(record.outlook('digits:1', 'busy'), busy, `after ${shape + 1} others`);
    }
    assert.equal(record.outlookLike('digits:1'), busy);
    assert.equal(record.outlookLike('other:1'), undefined);
  });
});

describe('admission', () => {
  function admitted(stage: Stage, changes: Partial<Said<'job.enqueue'>>, most = 90): number {
    let taken = 0;
    while (taken < most && said(stage.enqueue(changes), 'job.refused').length === 0) taken++;
    return taken;
  }

  test('stays on though nothing is known of one of the workers', () => {
    const taken = [1, 2].map((measured) => {
      const stage = Stage.with([worker, otherWorker]);
      for (const [index, member] of [worker, otherWorker].slice(0, measured).entries()) {
        const runs = [[4, 13]] as const;
        stage.hear({ type: 'costs.measured', epoch: index + 1, ...digits, runs }, member);
      }
      return admitted(stage, { budgetMs: 60 });
    });
    assert.ok((taken[0] as number) < 50, `${taken[0]} were taken`);
    assert.equal(taken[0], taken[1], 'it counts as the other');
  });

  test('stays on for shapes that nobody has run: one is tried, the others are taken for like those that ran', () => {
    const stage = Stage.with([worker]);
    const assign = stage.place({ shapeKey: 'known' }) as Said<'batch.assign'>;
    const { batch, epoch } = assign;
    stage.hear({ type: 'batch.released', batch, epoch, rows: 1, computeMs: 20, fault: false }, worker);
    assert.equal(admitted(stage, { shapeKey: 'new', budgetMs: 10 }), 1, 'the one that is tried');
    const other = Stage.with([worker]);
    other.release(other.place({ shapeKey: 'known' }) as Said<'batch.assign'>);
    assert.ok(admitted(other, { shapeKey: 'new', budgetMs: 10 }) > 1);
  });
});
