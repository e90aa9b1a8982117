// What becomes of a job whose worker was lost under it: who is innocent, who is watched, who is guilty.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Job } from '../../actors/job/job.js';
import { judgeLoss, type LossCause, type Verdict } from '../../actors/router/loss.js';
import { causes } from '../../proto/messages.js';
import { only, otherWorker, RouterStage, replyOf, said, scheduler, specOf, worker } from './stage.js';

interface Before {
  readonly company: Job['company'];
  readonly deaths: number;
  readonly losses: number;
  readonly running: boolean;
}

const fresh: Before = { company: 'any', deaths: 0, losses: 0, running: true };
const watched: Before = { company: 'solo', deaths: 1, losses: 1, running: true };

function judge(before: Before, cause: LossCause, lossesMax = 5): Verdict {
  const job = new Job(1, specOf(), 0);
  job.move('admit', 0, '');
  job.move('assign', 0, '');
  if (before.running) job.move('start', 0, '');
  job.company = before.company;
  job.deaths = before.deaths;
  job.losses = before.losses;
  return judgeLoss(job, cause, { lossesMax, attemptsMax: 3 });
}

function row(verdict: Verdict): string {
  return `${verdict.fate} ${verdict.company} ${verdict.deaths}`;
}

describe('a verdict', () => {
  const everyCause: readonly LossCause[] = [
    ...causes,
    'silent',
    'returned',
    'unanswered',
    'split',
    'device',
    'garbled',
    'withheld',
  ];
  const first: Record<LossCause, string> = {
    crashed: 'requeue solo 1',
    exhausted: 'requeue solo 1',
    hung: 'requeue solo 1',
    unknown: 'requeue solo 1',
    silent: 'requeue solo 1',
    killed: 'requeue any 0',
    stopped: 'requeue any 0',
    returned: 'requeue any 0',
    unanswered: 'requeue any 0',
    split: 'requeue alone 0',
    device: 'requeue alone 0',
    garbled: 'requeue alone 0',
    withheld: 'requeue any 0',
  };
  const second: Record<LossCause, string> = {
    crashed: 'poisoned solo 2',
    exhausted: 'poisoned solo 2',
    hung: 'poisoned solo 2',
    unknown: 'undecided solo 2',
    silent: 'undecided solo 2',
    killed: 'requeue solo 1',
    stopped: 'requeue solo 1',
    returned: 'requeue solo 1',
    unanswered: 'requeue solo 1',
    split: 'requeue solo 1',
    device: 'exhausted solo 1',
    garbled: 'requeue solo 1',
    withheld: 'requeue solo 1',
  };
  for (const cause of everyCause) {
    test(`${cause}: at first, and under watch`, () => {
      assert.equal(row(judge(fresh, cause)), first[cause]);
      assert.equal(row(judge(watched, cause)), second[cause]);
    });

    test(`${cause}: under watch, before its start was noted, it is innocent`, () => {
      const verdict = judge({ ...watched, running: false }, cause);
      // A lost device is told by the run itself: that it had started is certain.
      assert.deepEqual([verdict.fate, verdict.deaths], [cause === 'device' ? 'exhausted' : 'requeue', 1]);
    });

    test(`${cause}: no job is tried without end`, () => {
      const verdict = judge({ ...fresh, company: 'alone', losses: 4 }, cause);
      const blameless = cause === 'returned' || cause === 'stopped';
      assert.equal(verdict.fate, blameless ? 'requeue' : 'exhausted');
    });
  }
});

describe('a worker is lost', () => {
  function running(company: 'first' | 'watched'): RouterStage {
    const stage = RouterStage.usual();
    stage.submit({ budgetMs: 60_000 });
    stage.assign([1]);
    stage.start([1]);
    if (company === 'first') return stage;
    stage.exit('crashed');
    stage.link('worker-3.gggggg', 'worker');
    stage.assign([1], otherWorker, true);
    stage.hear({ type: 'batch.prepared', scheduler, ...stage.word(1) }, otherWorker);
    assert.equal(stage.state(), 'running');
    return stage;
  }

  test('its jobs are placed again at once, away from it', () => {
    const stage = RouterStage.usual();
    for (let job = 0; job < 3; job++) stage.submit();
    stage.assign([1, 2]);
    stage.assign([3], otherWorker);
    const again = said(stage.exit('killed'), 'job.enqueue');
    assert.deepEqual(
      again.map(({ job, attempt, avoid }) => [job, attempt, avoid]),
      [
        [1, 2, worker],
        [2, 2, worker],
      ],
    );
    assert.equal(stage.state(3), 'assigned');
    assert.deepEqual(said(stage.exit('killed'), 'job.enqueue'), [], 'and once');
  });

  test('the end of its first life can not be answered by its last word', () => {
    const stage = running('first');
    const word = stage.word(1);
    stage.unlink(worker);
    assert.deepEqual(
      stage.finish([1], [''], worker, { ...word }).map(({ type }) => type),
      [],
    );
    assert.equal(stage.router.fenced, 1);
  });

  test('two workers that broke down under it name it poisoned', () => {
    const { end } = replyOf(running('watched').exit('crashed', otherWorker));
    assert.deepEqual([end.ending, end.code], ['failed', 'JOB_POISONED']);
    assert.match(end.message, /two workers ended while they ran this request/);
  });

  test('an outside hand under watch is no proof', () => {
    const effects = running('watched').exit('killed', otherWorker);
    assert.equal(said(effects, 'job.enqueue')[0]?.company, 'solo');
  });

  test('when the second only fell silent, word of its end decides', () => {
    const guilty = running('watched');
    assert.deepEqual(
      said(guilty.unlink(otherWorker), 'job.enqueue'),
      [],
      'no third worker is risked meanwhile',
    );
    assert.equal(guilty.state(), 'retrying');
    assert.equal(replyOf(guilty.exit('crashed', otherWorker)).end.code, 'JOB_POISONED');

    const innocent = running('watched');
    innocent.unlink(otherWorker);
    assert.equal(said(innocent.exit('killed', otherWorker), 'job.enqueue').length, 1);

    const unknown = running('watched');
    const [patience] = only(unknown.unlink(otherWorker), 'arm');
    unknown.now = patience?.at ?? 0;
    const { end } = replyOf(unknown.fire('retries'));
    assert.deepEqual([end.ending, end.code], ['failed', 'WORKERS_LOST']);
  });

  test('that the second is alive is no word: the job may hang there', () => {
    const stage = running('first');
    stage.unlink(worker);
    stage.link('worker-3.gggggg', 'worker');
    stage.assign([1], otherWorker, true);
    const word = stage.word(1);
    stage.hear({ type: 'batch.prepared', scheduler, ...word }, otherWorker);
    stage.hear({ type: 'batch.lost', ...word, worker: otherWorker, cause: 'silent' }, scheduler);
    const alive = { type: 'peer.judged', member: otherWorker, verdict: 'trusted', reason: '' } as const;
    assert.deepEqual(said(stage.hear(alive, 'health-1'), 'job.enqueue'), []);
    assert.equal(stage.state(), 'retrying');
    assert.equal(replyOf(stage.exit('hung', otherWorker)).end.code, 'JOB_POISONED');
  });

  test('a breakdown of the second after it was out of reach and came back is no proof: its answer may be lost', () => {
    const stage = running('watched');
    stage.unlink(otherWorker);
    assert.deepEqual(said(stage.link(otherWorker, 'worker'), 'job.enqueue'), [], 'it may still run there');
    assert.equal(stage.state(), 'retrying');
    const { end } = replyOf(stage.exit('crashed', otherWorker));
    assert.deepEqual([end.ending, end.code], ['failed', 'WORKERS_LOST']);

    const killed = running('watched');
    killed.unlink(otherWorker);
    killed.link(otherWorker, 'worker');
    assert.equal(said(killed.exit('killed', otherWorker), 'job.enqueue').length, 1);
  });

  test('that a worker was back once says nothing of the next that is doubted', () => {
    const third = 'worker-3.gggggg';
    const stage = running('first');
    stage.link(third, 'worker');
    stage.unlink(worker);
    stage.link(worker, 'worker');
    stage.exit('crashed');
    assert.equal(stage.router.job(1)?.proven, false, 'another run may have ended the first');
    stage.assign([1], third, true);
    stage.hear({ type: 'batch.prepared', scheduler, ...stage.word(1) }, third);
    stage.unlink(third);
    assert.equal(replyOf(stage.exit('crashed', third)).end.code, 'JOB_POISONED');
  });

  test('an answer that came too late to count is no answer, but ends the doubt', () => {
    const stage = running('watched');
    const word = stage.word(1);
    stage.hear({ type: 'batch.lost', ...word, worker: otherWorker, cause: 'silent' }, scheduler);
    assert.equal(stage.state(), 'retrying');
    const effects = stage.finish([1], [''], otherWorker, word);
    assert.deepEqual(only(effects, 'reply'), []);
    assert.equal(said(effects, 'job.enqueue')[0]?.company, 'solo');
    assert.deepEqual(only(stage.exit('crashed', otherWorker), 'reply'), [], 'that was another');
  });

  describe('a failure that was told too late to count ends the doubt as well', () => {
    const late = (code: 'DEVICE_LOST' | 'RESULT_INVALID' | 'MODEL_FAILED' | 'returned') => {
      const stage = running('watched');
      const word = stage.word(1);
      stage.hear({ type: 'batch.lost', ...word, worker: otherWorker, cause: 'silent' }, scheduler);
      const effects = stage.finish([1], [code], otherWorker, word);
      return { stage, effects };
    };
    for (const code of ['RESULT_INVALID', 'MODEL_FAILED', 'returned'] as const) {
      test(`${code}: it is tried again`, () => {
        const { stage, effects } = late(code);
        assert.equal(said(effects, 'job.enqueue')[0]?.company, 'solo');
        assert.deepEqual([stage.router.job(1)?.deaths, stage.router.job(1)?.losses], [1, 2]);
        assert.equal(stage.router.job(1)?.failures, code === 'RESULT_INVALID' ? 1 : 0);
        assert.deepEqual(only(stage.exit('hung', otherWorker), 'reply'), [], 'another run hung there');
      });
    }

    test('DEVICE_LOST: no third worker is risked, and it is not called poison', () => {
      const { effects } = late('DEVICE_LOST');
      assert.deepEqual(said(effects, 'job.enqueue'), []);
      const { end } = replyOf(effects);
      assert.deepEqual([end.ending, end.code], ['failed', 'DEVICE_LOST']);
    });
  });

  test('a harmless loss in between leaves a doubt open for the word that settles it', () => {
    const third = 'worker-3.gggggg';
    const doubted = (): RouterStage => {
      const stage = running('first');
      stage.link(third, 'worker');
      stage.unlink(worker);
      stage.assign([1], otherWorker, true);
      stage.exit('killed', otherWorker);
      assert.deepEqual([stage.router.job(1)?.doubted, stage.router.job(1)?.deaths], [worker, 1]);
      return stage;
    };
    const innocent = doubted();
    innocent.exit('killed');
    assert.equal(innocent.router.job(1)?.deaths, 0, 'nothing is held against it any more');

    const guilty = doubted();
    guilty.exit('crashed');
    assert.equal(guilty.router.job(1)?.proven, true);
  });

  test('mates of a poisoned job succeed', () => {
    const stage = RouterStage.usual();
    stage.submit();
    stage.submit();
    stage.assign([1, 2]);
    stage.start([1, 2]);
    const again = said(stage.exit('crashed'), 'job.enqueue');
    assert.deepEqual(
      again.map(({ company }) => company),
      ['solo', 'solo'],
    );
    stage.link('worker-3.gggggg', 'worker');
    stage.assign([1], otherWorker, true);
    stage.hear({ type: 'batch.prepared', scheduler, ...stage.word(1) }, otherWorker);
    assert.equal(replyOf(stage.exit('crashed', otherWorker)).end.code, 'JOB_POISONED');
    stage.assign([2], 'worker-3.gggggg', true);
    assert.equal(replyOf(stage.finish([2], [''], 'worker-3.gggggg')).end.ending, 'completed');
  });
});
