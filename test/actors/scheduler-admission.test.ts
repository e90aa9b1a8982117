// What a scheduler takes and what it refuses: nobody who could only be late, nobody who was taken before, and the lowest
// priority gives way first.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Backlog } from '../../actors/lane/backlog.js';
import { CostTable } from '../../actors/lane/cost.js';
import { Projection } from '../../actors/lane/projection.js';
import type { Said } from '../../proto/messages.js';
import { SchedulerStage as Stage } from './scheduler-stage.js';
import { digits, otherWorker, router, said, worker } from './stage.js';

/** Workers that take 10 ms for a row and 13 for four. */
function measured(...members: readonly string[]): Stage {
  const stage = Stage.with(members);
  members.forEach((member, index) => {
    const runs = [
      [1, 10],
      [4, 13],
    ] as const;
    stage.hear({ type: 'costs.measured', epoch: index + 1, ...digits, runs }, member);
  });
  return stage;
}

function refusals(stage: Stage, changes: Partial<Said<'job.enqueue'>>): Said<'job.refused'>[] {
  return said(stage.enqueue(changes), 'job.refused');
}

describe('admission', () => {
  test('takes everything while nothing is known of what a run costs', () => {
    const stage = Stage.with([worker]);
    assert.deepEqual(refusals(stage, { budgetMs: 0.1 }), []);
  });

  test('refuses what no run could answer in time, with the numbers', () => {
    const stage = measured(worker);
    const [refused] = refusals(stage, { budgetMs: 8 });
    assert.equal(refused?.code, 'OVERLOADED');
    assert.match(
      refused.reason,
      /digits:1 would take about 1\d(\.\d)? ms and its deadline is in 8 ms: 0 jobs wait/,
    );
    assert.ok(refused.retryAfterMs > 0);
    assert.equal(stage.waiting(), 0);
    assert.deepEqual(refusals(stage, { budgetMs: 20 }), []);
  });

  test('takes as many as can be answered in time, and no more', () => {
    const stage = measured(worker);
    let taken = 0;
    while (taken < 100 && refusals(stage, { budgetMs: 50 }).length === 0) taken++;
    // Three batches of four fit into 50 ms, a fourth does not.
    assert.ok(taken >= 8 && taken <= 12, `${taken} taken`);
    assert.match(refusals(stage, { budgetMs: 50 })[0]?.reason ?? '', new RegExp(`${taken} jobs wait`));
  });

  test('who runs by itself is not expected to share a batch', () => {
    const stage = measured(worker);
    let taken = 0;
    while (taken < 100 && refusals(stage, { budgetMs: 50, company: 'alone' }).length === 0) taken++;
    // Each takes 10 ms.
    assert.ok(taken >= 3 && taken <= 5, `${taken} taken`);
  });

  test('a second worker is counted on', () => {
    const [one, two] = [measured(worker), measured(worker, otherWorker)].map((stage) => {
      let taken = 0;
      while (taken < 100 && refusals(stage, { budgetMs: 50 }).length === 0) taken++;
      return taken;
    }) as [number, number];
    assert.ok(two >= one * 1.6, `${one} for one worker, ${two} for two`);
  });

  test('what runs already counts: a busy worker is free only after it', () => {
    const stage = measured(worker);
    stage.enqueue({ budgetMs: 500 });
    assert.equal(stage.settle().length, 1);
    assert.equal(refusals(stage, { budgetMs: 15 }).length, 1);
    stage.now += 8;
    assert.deepEqual(refusals(stage, { budgetMs: 15 }), []);
  });

  test('who was taken before is not turned away, and neither is anybody when it is off', () => {
    const stage = measured(worker);
    assert.deepEqual(refusals(stage, { budgetMs: 8, admitted: true }), []);
    const open = new Stage({ admission: false });
    open.join(worker);
    open.hear({ type: 'costs.measured', epoch: 1, ...digits, runs: [[1, 10]] }, worker);
    assert.deepEqual(refusals(open, { budgetMs: 8 }), []);
  });

  test('many who are refused in one moment do not wear an estimate off', () => {
    const stage = measured(worker);
    for (let count = 0; count < 50; count++) assert.equal(refusals(stage, { budgetMs: 2 }).length, 1);
  });

  test('one slow answer does not lock a lone client out', () => {
    const stage = Stage.with([worker]);
    stage.hear({ type: 'costs.measured', epoch: 1, ...digits, runs: [[1, 1]] }, worker);
    let refused = 0;
    for (let job = 0; job < 200; job++) {
      refused += refusals(stage, { budgetMs: 10 }).length;
      const [assign] = stage.settle();
      stage.now += job % 40 === 20 ? 60 : 2;
      if (assign === undefined) continue;
      const { batch, epoch } = assign;
      stage.hear({ type: 'batch.released', batch, epoch, rows: 1, computeMs: 1, fault: false }, worker);
    }
    assert.ok(refused <= 10, `${refused} of 200 were refused`);
  });

  test('where two sorts may not share a batch, the first batch is not expected to serve both', () => {
    const [mixed, alike] = [2, 1].map((sorts) => {
      const backlog = new Backlog();
      for (const deadline of [22, 22, 22, 500, 500, 500, 500, 500]) backlog.add(0, deadline, 1);
      const cost = new CostTable();
      cost.seed([
        [1, 10],
        [4, 13],
      ]);
      const projection = new Projection();
      projection.add(0, cost);
      Object.assign(projection, { full: 4, sorts });
      return [projection.fits({ priority: 0, deadline: 21, rows: 1 }, backlog, 0), projection.cause];
    });
    assert.deepEqual(alike?.[0], true);
    assert.deepEqual(mixed, [false, 'others']);
  });

  test('what is doubted is enough to try one by, not to promise anybody anything', () => {
    const cost = new CostTable();
    cost.seed([[1, 10]]);
    const high = cost.high(1);
    cost.doubt();
    assert.deepEqual([cost.mean(1), cost.high(1)], [10, high]);
    assert.ok(cost.hoped(1) < 9, `${cost.hoped(1)}`);
    cost.learn(1, 10);
    assert.equal(cost.hoped(1), 10, 'a run says better');
  });

  test('one answer that was held up keeps nobody from an idle worker', () => {
    const stage = measured(worker);
    assert.deepEqual(refusals(stage, { budgetMs: 250 }), []);
    const { batch, epoch } = stage.settle()[0] as { batch: number; epoch: number };
    stage.now += 340;
    stage.hear({ type: 'batch.released', batch, epoch, rows: 1, computeMs: 1, fault: false }, worker);
    assert.deepEqual(refusals(stage, { budgetMs: 250 }), []);
  });

  test('belief in an estimate that only refuses wears off', () => {
    const stage = measured(worker);
    let refused = 0;
    while (refused < 100 && refusals(stage, { budgetMs: 4 }).length > 0) {
      refused++;
      stage.now += 10;
    }
    assert.ok(refused > 0 && refused < 50, `${refused} were refused before one was tried`);
  });
});

describe('priority', () => {
  test('goes before, and those of lower priority give way when they can not be in time any more', () => {
    const stage = measured(worker);
    let low = 0;
    while (refusals(stage, { priority: 1, budgetMs: 50 }).length === 0) low++;
    const gone: Said<'job.refused'>[] = [];
    for (let job = 0; job < 4; job++) {
      assert.deepEqual(
        refusals(stage, { priority: 0, budgetMs: 50 }),
        [],
        'there is room for who goes first',
      );
    }
    gone.push(...said(stage.hear({ type: 'tick.settled' }), 'job.refused'));
    assert.ok(gone.length >= 3 && gone.length <= 8, `${gone.length} of ${low} gave way`);
    for (const { code, reason, retryAfterMs } of gone) {
      assert.equal(code, 'DISPLACED');
      assert.match(reason, /higher priority/);
      assert.ok(retryAfterMs > 0);
    }
  });

  test('nobody gives way to an equal', () => {
    const stage = measured(worker);
    while (refusals(stage, { budgetMs: 50 }).length === 0);
    assert.equal(refusals(stage, { budgetMs: 45 }).length, 1);
    assert.deepEqual(said(stage.hear({ type: 'tick.settled' }), 'job.refused'), []);
  });

  test('a full lane makes room for it', () => {
    const stage = Stage.with([worker], { lane: { depthMax: 3, bytesMax: 1e6 } });
    for (const priority of [1, 2, 1]) assert.deepEqual(refusals(stage, { priority }), []);
    const [gone] = said(stage.enqueue({ priority: 0 }), 'job.refused');
    assert.deepEqual([gone?.code, gone?.job], ['DISPLACED', 2]);
    assert.equal(stage.waiting(), 3);
    assert.equal(refusals(stage, { priority: 1 })[0]?.code, 'QUEUE_FULL', 'there is nobody lower any more');
  });

  test('a lane that is over its bound gives one place for one', () => {
    const stage = Stage.with([worker], { lane: { depthMax: 2, bytesMax: 1e6 } });
    for (let job = 0; job < 4; job++) {
      assert.deepEqual(refusals(stage, { priority: 1, admitted: true }), [], 'it was taken before');
    }
    for (let job = 0; job < 4; job++) {
      const gone = said(stage.enqueue({ priority: 0 }), 'job.refused');
      assert.deepEqual(
        gone.map(({ code }) => code),
        ['DISPLACED'],
      );
      assert.equal(stage.waiting(), 4);
    }
    assert.equal(refusals(stage, { priority: 0 })[0]?.code, 'QUEUE_FULL', 'there is nobody lower any more');
  });

  test('who may have run already does not give way', () => {
    const stage = measured(worker);
    for (let job = 0; job < 12; job++) {
      stage.enqueue({ priority: 1, budgetMs: 50, attempt: 2, admitted: true });
    }
    for (let job = 0; job < 4; job++) stage.enqueue({ priority: 0, budgetMs: 50 });
    assert.deepEqual(said(stage.hear({ type: 'tick.settled' }), 'job.refused'), []);
  });
});

describe('a lane as its owner wants it', () => {
  const described = {
    type: 'model.described',
    epoch: 1,
    ...digits,
    policy: 'eager',
    preferred: [],
    delayMostMs: 0,
    weight: 1,
    depthMax: 0,
    bytesMax: 0,
    choice: '',
    needs: [],
    prefers: [],
  } as const;

  test('has its own bounds', () => {
    const stage = Stage.with([worker]);
    stage.hear({ ...described, depthMax: 2 }, worker);
    for (let job = 0; job < 2; job++) assert.deepEqual(refusals(stage, {}), []);
    assert.equal(refusals(stage, {})[0]?.code, 'QUEUE_FULL');
  });

  test('runs only on workers with the tags that it needs, and is not ready without them', () => {
    const stage = Stage.with([worker, otherWorker]);
    const effects = stage.hear({ ...described, needs: ['webgpu'] }, worker);
    const [report] = said(effects, 'model.reported');
    assert.deepEqual([report?.ready, report?.failed], [0, 2]);
    assert.match(report?.reason ?? '', /no worker has the tag webgpu/);
    assert.equal(stage.place({}), undefined);
    assert.equal(said(stage.hear({ ...described, needs: ['cpu'] }, worker), 'model.reported')[0]?.ready, 2);
    assert.equal(stage.settle().length, 1);
  });

  test('a window waits for mates, and no longer than it is told', () => {
    const stage = measured(worker);
    stage.hear({ ...described, policy: 'window', delayMostMs: 5 }, worker);
    stage.enqueue({ budgetMs: 1000 });
    const effects = stage.hear({ type: 'tick.settled' });
    const [arm] = effects.filter((effect) => effect.type === 'arm');
    assert.deepEqual([arm?.timer, arm?.at], ['dispatch', 5]);
    stage.enqueue({ budgetMs: 1000 });
    assert.deepEqual(stage.settle(), []);
    stage.now = 5;
    const sent = said(stage.hear({ type: 'timer.fired', timer: 'dispatch' }), 'batch.assign');
    assert.deepEqual(
      sent.map(({ jobs }) => jobs),
      [[1, 2]],
    );
    for (let job = 0; job < 4; job++) stage.enqueue({ budgetMs: 1000 });
    stage.release(sent[0] as Said<'batch.assign'>);
    assert.equal(stage.settle()[0]?.jobs.length, 4, 'a full batch waits for nobody');
  });

  test('an old registration has no say', () => {
    const stage = Stage.with([worker]);
    stage.hear({ ...described, epoch: 9, depthMax: 1 }, worker);
    for (let job = 0; job < 5; job++) assert.deepEqual(refusals(stage, {}), []);
  });

  test('routers hear how batches are formed, and why', () => {
    const stage = measured(worker);
    const [report] = said(stage.hear(described, worker), 'model.reported');
    assert.deepEqual([report?.policy, report?.why], ['eager', "the model's configuration says so"]);
    assert.equal(report?.ready, 1);
    const [again] = said(stage.hear({ ...described, policy: 'auto' }, worker), 'model.reported');
    assert.deepEqual(
      [again?.policy, again?.why],
      ['auto', 'nothing has come yet: the first requests decide'],
    );
    stage.enqueue();
    const [chosen] = said(stage.hear({ type: 'tick.settled' }), 'model.reported');
    assert.notEqual(chosen?.policy, 'auto');
    assert.match(String(chosen?.why), /^a row alone takes [\d.]+ ms, /);
  });
});

test('jobs of a router that is lost are refused nothing and leave no rows behind', () => {
  const stage = measured(worker);
  for (let job = 0; job < 6; job++) stage.enqueue({ budgetMs: 50 });
  stage.hear({ type: 'link.lost', member: router, reason: '' });
  assert.equal(stage.waiting(), 0);
  stage.link(router, 'router');
  let taken = 0;
  while (taken < 100 && refusals(stage, { budgetMs: 50 }).length === 0) taken++;
  assert.ok(taken >= 8, `only ${taken} were taken afterwards`);
});
