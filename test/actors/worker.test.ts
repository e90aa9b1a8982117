// The worker: what it takes and turns away, what it runs when, and how it answers.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Effect } from '../../actors/effects.js';
import { batchingDefaults } from '../../proto/batching.js';
import { digits, only, router, said, scheduler, told } from './stage.js';
import { codes, listed, otherRouter, otherScheduler, started, WorkerStage } from './worker-stage.js';

describe('a worker joins', () => {
  test('registers with each scheduler and tells its models under the epoch it was given', () => {
    const stage = new WorkerStage();
    assert.deepEqual(said(stage.link(scheduler, 'scheduler'), 'worker.register'), [
      {
        type: 'worker.register',
        name: 'worker-1',
        device: 'cpu',
        tags: ['cpu'],
        inlineCredits: 1,
        threadCredits: 2,
      },
    ]);
    const listing = stage.hear({
      type: 'models.listed',
      models: [listed, { ...listed, model: 'torn', broken: 'no' }],
    });
    assert.deepEqual(only(listing, 'load'), [{ type: 'load', ...digits }]);
    assert.equal(stage.worker.chart.state, 'joining');
    const [share] = said(stage.hear({ type: 'worker.registered', epoch: 4 }, scheduler), 'share.changed');
    assert.deepEqual([share?.epoch, share?.state], [4, 'loading']);
    assert.equal(stage.worker.chart.state, 'serving');
    const loaded = stage.hear({
      type: 'model.loaded',
      ...digits,
      place: 'inline',
      rowsMax: 8,
      runMs: 0.2,
      costs: [],
      runsOn: 'cpu',
    });
    const told = { state: 'ready', place: 'inline', rowsMax: 8, runMs: 0.2, reason: '', runsOn: 'cpu' };
    assert.deepEqual(said(loaded, 'share.changed'), [
      { type: 'share.changed', epoch: 4, ...digits, ...told },
    ]);
  });

  test('tells how its models are batched and what they cost before they are ready, and again to whoever asks', () => {
    const stage = new WorkerStage();
    stage.link(scheduler, 'scheduler');
    stage.hear({ type: 'worker.registered', epoch: 4 }, scheduler);
    const batching = { ...batchingDefaults, weight: 3, needs: ['gpu'] };
    const heard = stage.hear({ type: 'models.listed', models: [{ ...listed, batching }] });
    const types = (effects: readonly Effect[]) => told(effects).map(({ message }) => message.type);
    assert.deepEqual(types(heard), ['model.described', 'share.changed']);
    assert.deepEqual(said(heard, 'model.described'), [
      { type: 'model.described', epoch: 4, ...digits, ...batching },
    ]);
    const costs = [
      [1, 2],
      [4, 3.5],
    ] as const;
    const loaded = { type: 'model.loaded', ...digits, place: 'thread', rowsMax: 4, runMs: 2, costs } as const;
    const order = ['model.described', 'costs.measured', 'share.changed'];
    assert.deepEqual(types(stage.hear(loaded)), order);
    stage.link(otherScheduler, 'scheduler');
    const again = stage.hear({ type: 'worker.registered', epoch: 9 }, otherScheduler);
    assert.deepEqual(types(again), order);
    assert.deepEqual(said(again, 'costs.measured'), [
      { type: 'costs.measured', epoch: 9, ...digits, runs: costs },
    ]);
  });

  test('has its models loaded one after the other', () => {
    const stage = new WorkerStage();
    const models = ['a', 'b', 'c'].map((model) => ({ ...listed, model }));
    const loads = (effects: readonly Effect[]) => only(effects, 'load').map(({ model }) => model);
    assert.deepEqual(loads(stage.hear({ type: 'models.listed', models })), ['a']);
    const loaded = {
      type: 'model.loaded',
      version: '1',
      place: 'thread',
      rowsMax: 4,
      runMs: 2,
      costs: [],
    } as const;
    assert.deepEqual(loads(stage.hear({ ...loaded, model: 'a' })), ['b']);
    assert.deepEqual(loads(stage.hear({ ...loaded, model: 'c' })), [], 'that was not the one that is loaded');
    const failed = { type: 'model.failed', model: 'b', version: '1', reason: 'torn' } as const;
    assert.deepEqual(loads(stage.hear(failed)), ['c']);
  });

  test('loads nothing any more once it drains', () => {
    const stage = WorkerStage.ready();
    const models = ['a', 'b'].map((model) => ({ ...listed, model }));
    stage.hear({ type: 'models.listed', models });
    stage.hear({ type: 'drain.requested' });
    const failed = { type: 'model.failed', model: 'a', version: '1', reason: 'torn' } as const;
    assert.deepEqual(only(stage.hear(failed), 'load'), []);
  });

  test('says why a model could not be loaded', () => {
    const stage = WorkerStage.ready();
    stage.hear({ type: 'models.listed', models: [{ ...listed, model: 'wide' }] });
    const failed = { type: 'model.failed', model: 'wide', version: '1', reason: 'not an ONNX file' } as const;
    const [share] = said(stage.hear(failed), 'share.changed');
    assert.deepEqual([share?.state, share?.reason], ['failed', 'not an ONNX file']);
  });

  test('asks again while a scheduler does not answer, and reports what it holds to those that did', () => {
    const stage = WorkerStage.ready();
    stage.link(otherScheduler, 'scheduler');
    stage.run();
    stage.now = 100;
    const effects = stage.fire('report');
    assert.deepEqual(
      told(effects).map(({ to, message }) => [to, message.type]),
      [
        [scheduler, 'worker.reported'],
        [otherScheduler, 'worker.register'],
      ],
    );
    assert.deepEqual(said(effects, 'worker.reported')[0], { type: 'worker.reported', epoch: 1, held: [1] });
    assert.deepEqual(only(effects, 'arm'), [{ type: 'arm', timer: 'report', at: 200 }]);
  });

  test('a scheduler that is lost takes its epoch along', () => {
    const stage = WorkerStage.ready();
    stage.hear({ type: 'link.lost', member: scheduler, reason: '' });
    assert.equal(stage.worker.chart.state, 'joining');
    assert.equal(said(stage.link(scheduler, 'scheduler'), 'worker.register').length, 1);
  });
});

describe('a worker runs', () => {
  test('one batch at a time, answers, and gives each credit back', () => {
    const stage = WorkerStage.ready();
    const first = stage.run({ jobs: [1, 2] });
    assert.deepEqual(only(first, 'run'), [
      { type: 'run', key: stage.key(1), place: 'thread', members: [0, 1] },
    ]);
    assert.deepEqual(said(first, 'batch.started')[0]?.jobs, [1, 2]);
    assert.deepEqual(stage.run({ jobs: [3] }), []);
    const effects = stage.ran(1, { outputs: [['scores', 'FP32', [2, 10]]], sizes: [[]] });
    const [answer] = only(effects, 'send');
    assert.deepEqual(
      [answer?.to, answer?.message.type, answer?.outputsOf],
      [router, 'batch.finished', stage.key(1)],
    );
    assert.deepEqual(codes(effects), ['', '']);
    const released = { type: 'batch.released', batch: 1, epoch: 1, rows: 2, computeMs: 2, fault: false };
    assert.deepEqual(said(effects, 'batch.released'), [released]);
    assert.deepEqual(only(effects, 'forget'), [{ type: 'forget', key: stage.key(1) }]);
    assert.deepEqual(started(effects), [stage.key(2)]);
    const order = effects.map(({ type }) => type);
    assert.ok(order.indexOf('send') < order.indexOf('forget'), 'the frames are kept until they are sent');
  });

  test('tiny models do not wait behind heavy ones', () => {
    const stage = WorkerStage.ready();
    stage.hear({ type: 'models.listed', models: [{ ...listed, model: 'tiny' }] });
    const tiny = { model: 'tiny', version: '1', place: 'inline', rowsMax: 8, runMs: 0.1, costs: [] } as const;
    stage.hear({ type: 'model.loaded', ...tiny });
    stage.run();
    const effects = stage.run({ model: 'tiny' });
    assert.equal(only(effects, 'run')[0]?.place, 'inline');
    assert.deepEqual(told(effects), [], 'and word of its start would be slower than the answer');
  });

  test('what comes while a model is loaded waits here, where its deadline is seen, and then has its turn', () => {
    const stage = WorkerStage.ready();
    stage.hear({ type: 'models.listed', models: ['a', 'b'].map((model) => ({ ...listed, model })) });
    assert.deepEqual(started(stage.run({ jobs: [1, 2], budgetsMs: [40, 90] })), []);
    assert.deepEqual(started(stage.run({ jobs: [3], budgetsMs: [40] })), []);
    stage.now = 50;
    const failed = { type: 'model.failed', model: 'a', version: '1', reason: 'torn' } as const;
    const effects = stage.hear(failed);
    assert.deepEqual(only(effects, 'load'), [], 'batches have their turn between two loads');
    assert.deepEqual(only(effects, 'run')[0]?.members, [1]);
    const then = stage.ran(1);
    assert.deepEqual(
      only(then, 'load').map(({ model }) => model),
      ['b'],
    );
    assert.deepEqual(started(then), []);
    const last = stage.hear({ ...failed, model: 'b' });
    assert.deepEqual(codes(last), ['DEADLINE_EXCEEDED']);
    assert.equal(stage.held(), 0);
  });

  test('tiny models run while another is loaded, a batch under watch does not', () => {
    const stage = WorkerStage.ready('inline');
    stage.hear({ type: 'models.listed', models: [{ ...listed, model: 'a' }] });
    assert.deepEqual(started(stage.run()), [stage.key(1)]);
    stage.ran(1);
    assert.deepEqual(said(stage.run({ solo: true }), 'batch.prepared'), []);
    const failed = { type: 'model.failed', model: 'a', version: '1', reason: 'torn' } as const;
    assert.equal(said(stage.hear(failed), 'batch.prepared').length, 1);
  });

  test('a failed run is said of every member', () => {
    const stage = WorkerStage.ready();
    stage.run({ jobs: [1, 2] });
    const effects = stage.ran(1, { code: 'MODEL_FAILED', reason: 'NaN' });
    assert.deepEqual(codes(effects), ['MODEL_FAILED', 'MODEL_FAILED']);
    assert.equal(said(effects, 'batch.finished')[0]?.reason, 'NaN');
    assert.equal(only(effects, 'send')[0]?.outputsOf, '');
  });

  test('a failed run gives its credit back and says nothing about what a run costs', () => {
    const stage = WorkerStage.ready();
    stage.run({ jobs: [1, 2] });
    const rows = (batch: number, changes: Parameters<WorkerStage['ran']>[1] = {}) =>
      said(stage.ran(batch, changes), 'batch.released').map((released) => released.rows);
    assert.deepEqual(rows(1, { code: 'MODEL_FAILED', reason: 'NaN', computeMs: 0 }), [0]);
    stage.run({ jobs: [1, 2] });
    assert.deepEqual(rows(2), [2]);
  });

  for (const [code, fault] of [
    ['DEVICE_LOST', true],
    ['RESULT_INVALID', true],
    ['INTERNAL', true],
    ['MODEL_FAILED', false],
    ['INPUT_INVALID', false],
  ] as const) {
    test(`${code} is ${fault ? 'its own' : 'not its'} fault`, () => {
      const stage = WorkerStage.ready();
      stage.run();
      const [released] = said(stage.ran(1, { code, reason: 'so' }), 'batch.released');
      assert.deepEqual([released?.rows, released?.fault], [0, fault]);
    });
  }

  test('a result that nobody waits for changes nothing', () => {
    const stage = WorkerStage.ready();
    assert.deepEqual(stage.ran(9), []);
    stage.run();
    stage.ran(1);
    assert.deepEqual(stage.ran(1), []);
  });

  test('who is too late is left out, and nobody runs for nobody', () => {
    const stage = WorkerStage.ready();
    stage.run();
    stage.run({ jobs: [2, 3], budgetsMs: [40, 90] });
    stage.run({ jobs: [4], budgetsMs: [40] });
    stage.now = 50;
    assert.deepEqual(only(stage.ran(1), 'run')[0]?.members, [1]);
    const effects = stage.ran(2);
    assert.deepEqual(
      said(effects, 'batch.finished').map((finished) => finished.codes),
      [['DEADLINE_EXCEEDED', ''], ['DEADLINE_EXCEEDED']],
    );
    assert.deepEqual(
      said(effects, 'batch.released').map(({ rows }) => rows),
      [1, 0],
    );
    assert.deepEqual(started(effects), []);
    assert.equal(stage.held(), 0);
  });
});

describe('a worker turns away', () => {
  const returned = (effects: Effect[]): string => {
    assert.deepEqual(codes(effects), ['returned']);
    assert.deepEqual(only(effects, 'run'), []);
    assert.equal(only(effects, 'forget').length, 1);
    return said(effects, 'batch.finished')[0]?.reason ?? '';
  };

  test('a batch of an epoch that is over, whose credit is not its own to give', () => {
    const effects = WorkerStage.ready().run({ epoch: 7 });
    assert.match(returned(effects), /epoch .* is over/);
    assert.deepEqual(said(effects, 'batch.released'), []);
  });

  test('a model that it has not ready, with its credit', () => {
    const effects = WorkerStage.ready().run({ model: 'other' });
    assert.match(returned(effects), /other:1 is not ready here/);
    assert.deepEqual(
      said(effects, 'batch.released').map(({ rows }) => rows),
      [0],
    );
  });

  test('more than it granted', () => {
    const stage = WorkerStage.ready();
    for (let batch = 0; batch < 3; batch++) assert.equal(codes(stage.run()), undefined);
    assert.match(returned(stage.run()), /no credit/);
    assert.equal(stage.held(), 3);
  });

  test('a copy of what it has answered, in silence: nothing runs twice', () => {
    const stage = WorkerStage.ready();
    stage.run({ batch: 1 });
    stage.ran(1);
    const effects = stage.run({ batch: 1 });
    assert.deepEqual(effects, [{ type: 'forget', key: stage.key(1) }]);
    assert.deepEqual(stage.run({ batch: 2 }).length > 0, true);
  });

  test('a copy of what it has, in silence', () => {
    const stage = WorkerStage.ready();
    stage.run({ batch: 1 });
    assert.deepEqual(stage.run({ batch: 1 }), []);
    assert.equal(stage.worker.runs.turnedAway, 1);
  });
});

describe('called back', () => {
  const recall = (stage: WorkerStage, batch: number, jobs: number[], from = router) =>
    stage.hear({ type: 'batch.recall', scheduler, batch, jobs }, from);

  test('what has not started is left out; a batch of nobody goes', () => {
    const stage = WorkerStage.ready();
    stage.run();
    stage.run({ jobs: [2, 3] });
    assert.deepEqual(recall(stage, 2, [2]), []);
    const effects = recall(stage, 2, [3]);
    assert.deepEqual(codes(effects), ['CANCELLED', 'CANCELLED']);
    assert.deepEqual(
      said(effects, 'batch.released').map(({ rows, fault }) => [rows, fault]),
      [[0, false]],
    );
    assert.deepEqual(started(stage.ran(1)), []);
  });

  test('what runs runs on, and its credit comes back at its end', () => {
    const stage = WorkerStage.ready();
    stage.run();
    assert.deepEqual(recall(stage, 1, [1]), []);
    assert.equal(said(stage.ran(1), 'batch.released')[0]?.rows, 1);
  });

  test('only by the router whose batch it is', () => {
    const stage = WorkerStage.ready();
    stage.run();
    stage.run();
    assert.deepEqual(recall(stage, 2, [1], otherRouter), []);
    assert.equal(stage.held(), 2);
  });
});
