// A worker in doubt: what brings the doubt, what it does and leaves meanwhile, and how the doubt ends. One model that is
// itself to blame does not keep it from its work.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Effect } from '../../actors/effects.js';
import type { Fact, Golden } from '../../actors/facts.js';
import { Doubts } from '../../actors/worker/doubts.js';
import type { Place } from '../../proto/messages.js';
import { digits, only, said } from './stage.js';
import { codes, listed, otherScheduler, started, WorkerStage } from './worker-stage.js';

const other = { model: 'other', version: '1' };
const loaded = { type: 'model.loaded', place: 'thread', rowsMax: 4, runMs: 1, costs: [] } as const;

/** Registered, with two models; `place` is where the second runs. */
function stageOf(golden: Golden = 'passed', place: Place = 'thread'): WorkerStage {
  const stage = WorkerStage.ready('thread', {}, golden);
  stage.hear({ type: 'models.listed', models: [{ ...listed, ...other }] });
  stage.hear({ ...loaded, ...other, place, golden });
  return stage;
}

function garbage(stage: WorkerStage, batch: number): Effect[] {
  return stage.ran(batch, { code: 'RESULT_INVALID', reason: 'output y is NaN' });
}

function confined(effects: readonly Effect[]): boolean[] {
  return said(effects, 'worker.confined').map((word) => word.confined);
}

describe('an invalid answer', () => {
  test('sends back what waits, tells the schedulers, and puts the models to the test, its own first', () => {
    const stage = stageOf();
    stage.run();
    stage.run();
    const effects = garbage(stage, 1);
    assert.equal(stage.worker.chart.state, 'probing');
    assert.deepEqual(
      said(effects, 'batch.finished').map((word) => [word.batch, word.codes]),
      [
        [2, ['returned']],
        [1, ['RESULT_INVALID']],
      ],
    );
    assert.deepEqual(started(effects), []);
    assert.deepEqual(confined(effects), [true]);
    assert.deepEqual(only(effects, 'probe'), [{ type: 'probe', models: [digits, other] }]);
    assert.deepEqual(codes(stage.run()), ['returned'], 'it takes nothing');
  });

  test('keeps the answer of what runs beside it until a golden input has passed', () => {
    const stage = stageOf('passed', 'inline');
    stage.run();
    stage.run(other);
    garbage(stage, 2);
    assert.deepEqual(said(stage.ran(1), 'batch.finished'), []);
    const effects = stage.hear({ type: 'device.probed', failed: false, reason: '' });
    assert.deepEqual(codes(effects), ['']);
    assert.deepEqual(confined(effects), [false]);
    assert.equal(stage.worker.chart.state, 'serving');
    assert.deepEqual(started(stage.run()), [stage.key(3)]);
  });

  test('after which a golden input fails ends the process, and what it began is run elsewhere', () => {
    const stage = stageOf('passed', 'inline');
    stage.run();
    stage.run(other);
    garbage(stage, 2);
    stage.ran(1);
    const effects = stage.hear({ type: 'device.probed', failed: true, reason: 'y[3] is 7, recorded is 5' });
    assert.deepEqual(codes(effects), ['withheld']);
    assert.deepEqual(only(effects, 'abort'), [
      { type: 'abort', cause: 'stopped', reason: 'y[3] is 7, recorded is 5' },
    ]);
    assert.equal(stage.worker.chart.state, 'quarantined');
    assert.deepEqual(codes(stage.run()), ['returned']);
    stage.hear({ type: 'device.probed', failed: false, reason: '' });
    assert.equal(stage.worker.chart.state, 'quarantined', 'a fresh process has to pass');
  });

  test('is told to a scheduler that comes later', () => {
    const stage = stageOf();
    stage.run();
    garbage(stage, 1);
    stage.link(otherScheduler, 'scheduler');
    assert.deepEqual(confined(stage.hear({ type: 'worker.registered', epoch: 5 }, otherScheduler)), [true]);
  });

  test('of a worker that leaves takes the answers beside it along', () => {
    const stage = stageOf('passed', 'inline');
    stage.run();
    stage.run(other);
    stage.hear({ type: 'drain.requested' });
    const effects = garbage(stage, 2);
    assert.deepEqual(
      said(effects, 'batch.finished').map((word) => word.codes),
      [['withheld'], ['withheld']],
    );
    assert.equal(only(effects, 'abort').length, 1);
  });

  test('a golden input that does not come back is one that has failed', () => {
    const stage = stageOf();
    stage.run();
    const [timer] = only(garbage(stage, 1), 'arm').filter((arm) => arm.timer === 'probed');
    assert.equal(timer?.at, 2000);
    stage.now = 2000;
    assert.equal(only(stage.fire('probed'), 'abort').length, 1);
  });

  test('of a worker that was held up itself has as much time again', () => {
    const stage = stageOf();
    stage.run();
    garbage(stage, 1);
    stage.now = 2500;
    const effects = stage.fire('probed');
    assert.deepEqual(only(effects, 'abort'), []);
    assert.equal(only(effects, 'arm').find((arm) => arm.timer === 'probed')?.at, 3000);
    stage.now = 3000;
    assert.equal(only(stage.fire('probed'), 'abort').length, 1);
  });

  test('where no model has a golden input there is nothing to prove by', () => {
    const stage = stageOf('none');
    stage.run();
    const effects = garbage(stage, 1);
    assert.deepEqual(codes(effects), ['RESULT_INVALID']);
    assert.equal(said(effects, 'batch.finished').length, 1, 'it is answered once');
    assert.equal(stage.worker.chart.state, 'serving');
  });

  test('an error of the model is no doubt', () => {
    const stage = stageOf();
    stage.run();
    stage.ran(1, { code: 'MODEL_FAILED', reason: 'so' });
    assert.equal(stage.worker.chart.state, 'serving');
  });
});

describe('a model that is to blame itself', () => {
  function blamed(): WorkerStage {
    const stage = stageOf();
    stage.run();
    garbage(stage, 1);
    stage.hear({ type: 'device.probed', failed: false, reason: '' });
    return stage;
  }

  test('keeps nobody from work for a while, then is looked into again', () => {
    const stage = blamed();
    stage.run();
    stage.now = 500;
    assert.deepEqual(only(garbage(stage, 2), 'probe'), []);
    assert.equal(stage.worker.chart.state, 'serving');
    stage.run();
    stage.now = 1000;
    assert.equal(only(garbage(stage, 3), 'probe').length, 1);
  });

  test('does not cover for the others', () => {
    const stage = blamed();
    stage.run(other);
    assert.equal(only(garbage(stage, 2), 'probe').length, 1);
  });

  test('is a doubt again when nothing else comes of it, the sooner the rarer it was', () => {
    const doubts = new Doubts();
    assert.ok(doubts.invalid('m', '1', 0));
    doubts.blame('m', '1', 0);
    for (let run = 0; run < 7; run++) assert.ok(!doubts.invalid('m', '1', 1));
    assert.ok(doubts.invalid('m', '1', 1), 'eight in a row');
    doubts.blame('m', '1', 10);
    assert.ok(!doubts.invalid('m', '1', 2009));
    doubts.good('m', '1');
    assert.ok(doubts.invalid('m', '1', 2010));
    for (let time = 0; time < 20; time++) doubts.blame('m', '1', 0);
    assert.ok(doubts.invalid('m', '1', 10_000), 'not for ever');
  });
});

describe('a golden input that fails when its model is loaded', () => {
  const failing = {
    type: 'model.failed',
    ...other,
    reason: 'y[0] is 3, recorded is 4',
    suspect: true,
  } as const;

  function loadingSecond(golden: Golden): WorkerStage {
    const stage = WorkerStage.ready('thread', {}, golden);
    stage.hear({ type: 'models.listed', models: [{ ...listed, ...other }] });
    return stage;
  }

  test("is the model's fault where others pass theirs", () => {
    const stage = loadingSecond('passed');
    const effects = stage.hear(failing);
    assert.equal(stage.worker.chart.state, 'probing');
    assert.deepEqual(only(effects, 'probe'), [{ type: 'probe', models: [digits] }]);
    const [share] = said(effects, 'share.changed');
    assert.deepEqual([share?.state, share?.reason], ['failed', failing.reason]);
    stage.hear({ type: 'device.probed', failed: false, reason: '' });
    assert.equal(stage.worker.chart.state, 'serving');
    assert.deepEqual(started(stage.run()), [stage.key(1)]);
  });

  test("is the device's where no other could pass: it shows why, then another process is tried", () => {
    const stage = loadingSecond('recorded');
    const effects = stage.hear(failing);
    assert.equal(stage.worker.chart.state, 'quarantined');
    assert.deepEqual(only(effects, 'abort'), []);
    const [timer] = only(effects, 'arm').filter((arm) => arm.timer === 'quarantined');
    assert.equal(timer?.at, 2000);
    assert.equal(only(stage.fire('quarantined'), 'abort').length, 1);
  });

  test('waits for the models that are to be loaded yet: one that passes ends the doubt', () => {
    const stage = loadingSecond('recorded');
    stage.hear({ type: 'models.listed', models: [{ ...listed, model: 'third' }] });
    stage.hear(failing);
    assert.equal(stage.worker.chart.state, 'probing');
    stage.hear({ ...loaded, model: 'third', version: '1', golden: 'passed' });
    assert.equal(stage.worker.chart.state, 'serving');
  });
});

test('by schedule a golden input is run while there is nothing to do, and at every second turn whatever there is', () => {
  const stage = WorkerStage.ready('thread', { probeEveryMs: 300 }, 'recorded');
  stage.now = 300;
  const effects = stage.fire('probe');
  assert.deepEqual(only(effects, 'probe'), [{ type: 'probe', models: [digits] }]);
  assert.equal(only(effects, 'arm').find((arm) => arm.timer === 'probe')?.at, 600);
  assert.equal(stage.worker.chart.state, 'serving', 'nobody doubts it');
  stage.hear({ type: 'device.probed', failed: false, reason: '' });
  assert.deepEqual(said(stage.run(), 'worker.confined'), []);
  stage.now = 600;
  assert.deepEqual(only(stage.fire('probe'), 'probe'), [], 'it is at work');
  stage.now = 900;
  assert.deepEqual(
    only(stage.fire('probe'), 'probe'),
    [{ type: 'probe', models: [digits] }],
    'its turn was left out once',
  );
  const failed = stage.hear({ type: 'device.probed', failed: true, reason: 'y is NaN' });
  assert.equal(stage.worker.chart.state, 'quarantined');
  assert.equal(only(failed, 'abort').length, 1);
  assert.deepEqual(said(failed, 'worker.confined').at(-1)?.reason, 'y is NaN');
});

test('a probe by schedule that was under way when a doubt came up does not end the doubt', () => {
  const stage = WorkerStage.ready('thread', { probeEveryMs: 300 }, 'recorded');
  stage.now = 300;
  stage.fire('probe');
  stage.run();
  const own = garbage(stage, 1);
  assert.equal(only(own, 'probe').length, 1);
  const passed: Fact = { type: 'device.probed', failed: false, reason: '' };
  assert.deepEqual(confined(stage.hear(passed)), []);
  assert.equal(stage.worker.chart.state, 'probing');
  assert.deepEqual(confined(stage.hear(passed)), [false]);
  assert.equal(stage.worker.chart.state, 'serving');
});
