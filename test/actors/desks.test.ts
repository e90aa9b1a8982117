// The small desks, each by itself: cost table, choice of a worker, restart budget, owner of a model, coverage.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CostTable } from '../../actors/lane/cost.js';
import { Coverage } from '../../actors/router/coverage.js';
import { ownerOf } from '../../actors/router/owner.js';
import { type Candidate, choices, chooseWorker } from '../../actors/scheduler/choice.js';
import { RestartBudget } from '../../actors/supervisor/restart.js';
import { batchingDefaults } from '../../proto/batching.js';
import { digits } from './stage.js';

describe('the cost table', () => {
  test('knows nothing at first and believes little', () => {
    const cost = new CostTable();
    assert.deepEqual([cost.estimate(1), cost.estimate(32), cost.leastMs()], [0, 0, 0]);
    cost.learn(1, 5);
    assert.equal(cost.estimate(1), 5);
    assert.equal(cost.leastMs(), 0, 'one run proves nothing about how fast it can be');
  });

  test('follows what it sees, per power of two of rows', () => {
    const cost = new CostTable();
    for (let run = 0; run < 40; run++) {
      cost.learn(1, 2);
      cost.learn(7, 6);
      cost.learn(8, 6);
    }
    assert.ok(Math.abs(cost.estimate(1) - 2) < 0.01);
    assert.equal(cost.estimate(5), cost.estimate(8));
    for (let run = 0; run < 40; run++) cost.learn(8, 12);
    assert.ok(Math.abs(cost.estimate(8) - 12) < 0.01, 'it changes its mind');
  });

  test('more rows never cost less, also where nothing was seen', () => {
    const cost = new CostTable();
    cost.learn(1, 4);
    cost.learn(16, 3);
    let before = 0;
    for (const rows of [1, 2, 3, 4, 8, 16, 17, 64, 1000]) {
      const estimate = cost.estimate(rows);
      assert.ok(estimate >= before, `${rows} rows`);
      before = estimate;
    }
    assert.equal(before, 4);
  });

  test('its least is the fastest run, and belief in it wears off', () => {
    const cost = new CostTable();
    for (const ms of [5, 4, 9, 3, 7, 8, 6, 5]) cost.learn(1, ms);
    assert.equal(cost.leastMs(), 3);
    for (let doubt = 0; doubt < 100; doubt++) cost.doubt();
    assert.ok(cost.leastMs() < 1);
    cost.learn(1, 2);
    assert.ok(cost.leastMs() < 1);
  });
});

describe('the choice of a worker', () => {
  const candidate = (changes: Partial<Candidate>): Candidate => ({
    rowsHeld: 0,
    freeAt: 0,
    costMs: 0,
    lastChosen: 0,
    ...changes,
  });

  test('of nobody is nobody', () => {
    for (const choice of choices) assert.equal(chooseWorker([], choice), undefined);
  });

  test('round robin: who waited longest', () => {
    const [a, b] = [candidate({ lastChosen: 5 }), candidate({ lastChosen: 4, rowsHeld: 99, freeAt: 99 })];
    assert.equal(chooseWorker([a, b], 'round-robin'), b);
  });

  test('least loaded: who holds the fewest rows', () => {
    const [a, b] = [candidate({ rowsHeld: 3 }), candidate({ rowsHeld: 2, freeAt: 99, lastChosen: 9 })];
    assert.equal(chooseWorker([a, b], 'least-loaded'), b);
  });

  test('earliest finish: a fast one that is busy may be done before a slow one that is free', () => {
    const busy = candidate({ freeAt: 10, costMs: 5, rowsHeld: 8 });
    const slow = candidate({ freeAt: 0, costMs: 20 });
    assert.equal(chooseWorker([slow, busy], 'earliest-finish'), busy);
  });

  for (const choice of choices) {
    test(`${choice}: equals share equally`, () => {
      const equals = [1, 2, 3].map(() => ({ ...candidate({}), chosen: 0, lastChosen: 0 }));
      for (let turn = 1; turn <= 30; turn++) {
        const best = chooseWorker(equals, choice);
        assert.ok(best);
        best.chosen++;
        best.lastChosen = turn;
      }
      assert.deepEqual(
        equals.map(({ chosen }) => chosen),
        [10, 10, 10],
      );
    });
  }
});

describe('the restart budget', () => {
  const settings = {
    restartsMax: 3,
    windowMs: 10_000,
    backoffFirstMs: 100,
    backoffMostMs: 5000,
    usefulAfterMs: 1000,
  };

  test('a worker that was useful comes back at once, until that happens too often', () => {
    const budget = new RestartBudget(settings);
    assert.deepEqual(
      [1, 2, 3].map((second) => budget.next(5000, second * 1000)),
      [0, 0, 0],
    );
    assert.ok(budget.next(5000, 4000) >= 100);
    assert.equal(budget.next(60_000, 64_000), 0, 'when the window has passed all is forgiven');
  });

  test('one that dies before it is of use waits longer each time, up to a bound', () => {
    const budget = new RestartBudget(settings);
    const waits = Array.from({ length: 12 }, (_, death) => budget.next(10, death * 20_000));
    assert.deepEqual(waits.slice(0, 4), [100, 200, 400, 800]);
    assert.equal(waits.at(-1), 5000);
  });

  test('having been useful once starts the counting anew', () => {
    const budget = new RestartBudget(settings);
    for (let death = 0; death < 5; death++) budget.next(10, death * 20_000);
    assert.equal(budget.next(5000, 200_000), 0);
    assert.equal(budget.next(10, 220_000), 100);
  });
});

describe('the owner of a model', () => {
  const schedulers = ['scheduler-1.a', 'scheduler-2.b', 'scheduler-3.c', 'scheduler-4.d'];
  const models = Array.from({ length: 1000 }, (_, index) => `model-${index}:1`);

  test('of no scheduler is nobody, of one it is that one', () => {
    assert.equal(ownerOf('digits:1', []), undefined);
    assert.equal(ownerOf('digits:1', ['scheduler-1.a']), 'scheduler-1.a');
  });

  test('does not hang on the order in which schedulers are seen', () => {
    for (const model of models.slice(0, 100)) {
      assert.equal(ownerOf(model, schedulers), ownerOf(model, schedulers.toReversed()));
    }
  });

  test('is spread evenly', () => {
    for (const scheduler of schedulers) {
      const owned = models.filter((model) => ownerOf(model, schedulers) === scheduler).length;
      assert.ok(owned > 200 && owned < 300, `${scheduler} owns ${owned} of 1000`);
    }
  });

  test('changes only where it must', () => {
    const fewer = schedulers.slice(1);
    const more = [...schedulers, 'scheduler-5.e'];
    for (const model of models) {
      const owner = ownerOf(model, schedulers);
      if (owner !== schedulers[0])
        assert.equal(ownerOf(model, fewer), owner, 'a death moves only its own models');
      const next = ownerOf(model, more);
      assert.ok(next === owner || next === 'scheduler-5.e', 'a newcomer takes, nobody else gets');
    }
  });
});

describe('coverage', () => {
  const report = (ready: number, failed = 0, reason = '', loading = 0) =>
    ({
      type: 'model.reported',
      ...digits,
      ready,
      loading,
      failed,
      reason,
      policy: 'eager',
      why: '',
    }) as const;
  const listed = { ...digits, broken: '', runMaxMs: 1, batching: batchingDefaults };

  test('says what is missing', () => {
    const coverage = new Coverage();
    coverage.list([listed]);
    assert.equal(coverage.gap([]), 'no scheduler is connected');
    assert.equal(coverage.gap(['s']), 'no worker has digits:1 ready');
    coverage.report('s', report(1));
    assert.equal(coverage.gap(['s']), undefined);
    coverage.report('s', report(0));
    assert.match(coverage.gap(['s']) ?? '', /digits:1/);
    coverage.report('s', report(0, 2, 'not an ONNX file'));
    assert.equal(coverage.gap(['s']), 'no model could be loaded by any worker');
    coverage.report('s', report(0, 2, 'not an ONNX file', 1));
    assert.equal(coverage.gap(['s']), 'no worker has digits:1 ready', 'one may load it yet');
  });

  test('a model that can not be served at all keeps nobody from being ready', () => {
    const coverage = new Coverage();
    coverage.list([
      listed,
      {
        model: 'torn',
        version: '1',
        broken: 'config.yaml: unknown key',
        runMaxMs: 1,
        batching: batchingDefaults,
      },
    ]);
    coverage.report('s', report(1));
    assert.equal(coverage.gap(['s']), undefined);
    assert.deepEqual(coverage.condition('torn:1', ['s']), {
      ready: 0,
      loading: 0,
      failed: 1,
      reason: 'config.yaml: unknown key',
      policy: 'auto',
      why: '',
    });
  });

  test('an empty repository is covered', () => {
    const coverage = new Coverage();
    coverage.list([]);
    assert.equal(coverage.gap(['s']), undefined);
  });

  test("only the owner's word counts, and a lost scheduler's is forgotten", () => {
    const coverage = new Coverage();
    coverage.list([listed]);
    const schedulers = ['s', 't'];
    const owner = ownerOf('digits:1', schedulers) as string;
    const other = schedulers.find((scheduler) => scheduler !== owner) as string;
    coverage.report(other, report(5));
    assert.equal(coverage.condition('digits:1', schedulers).ready, 0);
    coverage.report(owner, report(2));
    assert.equal(coverage.condition('digits:1', schedulers).ready, 2);
    assert.equal(coverage.condition('digits:1', [other]).ready, 5);
    coverage.forget(owner);
    assert.equal(coverage.condition('digits:1', schedulers).ready, 0);
  });
});
