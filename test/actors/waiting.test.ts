// How long a scheduler lets jobs wait for others: never beyond what their way leaves, and never past the queue's bound.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { batchingDefaults } from '../../proto/batching.js';
import { SchedulerStage } from './scheduler-stage.js';
import { digits, only, said } from './stage.js';

const worker = 'worker-1.cccccc';

/** One worker, whose owner has jobs wait for others until the last moment; a batch of any size takes 5 ms. */
function deferring(): SchedulerStage {
  const stage = new SchedulerStage();
  const epoch = stage.join(worker);
  stage.hear({ type: 'model.described', epoch, ...digits, ...batchingDefaults, policy: 'deferred' }, worker);
  stage.hear(
    {
      type: 'costs.measured',
      epoch,
      ...digits,
      runs: [
        [1, 5],
        [4, 5],
      ],
    },
    worker,
  );
  return stage;
}

describe('a model whose jobs wait until the last moment', () => {
  test('to a worker whose way is not known a job goes at once', () => {
    const stage = deferring();
    assert.notEqual(stage.place(), undefined);
  });

  test('a job goes so early that a late timer and a long way do not cost it its deadline', () => {
    const stage = deferring();
    const first = stage.place({ budgetMs: 100 });
    assert.ok(first);
    // Three ways of a millisecond and the run.
    stage.now = 8;
    const { batch, epoch } = first;
    stage.hear({ type: 'batch.released', batch, epoch, rows: 1, computeMs: 5, fault: false }, worker);
    stage.settle();
    stage.enqueue({ budgetMs: 100 });
    const armed = only(stage.hear({ type: 'tick.settled' }), 'arm');
    const [timer] = armed;
    assert.ok(timer, 'it waits');
    const leftMs = stage.now + 100 - timer.at;
    assert.ok(leftMs >= 5 + 3 + 2, `it goes ${leftMs} ms before its deadline`);
    assert.ok(leftMs < 15, `it goes ${leftMs} ms before its deadline`);
  });
});

test('those who are set aside for want of another worker keep their places in a full queue', () => {
  const stage = new SchedulerStage({ lane: { depthMax: 2, bytesMax: 1e6 } });
  stage.join(worker);
  stage.join('worker-2.dddddd');
  stage.place();
  stage.place();
  // Both workers are busy but one is free for others, and neither job may go there.
  stage.hear({ type: 'batch.released', batch: 1, epoch: 1, rows: 1, computeMs: 1, fault: false }, worker);
  stage.enqueue({ attempt: 2, avoid: worker, admitted: true });
  stage.enqueue({ attempt: 2, avoid: worker, admitted: true });
  stage.settle();
  assert.equal(stage.waiting(), 2);
  const [refused] = said(stage.enqueue(), 'job.refused');
  assert.equal(refused?.code, 'QUEUE_FULL');
});

test('one worker that was held up once keeps nobody away from the others', () => {
  const other = 'worker-2.dddddd';
  const stage = new SchedulerStage();
  for (const member of [worker, other]) {
    const epoch = stage.join(member);
    stage.hear(
      {
        type: 'costs.measured',
        epoch,
        ...digits,
        runs: [
          [1, 5],
          [4, 5],
        ],
      },
      member,
    );
  }
  const [first, second] = [stage.place(), stage.place()];
  assert.ok(first && second);
  const back = { type: 'batch.released', rows: 1, computeMs: 5, fault: false } as const;
  stage.now = 6;
  stage.hear({ ...back, batch: first.batch, epoch: first.epoch }, first.worker);
  stage.now = 400;
  stage.hear({ ...back, batch: second.batch, epoch: second.epoch }, second.worker);
  stage.settle();
  assert.equal(stage.place({ budgetMs: 100 })?.worker, first.worker);
  assert.deepEqual(said(stage.enqueue({ budgetMs: 100 }), 'job.refused'), [], 'it can wait for that one');
});
