// A second run beside one that takes too long: who gets one, who wins, and what remains when either is lost.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Effect } from '../../actors/effects.js';
import type { Job } from '../../actors/job/job.js';
import type { RouterLimits } from '../../actors/router/router.js';
import type { JobSpec } from '../../proto/job.js';
import type { Said } from '../../proto/messages.js';
import { only, otherWorker, RouterStage, replyOf, said, scheduler, told, worker } from './stage.js';

/** Of two jobs the first runs at the first worker, expected to take 20 ms and 1 ms for its way. */
function running(changes: Partial<JobSpec> = {}, limits: Partial<RouterLimits> = {}): RouterStage {
  const stage = RouterStage.usual({ hedgeShare: 1, ...limits });
  Object.assign(stage, { costMs: 20, transportMs: 1 });
  stage.submit({ hedge: true, ...changes });
  // Only for what it adds to the load.
  stage.submit();
  stage.assign([1]);
  stage.now = 3;
  stage.start([1]);
  return stage;
}

function late(stage: RouterStage): Effect[] {
  stage.now = 24;
  return stage.fire('hedges');
}

/** The first attempt's batch is 1, the second's 2. */
function twin(stage: RouterStage, to = otherWorker): Effect[] {
  late(stage);
  const batch = { batch: 2, worker: to, epoch: 7, solo: false, jobs: [1], attempts: [2] };
  return stage.hear({ type: 'batch.assign', ...batch, costMs: 20, transportMs: 1 }, scheduler);
}

const first = { batch: 1, epoch: 1, jobs: [1], attempts: [1] };
const second = { batch: 2, epoch: 7, jobs: [1], attempts: [2] };

function answer(
  stage: RouterStage,
  word: typeof first,
  from: string,
  code: Said<'batch.finished'>['codes'][number] = '',
) {
  return stage.finish([1], [code], from, word);
}

describe('a run that takes longer than expected', () => {
  test('gets a second one elsewhere, as a newcomer; not before its time', () => {
    const stage = running();
    stage.now = 23.9;
    assert.deepEqual(told(stage.fire('hedges')), []);
    const [enqueue] = said(late(stage), 'job.enqueue');
    const { attempt, avoid, admitted, company, budgetMs } = enqueue as Said<'job.enqueue'>;
    assert.deepEqual([attempt, avoid, admitted, budgetMs], [2, worker, false, 976]);
    assert.equal(company, 'alone', 'a mate in its batch may be what holds it up');
    assert.equal(stage.state(1), 'running');
    stage.now = 900;
    assert.deepEqual(told(stage.fire('hedges')), [], 'and once');
  });

  test('says when to look, and looks no more when it is over', () => {
    const stage = RouterStage.usual({ hedgeShare: 1 });
    stage.costMs = 20;
    stage.submit({ hedge: true });
    stage.assign([1]);
    const arms = only(stage.start([1]), 'arm').map(({ timer, at }) => [timer, at]);
    assert.deepEqual(arms, [['hedges', 20]]);
    stage.finish([1], ['']);
    stage.now = 20;
    assert.deepEqual(stage.fire('hedges'), []);
  });

  for (const [who, changes, limits] of [
    ['whose model does not want it', { hedge: false }, {}],
    ['that is not to be run twice', { idempotent: false }, {}],
    ['with too little time left', { budgetMs: 40 }, {}],
    ['beyond the share of the load', {}, { hedgeShare: 0.02 }],
  ] as const) {
    test(`none for a job ${who}`, () => {
      assert.deepEqual(said(late(running(changes, limits)), 'job.enqueue'), []);
    });
  }

  test('none for a job that a worker was lost under', () => {
    const stage = running();
    stage.exit('crashed');
    stage.assign([1], otherWorker, true);
    stage.hear({ type: 'batch.prepared', scheduler, ...stage.word(1) }, otherWorker);
    stage.now = 300;
    assert.deepEqual(said(stage.fire('hedges'), 'job.enqueue'), []);
  });

  test('no more than a fiftieth of what is admitted', () => {
    const stage = RouterStage.usual({ hedgeShare: 0.02, jobsMax: 1000 });
    stage.costMs = 20;
    let second = 0;
    for (let job = 1; job <= 500; job++) {
      stage.submit({ hedge: true });
      stage.assign([job]);
      stage.start([job]);
    }
    stage.now = 20;
    second += said(stage.fire('hedges'), 'job.enqueue').length;
    assert.ok(second >= 9 && second <= 10, `${second}`);
  });
});

describe('of two runs', () => {
  test('the first good answer wins, whichever it is; the other is called back and not heard', () => {
    const one = running();
    assert.deepEqual(said(twin(one), 'batch.run')[0]?.attempts, [2]);
    const early = answer(one, first, worker);
    assert.equal(replyOf(early).end.ending, 'completed');
    assert.deepEqual(told(early), [
      { to: otherWorker, message: { type: 'batch.recall', scheduler, batch: 2, jobs: [1] } },
    ]);
    assert.deepEqual(only(answer(one, second, otherWorker), 'reply'), []);

    const other = running();
    twin(other);
    const overtaken = answer(other, second, otherWorker);
    assert.equal(replyOf(overtaken).slice?.rows, 1);
    assert.deepEqual(told(overtaken), [
      { to: worker, message: { type: 'batch.recall', scheduler, batch: 1, jobs: [1] } },
    ]);
    assert.deepEqual(only(answer(other, first, worker), 'reply'), []);
    assert.deepEqual([one.router.violations, other.router.violations], [0, 0]);
  });

  test('one that is asked for and not placed is taken back when the first is done', () => {
    const stage = running();
    late(stage);
    assert.deepEqual(told(answer(stage, first, worker)), [
      { to: scheduler, message: { type: 'job.withdraw', job: 1, attempt: 2 } },
    ]);
  });

  test('one that is placed only after the first was lost is not taken', () => {
    const stage = running();
    late(stage);
    assert.deepEqual(
      told(stage.exit('killed')).map(({ message }) => message.type),
      ['job.withdraw', 'job.enqueue'],
    );
    // Attempt 3 is at a worker when word comes of the second's place.
    stage.assign([1], 'worker-3.gggggg');
    stage.link('worker-3.gggggg', 'worker');
    stage.assign([1], 'worker-3.gggggg');
    const batch = { batch: 9, worker: otherWorker, epoch: 7, solo: false, jobs: [1], attempts: [2] };
    const effects = stage.hear({ type: 'batch.assign', ...batch, costMs: 20, transportMs: 1 }, scheduler);
    assert.deepEqual(told(effects), [{ to: scheduler, message: { type: 'batch.declined', batch: 9 } }]);
  });

  test('the second is asked for where its model is owned by now', () => {
    const stage = running();
    stage.link('scheduler-2.ffffff', 'scheduler');
    stage.hear({ type: 'peer.judged', member: scheduler, verdict: 'down', reason: '' }, 'health-1');
    assert.deepEqual(
      told(late(stage)).map(({ to, message }) => [to, message.type]),
      [['scheduler-2.ffffff', 'job.enqueue']],
    );
  });

  test('the end of the job calls both back', () => {
    const stage = running();
    twin(stage);
    assert.deepEqual(
      told(stage.cancel(1)).map(({ to, message }) => [to, message.type]),
      [
        [worker, 'batch.recall'],
        [otherWorker, 'batch.recall'],
      ],
    );
  });

  test('a second one that is refused, handed back, lost or at the same worker is forgotten', () => {
    const refused = running();
    late(refused);
    const refusal = { job: 1, attempt: 2, code: 'OVERLOADED', reason: '', retryAfterMs: 0 } as const;
    assert.deepEqual(refused.hear({ type: 'job.refused', ...refusal }, scheduler), []);
    const same = running();
    assert.deepEqual(
      told(twin(same, worker)).map(({ message }) => message.type),
      ['batch.declined'],
    );
    const returned = running();
    twin(returned);
    answer(returned, second, otherWorker, 'MODEL_FAILED');
    const lost = running();
    twin(lost);
    lost.exit('killed', otherWorker);
    for (const stage of [refused, same, returned, lost]) {
      assert.equal(stage.state(1), 'running');
      assert.deepEqual(only(answer(stage, second, otherWorker), 'reply'), [], 'it is not heard any more');
      // Its attempt is not used again.
      assert.equal(said(stage.exit('killed'), 'job.enqueue')[0]?.attempt, 3);
    }
  });

  for (const cause of ['killed', 'crashed'] as const) {
    test(`when the first is ${cause}, the job goes on where the second runs`, () => {
      const stage = running();
      twin(stage);
      stage.hear({ type: 'batch.started', ...second }, otherWorker);
      assert.deepEqual(told(stage.exit(cause)), []);
      assert.equal(stage.state(1), 'running');
      assert.deepEqual(only(answer(stage, first, worker), 'reply'), []);
      assert.equal(replyOf(answer(stage, second, otherWorker)).end.ending, 'completed');
      assert.equal(stage.router.violations, 0);
    });
  }

  test('the second is called back when nobody may go on before word of the first comes', () => {
    for (const before of [late, twin]) {
      const stage = running({ budgetMs: 60_000 });
      const job = stage.router.job(1) as Job;
      before(stage);
      Object.assign(job, { company: 'solo', deaths: 1, proven: true });
      const said = told(stage.unlink(worker)).map(({ message }) => message.type);
      assert.deepEqual(said, [before === twin ? 'batch.recall' : 'job.withdraw']);
      assert.equal(stage.state(1), 'retrying');
      assert.deepEqual(only(answer(stage, second, otherWorker), 'reply'), []);
      stage.exit('killed');
      assert.deepEqual([stage.state(1), job.attempt, stage.router.violations], ['queued', 3, 0]);
    }
  });

  test('after a breakdown a second one that has not begun is called back, and goes under watch', () => {
    const stage = running();
    twin(stage);
    assert.deepEqual(told(stage.exit('crashed')), [
      { to: otherWorker, message: { type: 'batch.recall', scheduler, batch: 2, jobs: [1] } },
    ]);
    const [enqueue] = said(answer(stage, second, otherWorker, 'CANCELLED'), 'job.enqueue');
    assert.deepEqual([enqueue?.attempt, enqueue?.company], [3, 'solo']);
    const quiet = running();
    twin(quiet);
    assert.deepEqual(told(quiet.exit('killed')), [], 'nothing speaks against it');
  });

  test('a link that was cut under the first is no proof of anything when the second breaks down', () => {
    const stage = running();
    twin(stage);
    stage.hear({ type: 'batch.started', ...second }, otherWorker);
    stage.unlink(worker);
    assert.equal(replyOf(stage.exit('crashed', otherWorker)).end.code, 'WORKERS_LOST');
  });

  for (const [begun, code] of [
    [true, 'JOB_POISONED'],
    [false, 'WORKERS_LOST'],
  ] as const) {
    const runs = begun ? 'runs' : 'may not have begun';
    test(`two workers that broke down are enough, and ${code} where the second ${runs}`, () => {
      for (const order of [
        [worker, otherWorker],
        [otherWorker, worker],
      ] as const) {
        const stage = running();
        twin(stage);
        if (begun) stage.hear({ type: 'batch.started', ...second }, otherWorker);
        assert.deepEqual(only(stage.exit('crashed', order[0]), 'reply'), []);
        const effects = stage.exit('crashed', order[1]);
        assert.equal(replyOf(effects).end.code, code);
        assert.deepEqual(said(effects, 'job.enqueue'), [], 'no third is risked');
      }
    });
  }

  test('what hung where the second had not begun was another', () => {
    const stage = running();
    twin(stage);
    stage.exit('hung', otherWorker);
    const [enqueue] = said(stage.exit('crashed'), 'job.enqueue');
    assert.equal(enqueue?.company, 'solo');
  });

  test('a mate of the first run may have done what the job would be named for', () => {
    const stage = RouterStage.usual({ hedgeShare: 1 });
    Object.assign(stage, { costMs: 20, transportMs: 1 });
    stage.submit({ hedge: true });
    stage.submit();
    stage.assign([1, 2]);
    stage.now = 3;
    stage.start([1, 2]);
    twin(stage);
    stage.hear({ type: 'batch.started', ...second }, otherWorker);
    stage.exit('crashed', otherWorker);
    assert.equal(replyOf(stage.exit('crashed')).end.code, 'WORKERS_LOST');
  });
});
