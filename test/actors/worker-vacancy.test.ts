// A worker whose node is drained: it finishes what it has, stands by, and comes back as one that joins, once its golden
// inputs have passed.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { digits, only, said, scheduler } from './stage.js';
import { codes, listed, otherScheduler, started, WorkerStage } from './worker-stage.js';

const leave = { type: 'vacancy.requested' } as const;
const back = { type: 'return.requested' } as const;
const inline = { ...listed, model: 'tiny' };
const passed = { type: 'device.probed', failed: false, reason: '' } as const;

/** While one run was still under way another one's answer was garbage, and then its node was drained. */
function leftInDoubt(): WorkerStage {
  const stage = WorkerStage.ready('thread', {}, 'passed');
  stage.hear({ type: 'models.listed', models: [listed, inline] });
  const tiny = { model: inline.model, version: inline.version };
  const costs = { rowsMax: 4, runMs: 1, costs: [], golden: 'passed' } as const;
  stage.hear({ type: 'model.loaded', ...tiny, place: 'inline', ...costs });
  stage.run();
  stage.run(tiny);
  stage.ran(2, { code: 'RESULT_INVALID', reason: 'output y is NaN' });
  assert.deepEqual(codes(stage.hear(leave)), ['withheld']);
  return stage;
}

describe('standing by', () => {
  test('finishes all that it has, takes nothing that comes, and tells when it is empty', () => {
    const stage = WorkerStage.ready();
    stage.run();
    stage.run();
    const left = stage.hear(leave);
    assert.deepEqual(said(left, 'worker.leaving'), [{ type: 'worker.leaving', epoch: 1 }]);
    assert.deepEqual(only(left, 'vacated'), []);
    assert.deepEqual(codes(stage.run()), ['returned']);
    const first = stage.ran(1);
    assert.deepEqual([codes(first), started(first)], [[''], [stage.key(2)]]);
    const last = stage.ran(2);
    assert.deepEqual(codes(last), ['']);
    assert.equal(only(last, 'vacated').length, 1);
    assert.equal(stage.worker.chart.state, 'vacant');
    assert.deepEqual(only(last, 'stopped'), [], 'it stays');
  });

  test('with nothing to do it is empty at once, and hears only once that it is to', () => {
    const stage = WorkerStage.ready();
    assert.equal(only(stage.hear(leave), 'vacated').length, 1);
    assert.deepEqual(stage.hear(leave), []);
  });

  test('says so again with each report, and to schedulers that come', () => {
    const stage = WorkerStage.ready();
    stage.hear(leave);
    assert.equal(said(stage.fire('report'), 'worker.leaving').length, 1);
    stage.link(otherScheduler, 'scheduler');
    const told = stage.hear({ type: 'worker.registered', epoch: 7 }, otherScheduler);
    assert.deepEqual(said(told, 'worker.leaving'), [{ type: 'worker.leaving', epoch: 7 }]);
  });

  test('can be ended from there', () => {
    const stage = WorkerStage.ready();
    stage.hear(leave);
    assert.equal(only(stage.hear({ type: 'drain.requested' }), 'stopped').length, 1);
  });
});

describe('coming back', () => {
  test('registers anew with everybody, and takes work under the new epoch only', () => {
    const stage = WorkerStage.ready();
    stage.hear(leave);
    assert.equal(said(stage.hear(back), 'worker.register').length, 1);
    assert.equal(stage.worker.chart.state, 'joining');
    assert.deepEqual(codes(stage.run()), ['returned'], 'the epoch of before is over');
    const told = stage.hear({ type: 'worker.registered', epoch: 2 }, scheduler);
    assert.deepEqual(said(told, 'worker.leaving'), []);
    assert.equal(said(told, 'share.changed')[0]?.state, 'ready');
    assert.equal(started(stage.run({ epoch: 2 })).length, 1);
  });

  test('finishes first what it has of before', () => {
    const stage = WorkerStage.ready();
    stage.run();
    stage.hear(leave);
    assert.deepEqual(said(stage.hear(back), 'worker.register'), []);
    const done = stage.ran(1);
    assert.deepEqual(codes(done), ['']);
    assert.equal(said(done, 'worker.register').length, 1);
  });

  test('is put to the test before anybody hears of it', () => {
    const stage = WorkerStage.ready('thread', {}, 'passed');
    stage.hear(leave);
    const tested = stage.hear(back);
    assert.deepEqual(only(tested, 'probe'), [{ type: 'probe', models: [digits] }]);
    assert.deepEqual(said(tested, 'worker.register'), []);
    assert.equal(said(stage.hear(passed), 'worker.register').length, 1);
  });

  test('who fails the test ends, for a fresh one to come', () => {
    const stage = WorkerStage.ready('thread', {}, 'passed');
    stage.hear(leave);
    stage.hear(back);
    const [end] = only(stage.hear({ ...passed, failed: true, reason: 'digits gave garbage' }), 'abort');
    assert.deepEqual(end, { type: 'abort', cause: 'stopped', reason: 'digits gave garbage' });
  });

  test('a change of mind while it is tested leaves it standing by', () => {
    const stage = WorkerStage.ready('thread', {}, 'passed');
    stage.hear(leave);
    stage.hear(back);
    stage.hear(leave);
    assert.deepEqual(said(stage.hear(passed), 'worker.register'), []);
    assert.equal(stage.worker.chart.state, 'vacant');
    assert.equal(said([...stage.hear(back), ...stage.hear(passed)], 'worker.register').length, 1);
  });

  test('a doubt of before is forgotten: the test decides', () => {
    const stage = WorkerStage.ready('thread', {}, 'passed');
    stage.run();
    stage.ran(1, { code: 'RESULT_INVALID', reason: 'output y is NaN' });
    assert.equal(stage.worker.chart.state, 'probing');
    stage.hear(leave);
    stage.hear(passed);
    stage.hear(back);
    stage.hear(passed);
    const told = stage.hear({ type: 'worker.registered', epoch: 2 }, scheduler);
    assert.deepEqual(said(told, 'worker.confined'), []);
  });

  test('who left in doubt takes its place again as soon as a run is over whose answer counts for nothing', () => {
    const stage = leftInDoubt();
    stage.hear(passed);
    stage.hear(back);
    stage.hear(passed);
    stage.hear({ type: 'worker.registered', epoch: 2 }, scheduler);
    assert.deepEqual(started(stage.run({ epoch: 2 })), [], 'its thread is not free yet');
    const over = stage.ran(1);
    assert.deepEqual([codes(over), started(over)], [undefined, [stage.key(3)]]);
    assert.deepEqual(
      only(over, 'forget'),
      [{ type: 'forget', key: stage.key(1) }],
      'nobody asks for its outputs',
    );
  });

  test('is ended when a run hangs whose answer counts for nothing, for it keeps its thread', () => {
    const stage = leftInDoubt();
    stage.now = listed.runMaxMs;
    const [end] = only(stage.fire(`run ${stage.key(1)}`), 'abort');
    assert.equal(end?.cause, 'hung');
  });

  test('gives such a run as much time again as it was held up itself', () => {
    const stage = leftInDoubt();
    stage.now = 300;
    const armed = only(stage.fire('report'), 'arm').find(({ timer }) => timer.startsWith('run '));
    assert.deepEqual(armed, { type: 'arm', timer: `run ${stage.key(1)}`, at: listed.runMaxMs + 200 });
  });
});
