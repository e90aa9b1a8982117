// The worker: what it takes and turns away, what it runs when, and how it answers; also when batches are watched, called
// back or late, and when its schedulers forget it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Heard } from '../../actors/actor.js';
import type { Effect } from '../../actors/effects.js';
import type { RunFinished } from '../../actors/facts.js';
import { Worker } from '../../actors/worker/worker.js';
import type { MemberId } from '../../proto/ids.js';
import type { Said } from '../../proto/messages.js';
import { digits, only, router, said, scheduler, told } from './stage.js';

const otherScheduler = 'scheduler-2.ffffff';
const otherRouter = 'router-2.ffffff';
const listed = { ...digits, broken: '', runMaxMs: 500 };

class Stage {
  readonly worker = new Worker({
    name: 'worker-1',
    device: 'cpu',
    credits: { inline: 1, thread: 2 },
    reportMs: 100,
    goWaitMs: 50,
    runMaxMs: 1000,
  });
  now = 0;
  private batches = 0;

  /** Registered, with the model ready in its thread. */
  static ready(place: 'inline' | 'thread' = 'thread'): Stage {
    const stage = new Stage();
    stage.link(router, 'router');
    stage.link(otherRouter, 'router');
    stage.link(scheduler, 'scheduler');
    stage.hear({ type: 'worker.registered', epoch: 1 }, scheduler);
    stage.hear({ type: 'models.listed', models: [listed] });
    stage.hear({ type: 'model.loaded', ...digits, place, rowsMax: 4, runMs: 1 });
    return stage;
  }

  hear(heard: Heard, from: MemberId = 'worker-1.cccccc'): Effect[] {
    return this.worker.receive(heard, from, this.now);
  }

  link(member: MemberId, role: 'router' | 'scheduler'): Effect[] {
    return this.hear({ type: 'link.opened', member, roles: [role] });
  }

  fire(timer: string): Effect[] {
    return this.hear({ type: 'timer.fired', timer });
  }

  run(changes: Partial<Said<'batch.run'>> = {}, from: MemberId = router): Effect[] {
    const jobs = changes.jobs ?? [1];
    const fill = <T>(value: T): T[] => jobs.map(() => value);
    const batch = { scheduler, batch: ++this.batches, epoch: 1, ...digits, solo: false };
    const members = { jobs, attempts: fill(1), rows: fill(1), budgetsMs: fill(1000) };
    const tensors = { inputs: [], split: false, outputs: [] };
    return this.hear({ type: 'batch.run', ...batch, ...members, ...tensors, ...changes }, from);
  }

  key(batch = this.batches, from = scheduler): string {
    return `${from}#${batch}`;
  }

  ran(batch: number, changes: Partial<RunFinished> = {}): Effect[] {
    const times = { inputMs: 1, computeMs: 2, outputMs: 3 };
    const result = { key: this.key(batch), code: '', reason: '', outputs: [], sizes: [] } as const;
    return this.hear({ type: 'run.finished', ...result, ...times, ...changes });
  }

  go(batch: number): Effect[] {
    return this.hear({ type: 'batch.go', scheduler, batch }, router);
  }

  held(): number {
    return [...this.worker.heldBatches()].length;
  }
}

function started(effects: readonly Effect[]): string[] {
  return only(effects, 'run').map(({ key }) => key);
}

function codes(effects: readonly Effect[]): readonly string[] | undefined {
  return said(effects, 'batch.finished')[0]?.codes;
}

describe('a worker joins', () => {
  test('registers with each scheduler and tells its models under the epoch it was given', () => {
    const stage = new Stage();
    assert.deepEqual(said(stage.link(scheduler, 'scheduler'), 'worker.register'), [
      { type: 'worker.register', name: 'worker-1', device: 'cpu', inlineCredits: 1, threadCredits: 2 },
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
    const loaded = stage.hear({ type: 'model.loaded', ...digits, place: 'inline', rowsMax: 8, runMs: 0.2 });
    const told = { state: 'ready', place: 'inline', rowsMax: 8, runMs: 0.2, reason: '' };
    assert.deepEqual(said(loaded, 'share.changed'), [
      { type: 'share.changed', epoch: 4, ...digits, ...told },
    ]);
  });

  test('says why a model could not be loaded', () => {
    const stage = Stage.ready();
    stage.hear({ type: 'models.listed', models: [{ ...listed, model: 'wide' }] });
    const failed = { type: 'model.failed', model: 'wide', version: '1', reason: 'not an ONNX file' } as const;
    const [share] = said(stage.hear(failed), 'share.changed');
    assert.deepEqual([share?.state, share?.reason], ['failed', 'not an ONNX file']);
  });

  test('asks again while a scheduler does not answer, and reports what it holds to those that did', () => {
    const stage = Stage.ready();
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
    const stage = Stage.ready();
    stage.hear({ type: 'link.lost', member: scheduler, reason: '' });
    assert.equal(stage.worker.chart.state, 'joining');
    assert.equal(said(stage.link(scheduler, 'scheduler'), 'worker.register').length, 1);
  });
});

describe('a worker runs', () => {
  test('one batch at a time, answers, and gives each credit back', () => {
    const stage = Stage.ready();
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
    const released = { type: 'batch.released', batch: 1, epoch: 1, rows: 2, computeMs: 2 };
    assert.deepEqual(said(effects, 'batch.released'), [released]);
    assert.deepEqual(only(effects, 'forget'), [{ type: 'forget', key: stage.key(1) }]);
    assert.deepEqual(started(effects), [stage.key(2)]);
    const order = effects.map(({ type }) => type);
    assert.ok(order.indexOf('send') < order.indexOf('forget'), 'the frames are kept until they are sent');
  });

  test('tiny models do not wait behind heavy ones', () => {
    const stage = Stage.ready();
    stage.hear({ type: 'models.listed', models: [{ ...listed, model: 'tiny' }] });
    const tiny = { model: 'tiny', version: '1', place: 'inline', rowsMax: 8, runMs: 0.1 } as const;
    stage.hear({ type: 'model.loaded', ...tiny });
    stage.run();
    const effects = stage.run({ model: 'tiny' });
    assert.equal(only(effects, 'run')[0]?.place, 'inline');
    assert.deepEqual(told(effects), [], 'and word of its start would be slower than the answer');
  });

  test('a failed run is said of every member', () => {
    const stage = Stage.ready();
    stage.run({ jobs: [1, 2] });
    const effects = stage.ran(1, { code: 'MODEL_FAILED', reason: 'NaN' });
    assert.deepEqual(codes(effects), ['MODEL_FAILED', 'MODEL_FAILED']);
    assert.equal(said(effects, 'batch.finished')[0]?.reason, 'NaN');
    assert.equal(only(effects, 'send')[0]?.outputsOf, '');
  });

  test('a result that nobody waits for changes nothing', () => {
    const stage = Stage.ready();
    assert.deepEqual(stage.ran(9), []);
    stage.run();
    stage.ran(1);
    assert.deepEqual(stage.ran(1), []);
  });

  test('who is too late is left out, and nobody runs for nobody', () => {
    const stage = Stage.ready();
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
    const effects = Stage.ready().run({ epoch: 7 });
    assert.match(returned(effects), /epoch .* is over/);
    assert.deepEqual(said(effects, 'batch.released'), []);
  });

  test('a model that it has not ready, with its credit', () => {
    const effects = Stage.ready().run({ model: 'other' });
    assert.match(returned(effects), /other:1 is not ready here/);
    assert.deepEqual(
      said(effects, 'batch.released').map(({ rows }) => rows),
      [0],
    );
  });

  test('more than it granted', () => {
    const stage = Stage.ready();
    for (let batch = 0; batch < 3; batch++) assert.equal(codes(stage.run()), undefined);
    assert.match(returned(stage.run()), /no credit/);
    assert.equal(stage.held(), 3);
  });

  test('a copy of what it has, in silence', () => {
    const stage = Stage.ready();
    stage.run({ batch: 1 });
    assert.deepEqual(stage.run({ batch: 1 }), []);
    assert.equal(stage.worker.turnedAway, 1);
  });
});

describe('called back', () => {
  const recall = (stage: Stage, batch: number, jobs: number[], from = router) =>
    stage.hear({ type: 'batch.recall', scheduler, batch, jobs }, from);

  test('what has not started is left out; a batch of nobody goes', () => {
    const stage = Stage.ready();
    stage.run();
    stage.run({ jobs: [2, 3] });
    assert.deepEqual(recall(stage, 2, [2]), []);
    const effects = recall(stage, 2, [3]);
    assert.deepEqual(codes(effects), ['CANCELLED', 'CANCELLED']);
    assert.deepEqual(
      said(effects, 'batch.released').map(({ rows }) => rows),
      [0],
    );
    assert.deepEqual(started(stage.ran(1)), []);
  });

  test('what runs runs on, and its credit comes back at its end', () => {
    const stage = Stage.ready();
    stage.run();
    assert.deepEqual(recall(stage, 1, [1]), []);
    assert.equal(said(stage.ran(1), 'batch.released')[0]?.rows, 1);
  });

  test('only by the router whose batch it is', () => {
    const stage = Stage.ready();
    stage.run();
    stage.run();
    assert.deepEqual(recall(stage, 2, [1], otherRouter), []);
    assert.equal(stage.held(), 2);
  });
});

describe('under watch', () => {
  test("a batch waits for an idle worker and its router's word, and others wait for its end", () => {
    const stage = Stage.ready();
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
    const stage = Stage.ready();
    stage.run({ solo: true });
    stage.go(1);
    const [quiet] = only(stage.ran(1), 'arm').filter(({ timer }) => timer === 'quiet');
    assert.ok(quiet);
    stage.run();
    stage.now = quiet.at;
    assert.deepEqual(started(stage.fire('quiet')), [stage.key(2)]);
  });

  test('without a word the batch goes back', () => {
    const stage = Stage.ready();
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
    const stage = Stage.ready();
    stage.run();
    stage.run({ solo: true });
    assert.deepEqual(stage.go(2), []);
  });

  test('what is too late is not even asked for', () => {
    const stage = Stage.ready();
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
    const stage = Stage.ready();
    const [timer] = only(stage.run(), 'arm');
    assert.deepEqual(timer, { type: 'arm', timer: `run ${stage.key(1)}`, at: 500 });
    stage.now = 500;
    assert.deepEqual(stage.fire(timer.timer), [
      { type: 'abort', reason: 'a run of digits:1 hangs since 500 ms' },
    ]);
  });

  test('gets as much time again when the whole process was held up', () => {
    const stage = Stage.ready();
    stage.run();
    stage.now = 700;
    assert.deepEqual(stage.fire(`run ${stage.key(1)}`), [
      { type: 'arm', timer: `run ${stage.key(1)}`, at: 900 },
    ]);
    stage.now = 900;
    assert.equal(only(stage.fire(`run ${stage.key(1)}`), 'abort').length, 1);
  });

  test('a run that ended in time is not watched any more', () => {
    const stage = Stage.ready();
    stage.run();
    assert.deepEqual(only(stage.ran(1), 'disarm'), [{ type: 'disarm', timer: `run ${stage.key(1)}` }]);
    assert.deepEqual(stage.fire(`run ${stage.key(1)}`), []);
  });
});

describe('forgotten', () => {
  test('by a scheduler: it registers again, and what waited from there goes', () => {
    const stage = Stage.ready();
    stage.run();
    stage.run();
    const effects = stage.hear({ type: 'worker.fenced', epoch: 1, reason: '' }, scheduler);
    assert.equal(said(effects, 'worker.register').length, 1);
    assert.deepEqual(only(effects, 'forget'), [{ type: 'forget', key: stage.key(2) }]);
    assert.equal(said(stage.ran(1), 'batch.finished').length, 0, 'its epoch is over');
    stage.hear({ type: 'worker.registered', epoch: 2 }, scheduler);
    assert.deepEqual(started(stage.run({ epoch: 2 })), [stage.key(3)]);
  });

  test('word of an epoch that it has not any more is old news', () => {
    const stage = Stage.ready();
    assert.deepEqual(stage.hear({ type: 'worker.fenced', epoch: 9, reason: '' }, scheduler), []);
  });

  test('by a router: nothing is computed for nobody, and the credits come back', () => {
    const stage = Stage.ready();
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
    const stage = Stage.ready();
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
    assert.equal(only(Stage.ready().hear({ type: 'drain.requested' }), 'stopped').length, 1);
  });
});
