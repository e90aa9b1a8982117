// The scheduler: who gets what, and that every credit it gave out comes back on each way that there is.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Said } from '../../proto/messages.js';
import { otherRouter, SchedulerStage as Stage } from './scheduler-stage.js';
import { notes, only, otherWorker, router, said, told, worker } from './stage.js';

describe('placing', () => {
  test('is done once for everything that came together', () => {
    const stage = Stage.with([worker]);
    assert.equal(only(stage.enqueue(), 'settle').length, 0, 'it was asked for already');
    stage.settle();
    stage.release({
      type: 'batch.assign',
      batch: 1,
      worker,
      epoch: 1,
      solo: false,
      jobs: [],
      attempts: [],
      costMs: 0,
      transportMs: 0,
    });
    stage.settle();
    const effects = [stage.enqueue(), stage.enqueue(), stage.enqueue()].flat();
    assert.equal(only(effects, 'settle').length, 1);
    assert.deepEqual(
      stage.settle().map(({ jobs }) => jobs),
      [[2, 3, 4]],
    );
  });

  test('tells the router the worker, its epoch and each attempt', () => {
    const stage = Stage.with([worker]);
    stage.enqueue({ attempt: 3 });
    const effects = stage.hear({ type: 'tick.settled' });
    const cost = { costMs: 0, transportMs: 0 };
    const assign = { batch: 1, worker, epoch: 1, solo: false, jobs: [1], attempts: [3], ...cost };
    const assigned = told(effects).filter(({ message }) => message.type !== 'model.reported');
    assert.deepEqual(assigned, [{ to: router, message: { type: 'batch.assign', ...assign } }]);
  });

  test('a worker gets no more than its credits', () => {
    const stage = new Stage();
    stage.join(worker, 2);
    for (let job = 0; job < 20; job++) stage.enqueue();
    const assigned = stage.settle();
    assert.deepEqual(
      assigned.map(({ jobs }) => jobs.length),
      [4, 4],
    );
    assert.equal(stage.waiting(), 12);
    assert.deepEqual(stage.settle(), []);
  });

  test('batches are not mixed across routers', () => {
    const stage = Stage.with([worker, otherWorker]);
    stage.enqueue();
    stage.enqueue({}, otherRouter);
    stage.enqueue();
    const effects = stage.hear({ type: 'tick.settled' });
    const assigned = told(effects).filter(({ message }) => message.type === 'batch.assign');
    assert.deepEqual(
      assigned.map(({ to, message }) => [to, (message as Said<'batch.assign'>).jobs]),
      [
        [router, [1, 3]],
        [otherRouter, [2]],
      ],
    );
  });

  test('nothing goes to a worker that has not the model ready, is suspect, or is leaving', () => {
    const stage = new Stage();
    const epoch = stage.join(worker, 1, { state: 'loading' });
    assert.equal(stage.place(), undefined);
    stage.share(worker, epoch);
    stage.hear({ type: 'peer.judged', member: worker, verdict: 'suspect', reason: '' }, 'health-1');
    assert.deepEqual(stage.settle(), []);
    stage.hear({ type: 'peer.judged', member: worker, verdict: 'trusted', reason: '' }, 'health-1');
    stage.hear({ type: 'worker.leaving', epoch: epoch + 1 }, worker);
    assert.equal(stage.settle().length, 1, 'an old epoch says nothing about leaving');
    stage.hear({ type: 'worker.leaving', epoch }, worker);
    stage.release({
      type: 'batch.assign',
      batch: 1,
      worker,
      epoch,
      solo: false,
      jobs: [1],
      attempts: [1],
      costMs: 0,
      transportMs: 0,
    });
    assert.equal(stage.place(), undefined);
  });

  test('the word of a health that is gone keeps nothing from a worker, as long as no other is there', () => {
    const stage = Stage.with([worker]);
    for (const health of ['health-1', 'health-2']) stage.link(health, 'health');
    stage.hear({ type: 'peer.judged', member: worker, verdict: 'suspect', reason: '' }, 'health-1');
    stage.enqueue();
    stage.hear({ type: 'link.lost', member: 'health-1', reason: '' });
    assert.deepEqual(stage.settle(), []);
    stage.hear({ type: 'link.lost', member: 'health-2', reason: '' });
    assert.equal(stage.settle().length, 1);
  });

  test('a doubt keeps new work away and leaves the model ready; only who is given up is missing', () => {
    const stage = Stage.with([worker]);
    const judged = (verdict: 'suspect' | 'down') =>
      stage.hear({ type: 'peer.judged', member: worker, verdict, reason: '' }, 'health-1');
    assert.deepEqual(said(judged('suspect'), 'model.reported'), []);
    assert.equal(stage.place({}), undefined);
    assert.equal(said(judged('down'), 'model.reported')[0]?.ready, 0);
  });

  test('the one to keep away from is taken only when nobody else could', () => {
    const stage = Stage.with([worker, otherWorker]);
    assert.equal(stage.place({ avoid: worker })?.worker, otherWorker);
    assert.equal(stage.place({ avoid: otherWorker })?.worker, worker);
    const alone = Stage.with([worker]);
    assert.equal(alone.place({ avoid: worker })?.worker, worker);
  });

  test('who keeps away waits for another, and holds up nobody', () => {
    const stage = Stage.with([worker, otherWorker]);
    const first = must(stage.place({ avoid: worker }));
    assert.equal(first.worker, otherWorker);
    stage.enqueue({ avoid: worker, budgetMs: 100 });
    stage.enqueue({ budgetMs: 500 });
    assert.deepEqual(
      stage.settle().map(({ worker: to, jobs }) => [to, jobs]),
      [[worker, [3]]],
    );
    stage.release(first);
    assert.deepEqual(
      stage.settle().map(({ worker: to, jobs }) => [to, jobs]),
      [[otherWorker, [2]]],
    );
    assert.equal(stage.waiting(), 0);
  });

  test('solo is said to the router, alone is not', () => {
    const stage = Stage.with([worker, otherWorker]);
    assert.equal(stage.place({ company: 'solo' })?.solo, true);
    assert.equal(stage.place({ company: 'alone' })?.solo, false);
  });

  test('jobs that can not be answered in time are not placed', () => {
    const stage = Stage.with([worker]);
    stage.enqueue({ budgetMs: 10 });
    stage.now = 10;
    assert.deepEqual(stage.settle(), []);
    assert.equal(stage.waiting(), 0);
    assert.equal(stage.credits(), 0);
  });
});

describe('the queue', () => {
  test('takes a job once; a later attempt takes the place of an earlier', () => {
    const stage = new Stage();
    stage.enqueue({ job: 7 });
    stage.enqueue({ job: 7 });
    assert.equal(stage.waiting(), 1);
    stage.enqueue({ job: 7, attempt: 2 });
    stage.enqueue({ job: 7, attempt: 1 });
    assert.equal(stage.waiting(), 1);
    stage.enqueue({ job: 7 }, otherRouter);
    assert.equal(stage.waiting(), 2, "another router's job has another name");
    stage.join(worker);
    assert.deepEqual(stage.settle()[0]?.attempts, [2]);
  });

  for (const [bound, lane, job] of [
    ['jobs', { depthMax: 3, bytesMax: 1e6 }, {}],
    ['bytes', { depthMax: 100, bytesMax: 30 }, { bytes: 10 }],
  ] as const) {
    test(`is bounded in ${bound}: who comes too late is refused, who comes again is not`, () => {
      const stage = new Stage({ lane });
      for (let count = 0; count < 3; count++) assert.deepEqual(said(stage.enqueue(job), 'job.refused'), []);
      const [refused] = said(stage.enqueue(job), 'job.refused');
      assert.equal(refused?.code, 'QUEUE_FULL');
      assert.match(refused.reason, /digits:1 holds 3 jobs and 30 bytes/);
      assert.ok(refused.retryAfterMs > 0);
      assert.deepEqual(said(stage.enqueue({ ...job, attempt: 2, admitted: true }), 'job.refused'), []);
      assert.equal(stage.waiting(), 4);
      stage.join(worker);
      assert.equal(stage.settle().length, 1);
      assert.deepEqual(said(stage.enqueue(job), 'job.refused'), [], 'it opens when there is room again');
    });
  }

  test("opens again when a lost router's jobs go, or those that are withdrawn", () => {
    const stage = new Stage({ lane: { depthMax: 2, bytesMax: 1e6 } });
    stage.enqueue({ job: 1 }, otherRouter);
    stage.enqueue({ job: 2 }, otherRouter);
    assert.equal(said(stage.enqueue({ job: 3 }), 'job.refused').length, 1);
    stage.hear({ type: 'link.lost', member: otherRouter, reason: '' });
    assert.equal(stage.waiting(), 0);
    stage.enqueue({ job: 4 });
    stage.enqueue({ job: 5 });
    assert.equal(said(stage.enqueue({ job: 6 }), 'job.refused').length, 1);
    stage.hear({ type: 'job.withdraw', job: 4, attempt: 1 }, router);
    assert.deepEqual(said(stage.enqueue({ job: 7 }), 'job.refused'), []);
  });

  test('a withdrawal of an earlier attempt, or by another router, takes nothing', () => {
    const stage = new Stage();
    stage.enqueue({ job: 1, attempt: 2 });
    stage.hear({ type: 'job.withdraw', job: 1, attempt: 1 }, router);
    stage.hear({ type: 'job.withdraw', job: 1, attempt: 2 }, otherRouter);
    assert.equal(stage.waiting(), 1);
    stage.hear({ type: 'job.withdraw', job: 1, attempt: 2 }, router);
    assert.equal(stage.waiting(), 0);
  });
});

describe('a credit comes back', () => {
  function given(): { stage: Stage; assign: Said<'batch.assign'> } {
    const stage = Stage.with([worker]);
    const assign = must(stage.place());
    assert.equal(stage.credits(), 1);
    return { stage, assign };
  }

  test("by the worker's word, once", () => {
    const { stage, assign } = given();
    assert.equal(only(stage.release(assign), 'settle').length, 1);
    assert.equal(stage.credits(), 0);
    assert.deepEqual(stage.release(assign), []);
    assert.equal(stage.credits(), 0, 'not twice');
    assert.ok(stage.place());
  });

  test('not by the word of another worker or of an old epoch', () => {
    const { stage, assign } = given();
    stage.join(otherWorker, 1, { state: 'loading' });
    stage.release(assign, otherWorker, 2);
    stage.release(assign, worker, 9);
    assert.equal(stage.credits(), 1);
    stage.release(assign);
    assert.equal(stage.credits(), 0);
  });

  test('by the router that had nothing to run any more, and only by that one', () => {
    const { stage, assign } = given();
    stage.hear({ type: 'batch.declined', batch: assign.batch }, otherRouter);
    assert.equal(stage.credits(), 1);
    stage.hear({ type: 'batch.declined', batch: assign.batch }, router);
    assert.equal(stage.credits(), 0);
    stage.hear({ type: 'batch.declined', batch: assign.batch }, router);
    assert.equal(stage.credits(), 0);
  });

  test('when the worker reports again and again that it knows nothing of the batch; its router is told', () => {
    const { stage, assign } = given();
    const report = (held: number[]) => stage.hear({ type: 'worker.reported', epoch: 1, held }, worker);
    report([]);
    assert.equal(stage.credits(), 1, 'the batch may still be on its way');
    stage.now = 150;
    report([]);
    report([assign.batch]);
    report([]);
    assert.equal(stage.credits(), 1, 'it had it after all');
    const effects = report([]);
    assert.equal(stage.credits(), 0);
    const lost = { batch: assign.batch, worker, epoch: 1, jobs: [1], attempts: [1], cause: 'unanswered' };
    assert.deepEqual(told(effects), [{ to: router, message: { type: 'batch.lost', ...lost } }]);
  });

  // How a worker ended routers hear themselves.
  for (const [how, heard, causes] of [
    ['when the worker is lost', { type: 'link.lost', member: worker, reason: '' }, ['silent']],
    ['when its host says that it ended', { type: 'worker.exited', worker, cause: 'crashed', detail: '' }, []],
    [
      'when health gives it up',
      { type: 'peer.judged', member: worker, verdict: 'down', reason: '' },
      ['silent'],
    ],
  ] as const) {
    test(`with its whole record ${how}`, () => {
      const { stage, assign } = given();
      const effects = stage.hear(heard);
      assert.equal(notes(effects)[0]?.event, 'worker.dropped');
      assert.deepEqual(
        said(effects, 'batch.lost').map(({ batch, cause }) => [batch, cause]),
        causes.map((cause) => [assign.batch, cause]),
      );
      assert.equal([...stage.scheduler.registry.all()].length, 0);
      assert.deepEqual(only(stage.release(assign), 'settle'), []);
      stage.hear({ type: 'batch.declined', batch: assign.batch }, router);
      assert.equal(stage.credits(), 0);
    });
  }

  test('anew with a new registration, whose epoch is higher', () => {
    const { stage, assign } = given();
    const register = { name: worker, device: 'cpu', tags: [], inlineCredits: 1, threadCredits: 1 };
    const effects = stage.hear({ type: 'worker.register', ...register }, worker);
    const lost = { batch: assign.batch, worker, epoch: 1, jobs: [1], attempts: [1], cause: 'silent' };
    assert.deepEqual(
      told(effects).find(({ message }) => message.type === 'batch.lost'),
      { to: router, message: { type: 'batch.lost', ...lost } },
    );
    assert.equal(stage.credits(), 0);
    stage.share(worker, 2);
    stage.release(assign);
    assert.equal(stage.credits(), 0, 'the old epoch has nothing to give back');
    assert.equal(stage.place()?.epoch, 2);
  });

  test('conserved over a long random life', () => {
    const stage = Stage.with([worker, otherWorker]);
    const out: Said<'batch.assign'>[] = [];
    for (let step = 0; step < 2000; step++) {
      stage.now += 1;
      if (step % 3 !== 0) stage.enqueue({ rows: 1 + (step % 3), avoid: step % 7 === 0 ? worker : '' });
      out.push(...stage.settle());
      assert.ok(out.length <= 2, 'never more out than was granted');
      assert.equal(stage.credits(), out.length);
      if (step % 2 === 0 && out.length > 0) stage.release(out.splice(step % out.length, 1)[0] as never);
    }
    for (const assign of out) stage.release(assign);
    assert.equal(stage.credits(), 0);
    for (const { rowsHeld, batches } of stage.scheduler.registry.all()) {
      assert.deepEqual([rowsHeld, batches.size], [0, 0]);
    }
  });
});

function must<T>(value: T | undefined): T {
  assert.ok(value !== undefined);
  return value;
}
