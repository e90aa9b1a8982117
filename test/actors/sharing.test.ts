// Identical requests in flight: one runs, each is answered, and each keeps its own deadline and its own end.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Effect } from '../../actors/effects.js';
import type { JobSpec } from '../../proto/job.js';
import { only, otherWorker, RouterStage, replyOf, said, scheduler, told, worker } from './stage.js';

/** So many jobs that ask for the same, in their order. */
function sharing(count: number, limits = {}, changes: Partial<JobSpec> = {}): RouterStage {
  const stage = RouterStage.usual(limits);
  for (let job = 0; job < count; job++) stage.submit({ identity: 'same', ...changes });
  return stage;
}

function ends(effects: readonly Effect[]): string[] {
  return only(effects, 'reply').map(({ job, end }) => `${job} ${end.ending} ${end.code ?? ''}`.trim());
}

function enqueued(effects: readonly Effect[]): number[] {
  return said(effects, 'job.enqueue').map(({ job }) => job);
}

describe('identical jobs', () => {
  test('run once, and each gets the same rows', () => {
    const stage = sharing(1);
    stage.now = 30;
    assert.deepEqual(told(stage.submit({ identity: 'same' })), []);
    assert.equal(stage.state(), 'sharing');
    stage.now = 40;
    stage.assign([1]);
    stage.now = 45;
    assert.deepEqual(
      told(stage.submit({ identity: 'same', budgetMs: 20 })),
      [],
      'it is at a worker: any may join',
    );
    const replies = only(stage.finish([1], ['']), 'reply');
    assert.deepEqual(
      replies.map(({ job, end, slice }) => [
        job,
        end.ending,
        slice?.member,
        slice?.rowsTotal,
        slice?.times.queueMs,
      ]),
      [
        [1, 'completed', 0, 1, 40],
        [2, 'completed', 0, 1, 10],
        [3, 'completed', 0, 1, 0],
      ],
    );
    assert.deepEqual(replies[1]?.record.path()[0], { state: 'sharing', afterMs: 0, why: 'with job 1' });
    assert.equal(stage.router.liveJobs, 0);
    assert.deepEqual(enqueued(stage.submit({ identity: 'same' })), [4], 'later is not in flight together');
  });

  for (const [what, changes] of [
    ['another identity', { identity: 'other' }],
    ['no identity', { identity: '' }],
    ['another model under the same identity', { model: 'letters' }],
    ['another shape under the same identity', { shapeKey: 'input:FP32[32]>' }],
    ['a model that is not to be run twice', { idempotent: false }],
    ['a higher priority than one who waits', { priority: 0 }],
    ['an earlier deadline than one who waits', { budgetMs: 999 }],
  ] as const) {
    test(`${what}: it runs by itself`, () => {
      const stage = sharing(1, {}, { priority: 1 });
      assert.deepEqual(enqueued(stage.submit({ identity: 'same', priority: 1, ...changes })), [2]);
    });
  }

  test('a newcomer joins the more urgent of two who run', () => {
    const stage = sharing(1);
    stage.submit({ identity: 'same', budgetMs: 500 });
    stage.submit({ identity: 'same', budgetMs: 600 });
    assert.deepEqual([stage.state(2), stage.state(3)], ['queued', 'sharing']);
    stage.assign([2]);
    assert.deepEqual(ends(stage.finish([2], [''])), ['2 completed', '3 completed']);
    stage.assign([1]);
    assert.deepEqual(ends(stage.finish([1], [''])), ['1 completed']);
  });

  test('no more than so many wait for one; the next leads others', () => {
    const stage = sharing(4, { sharersMax: 2 });
    assert.deepEqual(
      [2, 3, 4].map((job) => stage.state(job)),
      ['sharing', 'sharing', 'queued'],
    );
    stage.submit({ identity: 'same' });
    stage.assign([4]);
    assert.deepEqual(ends(stage.finish([4], [''])), ['4 completed', '5 completed']);
  });

  test('one that waits keeps its own deadline and can be cancelled; the others are not touched', () => {
    const stage = sharing(4, {}, { budgetMs: 500 });
    assert.deepEqual(ends(stage.cancel(2)), ['2 cancelled CANCELLED']);
    stage.assign([1]);
    stage.submit({ identity: 'same', budgetMs: 100 });
    stage.now = 100;
    const late = stage.fire('deadlines');
    assert.deepEqual([ends(late), told(late)], [['5 expired DEADLINE_EXCEEDED'], []]);
    assert.deepEqual(ends(stage.finish([1], [''])), ['1 completed', '3 completed', '4 completed']);
    assert.equal(stage.router.violations, 0);
  });
});

describe('when the one that runs ends otherwise', () => {
  test('the model’s own no is the answer to all', () => {
    const stage = sharing(2);
    stage.assign([1]);
    const effects = stage.finish([1], ['MODEL_FAILED']);
    assert.deepEqual(ends(effects), ['1 failed MODEL_FAILED', '2 failed MODEL_FAILED']);
    assert.equal(only(effects, 'reply')[1]?.end.message, 'the model said so');
  });

  for (const [how, end, admitted] of [
    ['is cancelled before its scheduler can have judged it', (stage: RouterStage) => stage.cancel(1), false],
    [
      'is cancelled later',
      (stage: RouterStage) => {
        stage.now = 60;
        return stage.cancel(1);
      },
      true,
    ],
    ['is refused', (stage: RouterStage) => stage.refuse('OVERLOADED', 1), false],
    ['is displaced', (stage: RouterStage) => stage.refuse('DISPLACED', 1), false],
    [
      'expires',
      (stage: RouterStage) => {
        stage.now = 500;
        return stage.fire('deadlines');
      },
      true,
    ],
  ] as const) {
    test(`and ${how}, the most urgent of the others leads the rest`, () => {
      const stage = RouterStage.usual();
      for (const budgetMs of [500, 900, 700, 800]) stage.submit({ identity: 'same', budgetMs });
      const effects = end(stage);
      assert.equal(only(effects, 'reply').length, 1);
      const [enqueue] = said(effects, 'job.enqueue');
      assert.deepEqual([enqueue?.job, enqueue?.attempt, enqueue?.admitted], [3, 1, admitted]);
      assert.deepEqual(
        [2, 3, 4].map((job) => stage.state(job)),
        ['sharing', 'queued', 'sharing'],
      );
      stage.assign([3]);
      assert.deepEqual(ends(stage.finish([3], [''])).sort(), ['2 completed', '3 completed', '4 completed']);
    });
  }

  test('whose time has come with its leader’s is not sent on', () => {
    const stage = sharing(2);
    stage.now = 1000;
    const effects = stage.fire('deadlines');
    assert.deepEqual(ends(effects).length, 2);
    assert.deepEqual(enqueued(effects), []);
  });

  test('a lost worker is its leader’s matter: nobody hears of it', () => {
    const stage = sharing(2);
    stage.assign([1]);
    const effects = stage.exit('killed');
    assert.deepEqual([enqueued(effects), ends(effects)], [[1], []]);
    stage.assign([1], otherWorker);
    assert.deepEqual(ends(stage.finish([1], [''], otherWorker)), ['1 completed', '2 completed']);
  });

  test('the heir of one that ended a worker is watched like it', () => {
    const stage = sharing(2);
    stage.assign([1]);
    stage.start([1]);
    stage.exit('crashed');
    const [enqueue] = said(stage.cancel(1), 'job.enqueue');
    assert.deepEqual([enqueue?.job, enqueue?.company, enqueue?.avoid], [2, 'solo', worker]);
    stage.assign([2], otherWorker, true);
    stage.hear({ type: 'batch.prepared', scheduler, ...stage.word(2) }, otherWorker);
    assert.equal(replyOf(stage.exit('crashed', otherWorker)).end.code, 'JOB_POISONED');
  });

  /** The first has ended two workers, the second by falling silent: word of it is waited for. */
  function undecided(): RouterStage {
    const stage = sharing(3, {}, { budgetMs: 60_000 });
    stage.assign([1]);
    stage.start([1]);
    stage.exit('crashed');
    stage.assign([1], otherWorker, true);
    stage.hear({ type: 'batch.prepared', scheduler, ...stage.word(1) }, otherWorker);
    stage.unlink(otherWorker);
    assert.equal(stage.state(1), 'retrying');
    return stage;
  }

  test('who is named poisoned is so for all who asked for the same', () => {
    assert.deepEqual(ends(undecided().exit('crashed', otherWorker)), [
      '1 failed JOB_POISONED',
      '2 failed JOB_POISONED',
      '3 failed JOB_POISONED',
    ]);
  });

  test('no third worker is risked because another asked for the same', () => {
    const effects = undecided().cancel(1);
    assert.deepEqual(ends(effects), [
      '1 cancelled CANCELLED',
      '2 failed WORKERS_LOST',
      '3 failed WORKERS_LOST',
    ]);
    assert.deepEqual(enqueued(effects), []);
  });

  test('a try that one had no time for goes to who has, out of the same budget', () => {
    const stage = RouterStage.usual({ retryShare: 0.5, retryPerSecond: 0 });
    stage.costMs = 200;
    stage.submit({ identity: 'another' });
    stage.submit({ identity: 'same', budgetMs: 300 });
    for (const identity of ['a third', 'a fourth']) stage.submit({ identity });
    stage.assign([2]);
    stage.submit({ identity: 'same', budgetMs: 250 });
    stage.submit({ identity: 'same', budgetMs: 900 });
    stage.now = 150;
    const effects = stage.finish([2], ['DEVICE_LOST']);
    assert.deepEqual(ends(effects), ['2 failed RETRIES_SPENT', '5 failed RETRIES_SPENT']);
    assert.deepEqual(enqueued(effects), [6]);
    stage.assign([6], otherWorker);
    assert.deepEqual(ends(stage.finish([6], ['DEVICE_LOST'], otherWorker)), ['6 failed DEVICE_LOST']);
  });
});
