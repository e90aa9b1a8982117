// The router: whom it takes, whom it tells, how ready it is, also when schedulers and workers come and go.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { batchingDefaults } from '../../proto/batching.js';
import { notes, only, RouterStage, replyOf, said, scheduler, told, worker } from './stage.js';

const otherScheduler = 'scheduler-2.ffffff';

describe('admission', () => {
  test('hands a job to the scheduler, with what is left of its budget', () => {
    const stage = RouterStage.usual();
    const effects = stage.submit({ rows: 3, priority: 2 });
    assert.deepEqual(told(effects), [
      {
        to: scheduler,
        message: {
          type: 'job.enqueue',
          job: 1,
          attempt: 1,
          model: 'digits',
          version: '1',
          shapeKey: 'input:FP32[64]>',
          rows: 3,
          bytes: 256,
          priority: 2,
          budgetMs: 1000,
          admitted: false,
          company: 'any',
          avoid: '',
          ownersCount: 0,
          ownersBy: '',
        },
      },
    ]);
    assert.deepEqual(only(effects, 'arm'), [{ type: 'arm', timer: 'deadlines', at: 1000 }]);
  });

  test('a job that may run once only is never placed with others, whose fault would be its own end', () => {
    const stage = RouterStage.usual();
    const [enqueue] = said(stage.submit({ idempotent: false }), 'job.enqueue');
    assert.equal(enqueue?.company, 'alone');
  });

  const refusals = [
    ['too many jobs', { jobsMax: 1 }, {}, 'QUEUE_FULL', /holds 1 jobs, its bound \(jobsMax\)/],
    ['too many bytes', { payloadBytesMax: 300 }, {}, 'QUEUE_FULL', /300 bytes \(payloadBytesMax\)/],
  ] as const;
  for (const [what, limits, spec, code, sentence] of refusals) {
    test(`refuses ${what}, and takes the next when there is room again`, () => {
      const stage = RouterStage.usual(limits);
      stage.submit(spec);
      const { end } = replyOf(stage.submit(spec));
      assert.deepEqual([end.ending, end.code], ['rejected', code]);
      assert.match(end.message, sentence);
      assert.ok(end.retryAfterMs > 0);
      stage.hear({ type: 'job.cancelled', job: 1, why: '' });
      assert.equal(only(stage.submit(spec), 'reply').length, 0);
    });
  }

  test('refuses a model that no worker could load, with the reason', () => {
    const stage = RouterStage.usual();
    stage.report(0, 2, 'the file is torn', 1);
    assert.equal(only(stage.submit(), 'reply').length, 0, 'one is about to try');
    stage.report(0, 2, 'the file is torn');
    const { end } = replyOf(stage.submit());
    assert.deepEqual(
      [end.code, end.message],
      ['MODEL_UNAVAILABLE', 'model digits version 1: the file is torn'],
    );
    stage.report(0, 0);
    assert.equal(only(stage.submit(), 'reply').length, 0, 'while it is being loaded jobs wait');
  });

  test('a request without time is answered at once', () => {
    const stage = RouterStage.usual();
    const { end } = replyOf(stage.submit({ budgetMs: 0 }));
    assert.deepEqual([end.ending, end.code], ['expired', 'DEADLINE_PAST']);
    assert.deepEqual([stage.router.liveJobs, stage.router.ended('DEADLINE_PAST')], [0, 1]);
  });

  test('what the scheduler refuses is refused, if it still means this attempt', () => {
    const stage = RouterStage.usual();
    stage.submit();
    const refuse = (attempt: number, from: string) =>
      stage.hear(
        { type: 'job.refused', job: 1, attempt, code: 'QUEUE_FULL', reason: 'full', retryAfterMs: 40 },
        from,
      );
    assert.deepEqual([...refuse(2, scheduler), ...refuse(1, otherScheduler)], []);
    const { end } = replyOf(refuse(1, scheduler));
    assert.deepEqual(end, { ending: 'rejected', code: 'QUEUE_FULL', message: 'full', retryAfterMs: 40 });
  });
});

describe('schedulers come and go', () => {
  test('a job waits for the first one, with its time running', () => {
    const stage = new RouterStage();
    assert.deepEqual(told(stage.submit()), []);
    stage.now = 300;
    const [enqueue] = said(stage.link(scheduler, 'scheduler'), 'job.enqueue');
    assert.deepEqual([enqueue?.job, enqueue?.budgetMs], [1, 700]);
  });

  for (const [how, lose] of [
    ['its link is lost', (stage: RouterStage) => stage.unlink(scheduler)],
    [
      'health gives it up',
      (stage: RouterStage) =>
        stage.hear({ type: 'peer.judged', member: scheduler, verdict: 'down', reason: '' }, 'health-1'),
    ],
  ] as const) {
    test(`what waited goes to the next owner when ${how}`, () => {
      const stage = RouterStage.usual();
      stage.submit();
      const before = [...lose(stage), ...stage.link(otherScheduler, 'scheduler')];
      const [enqueue] = only(before, 'send');
      assert.deepEqual([enqueue?.to, enqueue?.message.type], [otherScheduler, 'job.enqueue']);
      assert.equal(stage.router.job(1)?.attempt, 1, 'that was no attempt');
    });
  }

  test('one that comes back gets its jobs again, for it has forgotten them', () => {
    const stage = RouterStage.usual();
    stage.submit();
    stage.unlink(scheduler);
    assert.equal(said(stage.link(scheduler, 'scheduler'), 'job.enqueue').length, 1);
  });

  for (const [what, afterMs, admitted] of [
    ['may not have judged is judged by the next owner', 5, false],
    ['kept for longer than a refusal takes is not judged again', 60, true],
  ] as const) {
    test(`what the lost one ${what}`, () => {
      const stage = RouterStage.usual();
      stage.now = 10;
      stage.submit();
      stage.link(otherScheduler, 'scheduler');
      stage.now += afterMs;
      const [enqueue] = said(stage.unlink(scheduler), 'job.enqueue');
      assert.deepEqual([enqueue?.job, enqueue?.admitted], [1, admitted]);
      // The next one is asked anew.
      stage.now += 5;
      stage.link(scheduler, 'scheduler');
      const [again] = said(stage.unlink(otherScheduler), 'job.enqueue');
      assert.deepEqual([again?.job, again?.admitted], [1, admitted]);
    });
  }

  test('what was placed once was taken, however soon its worker is lost', () => {
    const stage = RouterStage.usual();
    stage.submit();
    stage.assign([1]);
    assert.equal(said(stage.exit('killed'), 'job.enqueue')[0]?.admitted, true);
  });

  test('what runs already is not touched', () => {
    const stage = RouterStage.usual();
    stage.submit();
    stage.assign([1]);
    assert.deepEqual(told(stage.unlink(scheduler)), []);
    assert.equal(replyOf(stage.finish([1], [''])).end.ending, 'completed');
  });

  test('a suspect is not left', () => {
    const stage = RouterStage.usual();
    stage.submit();
    stage.link(otherScheduler, 'scheduler');
    const judged = { type: 'peer.judged', member: scheduler, verdict: 'suspect', reason: '' } as const;
    assert.deepEqual(told(stage.hear(judged, 'health-1')), []);
  });
});

describe('dispatch', () => {
  test('hands the worker one batch, its rows together', () => {
    const stage = RouterStage.usual();
    stage.submit({ rows: 1 });
    stage.now = 100;
    stage.submit({ rows: 3 });
    stage.now = 200;
    assert.deepEqual(told(stage.assign([1, 2])), [
      {
        to: worker,
        message: {
          type: 'batch.run',
          scheduler,
          batch: 1,
          epoch: 1,
          model: 'digits',
          version: '1',
          solo: false,
          jobs: [1, 2],
          attempts: [1, 1],
          rows: [1, 3],
          budgetsMs: [800, 900],
          inputs: [['input', 'FP32', [4, 64]]],
          split: false,
          outputs: [],
        },
      },
    ]);
  });

  test('a job by itself keeps its own shape', () => {
    const stage = RouterStage.usual();
    stage.submit({ inputs: [{ name: 'image', datatype: 'UINT8', shape: [480, 640, 3] }] });
    assert.deepEqual(said(stage.assign([1]), 'batch.run')[0]?.inputs, [['image', 'UINT8', [480, 640, 3]]]);
  });

  test('large rows keep frames of their own', () => {
    const stage = RouterStage.usual({ joinBytesMax: 500 });
    stage.submit();
    stage.submit();
    stage.submit({ bytes: 5000 });
    assert.equal(said(stage.assign([1, 2]), 'batch.run')[0]?.split, true);
    assert.equal(
      said(stage.assign([3]), 'batch.run')[0]?.split,
      false,
      'one alone has nothing to be split from',
    );
  });

  test('takes along only who still waits at that attempt', () => {
    const stage = RouterStage.usual();
    for (let job = 0; job < 3; job++) stage.submit();
    stage.hear({ type: 'job.cancelled', job: 2, why: '' });
    const assign = { batch: 5, worker, epoch: 1, solo: false, jobs: [1, 2, 3], attempts: [1, 1, 2] };
    const effects = stage.hear({ type: 'batch.assign', ...assign, costMs: 0, transportMs: 0 }, scheduler);
    assert.deepEqual(said(effects, 'batch.run')[0]?.jobs, [1]);
    assert.equal(stage.state(3), 'queued');
  });

  test('declines when nobody is left', () => {
    const stage = RouterStage.usual();
    const assign = { batch: 5, worker, epoch: 1, solo: false, jobs: [9], attempts: [1] };
    const effects = stage.hear({ type: 'batch.assign', ...assign, costMs: 0, transportMs: 0 }, scheduler);
    assert.deepEqual(told(effects), [{ to: scheduler, message: { type: 'batch.declined', batch: 5 } }]);
  });

  for (const [who, away] of [
    ['to whom there is no link', (stage: RouterStage) => stage.unlink(worker)],
    [
      'that health has given up',
      (stage: RouterStage) =>
        stage.hear({ type: 'peer.judged', member: worker, verdict: 'down', reason: '' }, 'health-1'),
    ],
  ] as const) {
    test(`declines a worker ${who}, and has the job placed elsewhere`, () => {
      const stage = RouterStage.usual();
      away(stage);
      stage.submit();
      const effects = stage.assign([1]);
      assert.deepEqual(
        told(effects).map(({ to, message }) => [to, message.type]),
        [
          [scheduler, 'batch.declined'],
          [scheduler, 'job.enqueue'],
        ],
      );
      const [enqueue] = said(effects, 'job.enqueue');
      assert.deepEqual([enqueue?.attempt, enqueue?.avoid, enqueue?.company], [2, worker, 'any']);
    });
  }

  test('a batch under watch gets its word to start when the start is noted', () => {
    const stage = RouterStage.usual();
    stage.submit();
    stage.assign([1], worker, true);
    const prepared = { type: 'batch.prepared', scheduler, ...stage.word(1) } as const;
    const effects = stage.hear(prepared, worker);
    assert.deepEqual(told(effects), [{ to: worker, message: { type: 'batch.go', scheduler, batch: 1 } }]);
    assert.equal(stage.state(), 'running');
    const late = { ...prepared, attempts: [9] };
    assert.deepEqual(
      said(stage.hear(late, worker), 'batch.recall').map(({ jobs }) => jobs),
      [[1]],
    );
  });
});

describe('the condition of a router', () => {
  test('is ready when every model that can be served is, and says what is missing', () => {
    const stage = new RouterStage();
    assert.deepEqual(
      [stage.router.chart.state, stage.router.unreadyReason()],
      ['starting', 'no scheduler is connected'],
    );
    stage.link(scheduler, 'scheduler');
    stage.hear({
      type: 'models.listed',
      models: [{ model: 'digits', version: '1', broken: '', runMaxMs: 1, batching: batchingDefaults }],
    });
    assert.equal(stage.router.unreadyReason(), 'no worker has digits:1 ready');
    const effects = stage.report(1, 0);
    assert.deepEqual([stage.router.chart.state, stage.router.unreadyReason()], ['ready', '']);
    assert.equal(notes(effects)[0]?.event, 'router.moved');
    stage.report(0, 0);
    assert.equal(stage.router.chart.state, 'uncovered');
    assert.equal(only(stage.submit(), 'reply').length, 0, 'it takes work all the same');
  });

  test('the word of a health that is gone shuts nobody out, as long as no other is there', () => {
    const stage = RouterStage.usual();
    for (const health of ['health-1', 'health-2']) stage.link(health, 'health');
    stage.hear({ type: 'peer.judged', member: scheduler, verdict: 'down', reason: '' }, 'health-1');
    stage.unlink('health-1');
    stage.endGrace();
    assert.equal(stage.router.unreadyReason(), 'no scheduler is connected');
    assert.deepEqual(said(stage.submit(), 'job.enqueue'), []);
    assert.equal(said(stage.unlink('health-2'), 'job.enqueue').length, 1, 'and who waited goes on');
    assert.equal(stage.router.unreadyReason(), '');
  });

  test('is not ready once an invariant was violated, though it serves on', () => {
    const stage = RouterStage.usual();
    assert.ok(stage.router.ready);
    stage.submit();
    // Behind its back: the router can't know of this end.
    stage.router.job(1)?.move('cancel', 0, '');
    const [fault] = notes(stage.hear({ type: 'job.cancelled', job: 1, why: '' }));
    assert.deepEqual([fault?.level, fault?.event], ['error', 'job.movedIllegally']);
    assert.equal(stage.router.ready, false);
    assert.match(stage.router.unreadyReason(), /an invariant was violated: .*see the log/);
    assert.equal(only(stage.submit(), 'reply').length, 0);
  });

  test('a drain refuses what is new, ends what it has, and stops once', () => {
    const stage = RouterStage.usual();
    stage.submit();
    stage.assign([1]);
    assert.deepEqual(only(stage.hear({ type: 'drain.requested' }), 'stopped'), []);
    assert.equal(stage.router.unreadyReason(), 'the node is draining');
    const { end } = replyOf(stage.submit());
    assert.deepEqual([end.ending, end.code], ['rejected', 'DRAINING']);
    const effects = stage.finish([1], ['']);
    assert.deepEqual(only(effects, 'stopped').length, 1);
    assert.ok(effects.at(-1)?.type === 'stopped', 'after the reply');
    const after = [
      stage.hear({ type: 'drain.requested' }),
      stage.unlink(scheduler),
      stage.link(otherScheduler, 'scheduler'),
      stage.report(0, 1),
      stage.submit(),
    ].flat();
    assert.deepEqual(only(after, 'stopped'), []);
    assert.equal(stage.router.chart.state, 'drained');
  });

  test('what a drain has no more patience for is ended and recalled, and then it stops', () => {
    const stage = RouterStage.usual();
    stage.submit();
    stage.submit();
    stage.assign([1]);
    stage.hear({ type: 'drain.requested' });
    const effects = stage.hear({ type: 'drain.spent' });
    const ends = only(effects, 'reply').map(({ end }) => `${end.ending} ${end.code}`);
    assert.deepEqual(ends, ['cancelled NODE_STOPPED', 'cancelled NODE_STOPPED']);
    const told = only(effects, 'send').map(({ message }) => message.type);
    assert.deepEqual(told.sort(), ['batch.recall', 'job.withdraw']);
    assert.ok(effects.at(-1)?.type === 'stopped', 'after the replies');
    assert.equal(stage.router.liveJobs, 0);
  });

  test('an idle router stops at once', () => {
    assert.equal(only(RouterStage.usual().hear({ type: 'drain.requested' }), 'stopped').length, 1);
  });

  test('the log hears of every end but the good ones, with the path', () => {
    const stage = RouterStage.usual();
    stage.submit();
    stage.assign([1]);
    assert.deepEqual(notes(stage.finish([1], [''])), []);
    stage.submit({ budgetMs: 50 });
    stage.now += 50;
    const [line] = notes(stage.fire('deadlines'));
    assert.deepEqual(
      [line?.event, line?.fields.ending, line?.fields.path],
      ['job.ended', 'expired', 'queued at 0 ms, expired at 50 ms (DEADLINE_EXCEEDED)'],
    );
  });

  test('payload is counted out again whatever the end', () => {
    const stage = RouterStage.usual({ payloadBytesMax: 600 });
    for (let round = 0; round < 5; round++) {
      stage.submit();
      stage.submit();
      assert.equal(replyOf(stage.submit()).end.code, 'QUEUE_FULL');
      stage.assign([stage.last - 2]);
      stage.finish([stage.last - 2], ['']);
      stage.hear({ type: 'job.cancelled', job: stage.last - 1, why: '' });
    }
    assert.equal(stage.router.liveJobs, 0);
  });
});
