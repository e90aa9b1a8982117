// How a router ends its jobs: by answers, by the deadline, by the client's wish.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { only, otherWorker, RouterStage, replyOf, said, scheduler, told, worker } from './stage.js';

const invalidTwice =
  /^2 runs gave an invalid answer \(the model said so\): it is the fault of the model or of what it was given/;

describe('answers', () => {
  test('each member is told where its rows are', () => {
    const stage = RouterStage.usual();
    for (const rows of [2, 1, 4]) stage.submit({ rows });
    stage.now = 7;
    stage.assign([1, 2, 3]);
    stage.hear({ type: 'job.cancelled', job: 1, why: '' });
    const effects = stage.finish([1, 2, 3], ['', 'DEADLINE_EXCEEDED', ''], worker, {
      attempts: [1, 1, 1],
      rows: [2, 1, 4],
    });
    const replies = only(effects, 'reply');
    assert.deepEqual(
      replies.map(({ job, end }) => [job, end.ending]),
      [
        [2, 'expired'],
        [3, 'completed'],
      ],
    );
    assert.deepEqual(replies[1]?.slice, {
      member: 2,
      rowsBefore: 2,
      rows: 4,
      rowsTotal: 6,
      times: { queueMs: 7, computeInputMs: 1, computeMs: 2, computeOutputMs: 3, batchRows: 6 },
    });
    assert.equal(replies[0]?.slice, undefined);
  });

  test('a job that fails by itself fails, with what the model said', () => {
    const stage = RouterStage.usual();
    stage.submit();
    stage.assign([1]);
    const { end } = replyOf(stage.finish([1], ['MODEL_FAILED']));
    assert.deepEqual([end.ending, end.code, end.message], ['failed', 'MODEL_FAILED', 'the model said so']);
  });

  test('a batch that fails is tried again one by one, and only the guilty one fails', () => {
    const stage = RouterStage.usual();
    stage.submit();
    stage.submit();
    stage.assign([1, 2]);
    const again = said(stage.finish([1, 2], ['MODEL_FAILED', 'MODEL_FAILED']), 'job.enqueue');
    assert.deepEqual(
      again.map(({ company }) => company),
      ['alone', 'alone'],
    );
    stage.assign([1]);
    assert.equal(replyOf(stage.finish([1], [''])).end.ending, 'completed');
    stage.assign([2]);
    assert.equal(replyOf(stage.finish([2], ['MODEL_FAILED'])).end.code, 'MODEL_FAILED');
  });

  for (const [code, runs] of [
    ['DEVICE_LOST', 2],
    ['RESULT_INVALID', 2],
  ] as const) {
    test(`${code} is tried elsewhere, ${runs} runs in all`, () => {
      const stage = RouterStage.usual();
      stage.submit();
      for (let run = 1; run < runs; run++) {
        stage.assign([1]);
        const [enqueue] = said(stage.finish([1], [code]), 'job.enqueue');
        assert.deepEqual([enqueue?.attempt, enqueue?.avoid, enqueue?.company], [run + 1, worker, 'alone']);
      }
      stage.assign([1]);
      const { end } = replyOf(stage.finish([1], [code]));
      assert.deepEqual([end.ending, end.code], ['failed', code]);
      assert.match(
        end.message,
        code === 'DEVICE_LOST' ? /^given up after 2 attempts: the model said so$/ : invalidTwice,
      );
    });
  }

  test('what a worker hands back goes on at once; again and again, after a pause', () => {
    const stage = RouterStage.usual();
    stage.submit();
    stage.assign([1]);
    assert.equal(said(stage.finish([1], ['returned']), 'job.enqueue')[0]?.attempt, 2);
    let before = 0;
    for (let turn = 0; turn < 8; turn++) {
      stage.assign([1], turn % 2 === 0 ? otherWorker : worker);
      const effects = stage.finish([1], ['returned'], turn % 2 === 0 ? otherWorker : worker);
      assert.deepEqual(told(effects), []);
      const [timer] = only(effects, 'arm');
      assert.equal(timer?.timer, 'retries');
      const pauseMs = timer.at - stage.now;
      assert.ok(pauseMs >= before && pauseMs <= 128, `${pauseMs} ms`);
      before = pauseMs;
      stage.now = timer.at - 1;
      assert.deepEqual(told(stage.fire('retries')), [], 'not before its time');
      stage.now = timer.at;
      assert.equal(said(stage.fire('retries'), 'job.enqueue').length, 1);
    }
    assert.equal(stage.router.job(1)?.losses, 0, 'none of it counts as a loss');
  });

  test('a batch that nobody knows of any more is placed again', () => {
    for (const [cause, company] of [
      ['unanswered', 'any'],
      ['silent', 'solo'],
    ] as const) {
      const stage = RouterStage.usual();
      stage.submit();
      stage.assign([1]);
      const lost = { type: 'batch.lost', worker, ...stage.word(1), cause } as const;
      const again = said(stage.hear(lost, scheduler), 'job.enqueue');
      assert.deepEqual(
        again.map((enqueue) => [enqueue.attempt, enqueue.company]),
        [[2, company]],
      );
      assert.deepEqual(stage.hear(lost, scheduler), [], 'and once');
    }
  });
});

describe('the deadline', () => {
  test('ends a job that waits, and says where it waited', () => {
    const stage = RouterStage.usual();
    stage.submit({ budgetMs: 200 });
    stage.now = 199.9;
    assert.deepEqual(only(stage.fire('deadlines'), 'reply'), []);
    stage.now = 200;
    const effects = stage.fire('deadlines');
    const { end } = replyOf(effects);
    assert.deepEqual([end.ending, end.code], ['expired', 'DEADLINE_EXCEEDED']);
    assert.equal(end.message, 'the deadline of 200 ms passed: queued at 0 ms');
    assert.deepEqual(told(effects), [
      { to: scheduler, message: { type: 'job.withdraw', job: 1, attempt: 1 } },
    ]);
  });

  test('ends a job that runs, and calls it back', () => {
    const stage = RouterStage.usual();
    stage.submit({ budgetMs: 200 });
    stage.now = 20;
    stage.assign([1]);
    stage.start([1]);
    stage.now = 200;
    const effects = stage.fire('deadlines');
    assert.equal(
      replyOf(effects).end.message,
      `the deadline of 200 ms passed: queued at 0 ms, assigned at 20 ms (${worker}, batch of 1 row), running at 20 ms (${worker})`,
    );
    const recall = { type: 'batch.recall', scheduler, batch: 1, jobs: [1] };
    assert.deepEqual(told(effects), [{ to: worker, message: recall }]);
    assert.deepEqual(only(stage.finish([1], [''], worker, { attempts: [1] }), 'reply'), [], 'too late');
  });

  test('whoever wakes the router when it asks is never late', () => {
    const stage = RouterStage.usual();
    let wakeAt = Number.POSITIVE_INFINITY;
    const hear = (effects: ReturnType<RouterStage['submit']>): void => {
      for (const { timer, at } of only(effects, 'arm')) if (timer === 'deadlines') wakeAt = at;
    };
    const due = new Map<number, number>();
    for (let job = 1; job <= 60; job++) {
      stage.now += 0.7;
      const budgetMs = 10 + ((job * 7919) % 997);
      hear(stage.submit({ budgetMs }));
      due.set(job, stage.now + budgetMs);
    }
    while (wakeAt < Number.POSITIVE_INFINITY) {
      assert.ok(wakeAt >= stage.now, 'it asks for nothing that has passed');
      stage.now = wakeAt;
      wakeAt = Number.POSITIVE_INFINITY;
      const effects = stage.fire('deadlines');
      for (const { job } of only(effects, 'reply')) {
        const lateMs = stage.now - (due.get(job) as number);
        assert.ok(lateMs >= 0 && lateMs <= 1, `job ${job} is ${lateMs} ms late`);
        due.delete(job);
      }
      hear(effects);
    }
    assert.equal(due.size, 0);
  });
});

describe('cancelling', () => {
  test('takes a job out of the queue, or calls it back from its worker', () => {
    const stage = RouterStage.usual();
    stage.submit();
    stage.submit();
    stage.assign([2]);
    const cancel = (job: number) => stage.hear({ type: 'job.cancelled', job, why: 'the client went away' });
    const [waiting, placed] = [cancel(1), cancel(2)];
    assert.deepEqual(
      told(waiting).map(({ message }) => message.type),
      ['job.withdraw'],
    );
    assert.deepEqual(
      told(placed).map(({ message }) => message.type),
      ['batch.recall'],
    );
    const { end } = replyOf(placed);
    assert.deepEqual([end.ending, end.code, end.message], ['cancelled', 'CANCELLED', 'the client went away']);
    assert.deepEqual(cancel(2), []);
  });
});
