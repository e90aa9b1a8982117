// When a run that failed is tried again, and when not: the time that is left, the budget of tries, and requests that are
// never to be run twice.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TokenBucket } from '../../actors/router/retries.js';
import { only, otherWorker, RouterStage, replyOf, said, scheduler, told, worker } from './stage.js';

describe('the bucket of tries', () => {
  test('gives no more than a tenth of what was admitted and three a second, beside what ten seconds saved', () => {
    for (const ratePerMs of [0, 0.01, 1, 20]) {
      const bucket = new TokenBucket(0.1, 3, 0);
      let admitted = 0;
      let taken = 0;
      for (let now = 0; now <= 60_000; now += 7) {
        const arrived = Math.floor(ratePerMs * now) - admitted;
        admitted += arrived;
        bucket.admitted += arrived;
        while (bucket.take(now)) taken++;
        const most = 30 + admitted * 0.1 + (now * 3) / 1000;
        assert.ok(taken <= most + 1e-6, `${taken} of ${most} at ${now}`);
      }
      // Whoever always asks loses nothing of it.
      const due = admitted * 0.1 + 60 * 3;
      assert.ok(taken >= due * 0.999 - 1, `${taken} of ${due}`);
    }
  });

  test('what was saved up long ago is gone', () => {
    const bucket = new TokenBucket(0.1, 3, 0);
    bucket.admitted += 100_000;
    bucket.take(1000);
    let taken = 0;
    while (bucket.take(121_000)) taken++;
    assert.ok(taken <= 31, `${taken}`);
  });

  test('a clock that stands or goes back gives nothing', () => {
    const bucket = new TokenBucket(0.1, 0.1, 1000);
    assert.deepEqual(
      [bucket.take(1000), bucket.take(1000), bucket.take(500), bucket.take(1000)],
      [true, false, false, false],
    );
  });
});

/** The job is at a worker whose device is lost at that time. */
function deviceLost(stage: RouterStage, at: number) {
  stage.submit();
  stage.assign([stage.last]);
  stage.now = at;
  return stage.finish([stage.last], ['DEVICE_LOST']);
}

describe('a run that failed', () => {
  test('is tried again while the time left covers another and the way', () => {
    const stage = RouterStage.usual();
    Object.assign(stage, { costMs: 150, transportMs: 9 });
    assert.equal(said(deviceLost(stage, 840), 'job.enqueue').length, 1);
  });

  test('is given up at once when it does not', () => {
    const stage = RouterStage.usual();
    Object.assign(stage, { costMs: 150, transportMs: 12.34 });
    const { end } = replyOf(deviceLost(stage, 840));
    assert.deepEqual([end.ending, end.code], ['failed', 'RETRIES_SPENT']);
    assert.equal(
      end.message,
      'given up after 1 failed run (the model said so): another may take 162.3 ms, and 160 ms are left',
    );
  });

  test('is given up when the budget is spent; a worker that is lost does not touch that', () => {
    const stage = RouterStage.usual({ retryShare: 0.5, retryPerSecond: 0 });
    // Two jobs give one try.
    stage.submit();
    assert.equal(said(deviceLost(stage, 0), 'job.enqueue').length, 1);
    const spent = replyOf(deviceLost(stage, 0)).end;
    assert.equal(spent.code, 'RETRIES_SPENT');
    assert.match(spent.message, /the budget of retries is spent \(50 % of what is admitted and 0 a second\)/);
    for (const cause of ['killed', 'crashed', 'stopped', 'unknown'] as const) {
      stage.submit();
      stage.assign([stage.last], otherWorker);
      assert.equal(said(stage.exit(cause, otherWorker), 'job.enqueue').length, 1, cause);
    }
  });

  test('a batch that is split takes no try', () => {
    const stage = RouterStage.usual({ retryShare: 0, retryPerSecond: 0 });
    stage.submit();
    stage.submit();
    stage.assign([1, 2]);
    const again = stage.finish([1, 2], ['MODEL_FAILED', 'MODEL_FAILED']);
    assert.equal(said(again, 'job.enqueue').length, 2);
  });
});

describe('a request that is not to be run twice', () => {
  function atWorker(started: boolean): RouterStage {
    const stage = RouterStage.usual();
    stage.submit({ idempotent: false });
    stage.assign([1]);
    if (started) stage.start([1]);
    return stage;
  }

  for (const started of [false, true]) {
    for (const cause of ['killed', 'crashed', 'stopped', 'unknown'] as const) {
      test(`ends when its worker is ${cause}, ${started ? 'running' : 'assigned'}`, () => {
        const { end } = replyOf(atWorker(started).exit(cause));
        assert.deepEqual([end.ending, end.code], ['failed', 'RUN_LOST']);
        assert.equal(
          end.message,
          `${worker} was lost (${cause}) when the run may have begun; the model is not to be run twice for one request`,
        );
      });
    }
  }

  test('ends when nobody knows of its batch any more, or its device was lost', () => {
    const unanswered = atWorker(false);
    const lost = { type: 'batch.lost', worker, ...unanswered.word(1), cause: 'unanswered' } as const;
    assert.equal(replyOf(unanswered.hear(lost, scheduler)).end.code, 'RUN_LOST');
    const { end } = replyOf(atWorker(true).finish([1], ['DEVICE_LOST']));
    assert.equal(end.code, 'RUN_LOST');
    assert.match(end.message, /lost \(device: the model said so\)/);
  });

  test('keeps the reason where the worker gave one, in a batch too', () => {
    assert.equal(replyOf(atWorker(true).finish([1], ['RESULT_INVALID'])).end.code, 'RESULT_INVALID');
    const stage = RouterStage.usual();
    stage.submit({ idempotent: false });
    stage.submit();
    stage.assign([1, 2]);
    const effects = stage.finish([1, 2], ['MODEL_FAILED', 'MODEL_FAILED']);
    const { job, end } = replyOf(effects);
    assert.deepEqual([job, end.code], [1, 'MODEL_FAILED']);
    assert.match(end.message, /not to be run twice/);
    assert.deepEqual(
      said(effects, 'job.enqueue').map((enqueue) => enqueue.job),
      [2],
    );
  });

  test('goes on elsewhere while it certainly has not begun', () => {
    assert.equal(said(atWorker(false).finish([1], ['returned']), 'job.enqueue').length, 1);
    const declined = RouterStage.usual();
    declined.submit({ idempotent: false });
    declined.unlink(worker);
    const effects = declined.assign([1]);
    assert.deepEqual(
      told(effects).map(({ message }) => message.type),
      ['batch.declined', 'job.enqueue'],
    );
    assert.deepEqual(only(effects, 'reply'), []);
  });
});
