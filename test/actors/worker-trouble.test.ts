// The worker in trouble: batches under watch, runs that hang, schedulers and routers that forget it, and its drain.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { only, router, said, scheduler } from './stage.js';
import { codes, otherRouter, started, WorkerStage } from './worker-stage.js';

describe('under watch', () => {
  test("a batch waits for an idle worker and its router's word, and others wait for its end", () => {
    const stage = WorkerStage.ready();
    stage.run();
    assert.deepEqual(stage.run({ solo: true, jobs: [2] }), []);
    stage.run({ jobs: [3] });
    const idle = stage.ran(1);
    assert.deepEqual(started(idle), []);
    const prepared = { scheduler, batch: 2, epoch: 1, jobs: [2], attempts: [1] };
    assert.deepEqual(said(idle, 'batch.prepared'), [{ type: 'batch.prepared', ...prepared }]);
    const go = stage.go(2);
    assert.deepEqual(started(go), [stage.key(2)]);
    assert.deepEqual(said(go, 'batch.started'), [], 'its router knows');
    const done = stage.ran(2);
    assert.deepEqual(started(done), [], 'its answer has yet to arrive');
    assert.deepEqual(started(stage.go(2)), [stage.key(3)]);
  });

  test('a worker does not stay quiet for ever when the word that the answer came is lost', () => {
    const stage = WorkerStage.ready();
    stage.run({ solo: true });
    stage.go(1);
    const [quiet] = only(stage.ran(1), 'arm').filter(({ timer }) => timer === 'quiet');
    assert.ok(quiet);
    stage.run();
    stage.now = quiet.at;
    assert.deepEqual(started(stage.fire('quiet')), [stage.key(2)]);
  });

  test('without a word the batch goes back', () => {
    const stage = WorkerStage.ready();
    const [timer] = only(stage.run({ solo: true }), 'arm');
    assert.deepEqual(timer, { type: 'arm', timer: `go ${stage.key(1)}`, at: 50 });
    stage.now = 50;
    const effects = stage.fire(timer.timer);
    assert.deepEqual(codes(effects), ['returned']);
    assert.equal(said(effects, 'batch.released').length, 1);
    assert.deepEqual(started(stage.go(1)), [], 'the word comes too late');
    assert.deepEqual(started(stage.run()), [stage.key(2)]);
  });

  test('the word without a question starts nothing', () => {
    const stage = WorkerStage.ready();
    stage.run();
    stage.run({ solo: true });
    assert.deepEqual(stage.go(2), []);
  });

  test('what is too late is not even asked for', () => {
    const stage = WorkerStage.ready();
    stage.run();
    stage.run({ solo: true, budgetsMs: [20] });
    stage.run();
    stage.now = 30;
    const effects = stage.ran(1);
    assert.deepEqual(said(effects, 'batch.prepared'), []);
    assert.deepEqual(started(effects), [stage.key(3)]);
  });
});

describe('a run that hangs', () => {
  test('ends the process, for nothing else can end it', () => {
    const stage = WorkerStage.ready();
    const [timer] = only(stage.run(), 'arm');
    assert.deepEqual(timer, { type: 'arm', timer: `run ${stage.key(1)}`, at: 500 });
    stage.now = 500;
    assert.deepEqual(stage.fire(timer.timer), [
      { type: 'abort', cause: 'hung', reason: 'a run of digits:1 hangs since 500 ms' },
    ]);
  });

  test('gets as much time again when the whole process was held up', () => {
    const stage = WorkerStage.ready();
    stage.run();
    stage.now = 700;
    assert.deepEqual(stage.fire(`run ${stage.key(1)}`), [
      { type: 'arm', timer: `run ${stage.key(1)}`, at: 900 },
    ]);
    stage.now = 900;
    assert.equal(only(stage.fire(`run ${stage.key(1)}`), 'abort').length, 1);
  });

  test('a run that ended in time is not watched any more', () => {
    const stage = WorkerStage.ready();
    stage.run();
    assert.deepEqual(only(stage.ran(1), 'disarm'), [{ type: 'disarm', timer: `run ${stage.key(1)}` }]);
    assert.deepEqual(stage.fire(`run ${stage.key(1)}`), []);
  });
});

describe('forgotten', () => {
  test('by a scheduler: it registers again, and what waited goes back to its router', () => {
    const stage = WorkerStage.ready();
    stage.run();
    stage.run();
    const effects = stage.hear({ type: 'worker.fenced', epoch: 1, reason: '' }, scheduler);
    assert.equal(said(effects, 'worker.register').length, 1);
    assert.deepEqual(only(effects, 'forget'), [{ type: 'forget', key: stage.key(2) }]);
    assert.deepEqual(
      said(effects, 'batch.finished').map((finished) => [finished.batch, finished.codes]),
      [[2, ['returned']]],
    );
    assert.equal(said(stage.ran(1), 'batch.finished').length, 0, 'its epoch is over');
    stage.hear({ type: 'worker.registered', epoch: 2 }, scheduler);
    assert.deepEqual(started(stage.run({ epoch: 2 })), [stage.key(3)]);
  });

  test('by a scheduler: what runs under watch is answered all the same, for its job may be suspected of having ended the worker', () => {
    const stage = WorkerStage.ready();
    stage.run({ solo: true });
    stage.go(1);
    assert.deepEqual(
      codes(stage.hear({ type: 'worker.fenced', epoch: 1, reason: '' }, scheduler)),
      undefined,
    );
    assert.deepEqual(codes(stage.ran(1)), ['']);
  });

  test('word of an epoch that it has not any more is old news', () => {
    const stage = WorkerStage.ready();
    assert.deepEqual(stage.hear({ type: 'worker.fenced', epoch: 9, reason: '' }, scheduler), []);
  });

  test('by a router: nothing is computed for nobody, and the credits come back', () => {
    const stage = WorkerStage.ready();
    stage.run();
    stage.run();
    stage.run({}, otherRouter);
    const effects = stage.hear({ type: 'link.lost', member: router, reason: '' });
    assert.deepEqual(
      said(effects, 'batch.released').map(({ batch }) => batch),
      [2],
    );
    const done = stage.ran(1);
    assert.deepEqual(said(done, 'batch.finished'), []);
    assert.equal(said(done, 'batch.released').length, 1);
    assert.deepEqual(started(done), [stage.key(3)]);
  });
});

describe('a drain', () => {
  test('takes nothing new, hands back what waits, ends what runs, then stops', () => {
    const stage = WorkerStage.ready();
    stage.run();
    stage.run();
    const effects = stage.hear({ type: 'drain.requested' });
    assert.deepEqual(said(effects, 'worker.leaving'), [{ type: 'worker.leaving', epoch: 1 }]);
    assert.deepEqual(codes(effects), ['returned']);
    assert.deepEqual([only(effects, 'stopped'), started(effects)], [[], []]);
    assert.deepEqual(codes(stage.run()), ['returned']);
    const done = stage.ran(1);
    assert.deepEqual(codes(done), ['']);
    assert.deepEqual(done.at(-1), { type: 'stopped' });
    assert.equal(stage.worker.chart.state, 'stopped');
    assert.deepEqual(only(stage.hear({ type: 'drain.requested' }), 'stopped'), []);
    stage.hear({ type: 'link.lost', member: scheduler, reason: '' });
  });

  test('of an idle worker is over at once', () => {
    assert.equal(only(WorkerStage.ready().hear({ type: 'drain.requested' }), 'stopped').length, 1);
  });
});
