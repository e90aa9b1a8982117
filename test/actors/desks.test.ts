// The small desks, each by itself: choice of a worker, restart budget, coverage.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Coverage } from '../../actors/router/coverage.js';
import { Gaps } from '../../actors/router/gaps.js';
import { Grace } from '../../actors/router/grace.js';
import { type Candidate, chooseWorker } from '../../actors/scheduler/choice.js';
import { RestartBudget } from '../../actors/supervisor/restart.js';
import { batchingDefaults, workerChoices as choices } from '../../proto/batching.js';
import { digits } from './stage.js';

describe('the choice of a worker', () => {
  const candidate = (changes: Partial<Candidate>): Candidate => ({
    open: true,
    inTime: true,
    preferred: false,
    rowsHeld: 0,
    freeAt: 0,
    costMs: 0,
    detourMs: 0,
    warm: false,
    tired: false,
    untried: false,
    lastChosen: 0,
    ...changes,
  });

  test('of nobody is nobody', () => {
    for (const choice of choices) assert.equal(chooseWorker([], choice, 1, 1), undefined);
  });

  test('round robin: who waited longest', () => {
    const [a, b] = [candidate({ lastChosen: 5 }), candidate({ lastChosen: 4, rowsHeld: 99, freeAt: 99 })];
    assert.equal(chooseWorker([a, b], 'round-robin', 1, 1), b);
  });

  test('least loaded: who holds the fewest rows', () => {
    const [a, b] = [candidate({ rowsHeld: 3 }), candidate({ rowsHeld: 2, freeAt: 99, lastChosen: 9 })];
    assert.equal(chooseWorker([a, b], 'least-loaded', 1, 1), b);
  });

  test('earliest finish: a fast one that is busy may be done before a slow one that is free', () => {
    const busy = candidate({ freeAt: 10, costMs: 5, rowsHeld: 8 });
    const slow = candidate({ freeAt: 0, costMs: 20 });
    assert.equal(chooseWorker([slow, busy], 'earliest-finish', 1, 1), busy);
  });

  test('earliest finish: a slow one gets only what the fast ones would not have done before it', () => {
    const busy = candidate({ open: false, freeAt: 2, costMs: 2 });
    const slow = candidate({ costMs: 20 });
    const choose = (waiting: number, atOnce = 1) =>
      chooseWorker([slow, busy], 'earliest-finish', waiting, atOnce);
    assert.deepEqual([choose(1), choose(9)], [undefined, undefined], 'nine runs of the other fit in its one');
    assert.equal(choose(10), slow);
    assert.equal(choose(10, 4), undefined, 'the other takes four rows at once');
    assert.equal(chooseWorker([slow, busy], 'least-loaded', 1, 1), slow, 'who asks for that gets it');
  });

  test('earliest finish: one behind a long way gets only what the near ones would not have done before it', () => {
    const far = candidate({ costMs: 2, detourMs: 18 });
    const near = candidate({ costMs: 2, lastChosen: 9 });
    assert.equal(chooseWorker([far, near], 'earliest-finish', 1, 1), near);
    const busy = { ...near, open: false, freeAt: 2 };
    assert.equal(chooseWorker([far, busy], 'earliest-finish', 9, 1), undefined);
    assert.equal(chooseWorker([far, busy], 'earliest-finish', 10, 1), far);
    const alsoFar = { ...busy, detourMs: 8 };
    assert.equal(chooseWorker([far, alsoFar], 'earliest-finish', 5, 1), undefined);
    assert.equal(chooseWorker([far, alsoFar], 'earliest-finish', 6, 1), far, 'the other has its way too');
    const tired = { ...near, tired: true };
    assert.equal(chooseWorker([far, tired], 'earliest-finish', 1, 1), tired, 'it relieves nobody');
  });

  test('estimates that hardly differ decide nothing: who is warm goes on, and nobody for ever', () => {
    const [warm, waited] = [
      candidate({ costMs: 10.5, warm: true, lastChosen: 9 }),
      candidate({ costMs: 10 }),
    ];
    assert.equal(chooseWorker([waited, warm], 'earliest-finish', 1, 1), warm);
    assert.equal(chooseWorker([waited, { ...warm, warm: false }], 'earliest-finish', 1, 1), waited);
    assert.equal(chooseWorker([waited, { ...warm, costMs: 12 }], 'earliest-finish', 1, 1), waited);
    assert.equal(chooseWorker([waited, warm], 'round-robin', 1, 1), waited);
  });

  test('who had many in a row is relieved by one that is not far slower', () => {
    const tired = candidate({ costMs: 10, tired: true, lastChosen: 9 });
    const [slower, slow] = [candidate({ costMs: 18, lastChosen: 1 }), candidate({ costMs: 25 })];
    assert.equal(chooseWorker([tired, slower, slow], 'earliest-finish', 1, 1), slower);
    assert.equal(chooseWorker([tired, slow], 'earliest-finish', 1, 1), tired);
    const untried = { ...slow, untried: true };
    assert.equal(
      chooseWorker([tired, untried], 'earliest-finish', 1, 1),
      untried,
      'it was only measured so far',
    );
    assert.equal(chooseWorker([tired, { ...slower, inTime: false }], 'earliest-finish', 1, 1), tired);
    assert.equal(chooseWorker([{ ...tired, tired: false }, slower], 'earliest-finish', 1, 1)?.costMs, 10);
  });

  test('fastest: the lowest cost of those that are open', () => {
    const [a, b] = [candidate({ costMs: 3, freeAt: 9 }), candidate({ costMs: 4 })];
    assert.equal(chooseWorker([b, a], 'fastest', 1, 1), a);
    assert.equal(chooseWorker([b, { ...a, open: false }], 'fastest', 1, 1), b);
  });

  test('who has the tags that are preferred goes first where it is open', () => {
    const here = candidate({ preferred: true, costMs: 5, rowsHeld: 9, lastChosen: 9 });
    const there = candidate({});
    for (const choice of ['least-loaded', 'round-robin', 'fastest'] as const) {
      assert.equal(chooseWorker([there, here], choice, 1, 1), here);
      assert.equal(chooseWorker([there, { ...here, open: false }], choice, 1, 1), there);
      assert.equal(chooseWorker([there, { ...here, freeAt: 5 }], choice, 1, 1), there, 'not as soon');
      assert.equal(chooseWorker([there, { ...here, inTime: false }], choice, 1, 1), there, 'not in time');
    }
  });

  for (const choice of choices) {
    test(`${choice}: equals share equally`, () => {
      const equals = [1, 2, 3].map(() => ({ ...candidate({}), chosen: 0, lastChosen: 0 }));
      for (let turn = 1; turn <= 30; turn++) {
        const best = chooseWorker(equals, choice, 1, 1);
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

describe('coverage', () => {
  const report = (ready: number, failed = 0, reason = '', loading = 0) =>
    ({
      type: 'model.reported',
      ...digits,
      ready,
      loading,
      failed,
      resting: 0,
      reason,
      policy: 'eager',
      runsOn: [],
      why: '',
    }) as const;
  const listed = { ...digits, broken: '', runMaxMs: 1, batching: batchingDefaults };
  const gap = (coverage: Coverage): string | undefined => {
    const gaps = new Gaps(coverage, new Grace({ coverGraceMs: 0 }, () => false), () => 's');
    gaps.reviewAll();
    return gaps.sentence();
  };

  test('says what is missing', () => {
    const coverage = new Coverage();
    coverage.list([listed]);
    assert.equal(gap(coverage), 'no worker has digits:1 ready');
    coverage.report('s', report(1));
    assert.equal(gap(coverage), undefined);
    coverage.report('s', report(0));
    assert.match(gap(coverage) ?? '', /digits:1/);
    coverage.report('s', report(0, 2, 'not an ONNX file'));
    assert.equal(gap(coverage), 'no model could be loaded by any worker');
    coverage.report('s', report(0, 2, 'not an ONNX file', 1));
    assert.equal(gap(coverage), 'no worker has digits:1 ready', 'one may load it yet');
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
    assert.equal(gap(coverage), undefined);
    assert.deepEqual(coverage.condition('torn:1', 's'), {
      ready: 0,
      loading: 0,
      failed: 1,
      resting: 0,
      reason: 'config.yaml: unknown key',
      policy: 'auto',
      runsOn: [],
      why: '',
    });
  });

  test('an empty repository is covered', () => {
    const coverage = new Coverage();
    coverage.list([]);
    assert.equal(gap(coverage), undefined);
  });

  test("only the owner's word counts, and a lost scheduler's is forgotten", () => {
    const coverage = new Coverage();
    coverage.list([listed]);
    coverage.report('t', report(5));
    assert.equal(coverage.condition('digits:1', 's').ready, 0);
    coverage.report('s', report(2));
    assert.equal(coverage.condition('digits:1', 's').ready, 2);
    assert.equal(coverage.condition('digits:1', 't').ready, 5);
    coverage.forget('s');
    assert.equal(coverage.condition('digits:1', 's').ready, 0);
  });
});
