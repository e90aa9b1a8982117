// Every way in which a job can end, each reached through the router: the list is closed, and nothing on it is idle. An end
// that is not on it is a violation, but its client is answered.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Effect } from '../../actors/effects.js';
import { endReasons } from '../../proto/ends.js';
import { notes, only, otherWorker, RouterStage, replyOf, scheduler, worker } from './stage.js';

function placed(stage: RouterStage, to = worker): void {
  stage.assign([stage.last], to);
}

/** The last event of a job's life that ends so. */
const ways: Record<string, (stage: RouterStage) => Effect[]> = {
  completed: (stage) => {
    stage.submit();
    placed(stage);
    return stage.finish([stage.last], ['']);
  },
  'failed MODEL_FAILED': (stage) => fail(stage, 'MODEL_FAILED'),
  'failed INTERNAL': (stage) => fail(stage, 'INTERNAL'),
  'failed RESULT_INVALID': (stage) => {
    fail(stage, 'RESULT_INVALID');
    placed(stage, otherWorker);
    return stage.finish([stage.last], ['RESULT_INVALID'], otherWorker);
  },
  'failed DEVICE_LOST': (stage) => {
    fail(stage, 'DEVICE_LOST');
    placed(stage, otherWorker);
    return stage.finish([stage.last], ['DEVICE_LOST'], otherWorker);
  },
  'failed JOB_POISONED': (stage) => {
    stage.submit();
    placed(stage);
    stage.start([stage.last]);
    stage.exit('crashed');
    stage.assign([stage.last], otherWorker, true);
    stage.hear({ type: 'batch.prepared', scheduler, ...stage.word(stage.last) }, otherWorker);
    return stage.exit('crashed', otherWorker);
  },
  'failed WORKERS_LOST': (stage) => {
    stage.submit();
    let effects: Effect[] = [];
    for (let loss = 0; loss < 5; loss++) {
      stage.link(worker, 'worker');
      placed(stage);
      effects = stage.exit('killed');
    }
    return effects;
  },
  'failed RETRIES_SPENT': (stage) => {
    stage.costMs = 2000;
    return fail(stage, 'DEVICE_LOST');
  },
  'failed RUN_LOST': (stage) => {
    stage.submit({ idempotent: false });
    placed(stage);
    return stage.exit('killed');
  },
  'failed MODEL_UNAVAILABLE': (stage) => {
    stage.submit();
    placed(stage);
    stage.exit('killed');
    return stage.refuse('MODEL_UNAVAILABLE');
  },
  'expired DEADLINE_EXCEEDED': (stage) => {
    stage.submit();
    stage.now += 1000;
    return stage.fire('deadlines');
  },
  'expired DEADLINE_PAST': (stage) => stage.submit({ budgetMs: 0 }),
  'cancelled CANCELLED': (stage) => {
    stage.submit();
    return stage.cancel();
  },
  'cancelled NODE_STOPPED': (stage) => {
    stage.submit();
    stage.hear({ type: 'drain.requested' });
    return stage.hear({ type: 'drain.spent' });
  },
  'rejected DRAINING': (stage) => {
    stage.submit();
    stage.hear({ type: 'drain.requested' });
    return stage.submit();
  },
  'rejected QUEUE_FULL': (stage) => stage.submit({ bytes: 2e6 }),
  'rejected OVERLOADED': (stage) => {
    stage.submit();
    return stage.refuse('OVERLOADED');
  },
  'rejected MODEL_UNAVAILABLE': (stage) => {
    stage.report(0, 2, 'the file is torn');
    return stage.submit();
  },
  'displaced DISPLACED': (stage) => {
    stage.submit();
    return stage.refuse('DISPLACED');
  },
};

function fail(stage: RouterStage, code: 'MODEL_FAILED' | 'INTERNAL' | 'RESULT_INVALID' | 'DEVICE_LOST') {
  stage.submit();
  placed(stage);
  return stage.finish([stage.last], [code]);
}

const listed = Object.entries(endReasons).flatMap(([ending, codes]) =>
  codes.length === 0 ? [ending] : codes.map((code) => `${ending} ${code}`),
);

describe('the closed list of ends', () => {
  test('has a way for each', () => {
    assert.deepEqual(Object.keys(ways).sort(), listed.toSorted());
  });

  for (const [name, way] of Object.entries(ways)) {
    test(`${name}: is reached, counted, and no violation`, () => {
      const stage = RouterStage.usual();
      const { end, job } = replyOf(way(stage));
      assert.equal(end.code === undefined ? end.ending : `${end.ending} ${end.code}`, name);
      assert.equal(stage.router.job(job), undefined);
      assert.equal(end.code === undefined ? stage.router.completed : stage.router.ended(end.code), 1);
      assert.equal(stage.router.violations, 0);
      assert.equal(stage.router.ready || /DRAINING|NODE_STOPPED|UNAVAILABLE/.test(name), true);
    });
  }

  for (const [who, way, said] of [
    [
      'a worker',
      (stage: RouterStage) => {
        stage.submit();
        placed(stage);
        return stage.finish([stage.last], ['MODEL_UNKNOWN']);
      },
      'failed MODEL_UNKNOWN',
    ],
    [
      'a scheduler',
      (stage: RouterStage) => {
        stage.submit();
        return stage.refuse('INTERNAL');
      },
      'rejected INTERNAL',
    ],
  ] as const) {
    test(`what is not on it, said by ${who}, is a violation; its client hears it all the same`, () => {
      const stage = RouterStage.usual();
      assert.equal(stage.router.ready, true);
      const effects = way(stage);
      const { end } = replyOf(effects);
      assert.equal(`${end.ending} ${end.code}`, said);
      assert.ok(
        notes(effects).some(({ level, event }) => level === 'error' && event === 'job.endedUnlisted'),
      );
      assert.equal(stage.router.violations, 1);
      assert.match(stage.router.unreadyReason(), /an invariant was violated/);
    });
  }
});

describe('the numbers that decided', () => {
  test('are in the path of a job that was placed', () => {
    const stage = RouterStage.usual();
    stage.costMs = 12.44;
    stage.submit({ rows: 3 });
    stage.submit({ rows: 5 });
    stage.assign([1, 2]);
    const paths = only(stage.finish([1, 2], ['', '']), 'reply').map(({ record }) => record.path()[1]?.why);
    const why = `${worker}, batch of 8 rows, expected 12.4 ms`;
    assert.deepEqual(paths, [why, why]);
  });

  for (const code of ['OVERLOADED', 'DISPLACED'] as const) {
    test(`are in the path and the answer of a job that ends ${code}`, () => {
      const stage = RouterStage.usual();
      stage.submit({ budgetMs: 50 });
      const reason = 'expected in 81 ms, the deadline is in 50 ms, 40 rows wait before it';
      const { end, record } = replyOf(stage.refuse(code, 1, reason, 31));
      assert.deepEqual([end.code, end.message, end.retryAfterMs], [code, reason, 31]);
      assert.equal(record.path().at(-1)?.why, `${code}: ${reason}`);
    });
  }
});
