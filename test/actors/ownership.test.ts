// Whom a router asks for a model: the owner by the highest list, where that one is trusted and can reach workers; and how
// jobs go over to another owner, with no job lost and none run twice.
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import type { Effect } from '../../actors/effects.js';
import { batchingDefaults } from '../../proto/batching.js';
import { type Epoch, noEpoch, type Owned, type Ownership } from '../../proto/ownership.js';
import { firstOf } from '../../proto/rendezvous.js';
import { SchedulerStage } from './scheduler-stage.js';
import { digits, notes, only, RouterStage, router, said, scheduler, told, worker } from './stage.js';

const other = 'scheduler-2.ffffff';
const third = 'scheduler-3.gggggg';
const shard = 'digits:1';
/** Whom rendezvous hashing names, and the one whom it does not. */
const first = firstOf(shard, [scheduler, other]) as string;
const second = first === scheduler ? other : scheduler;
const counts = {
  loading: 0,
  failed: 0,
  resting: 0,
  reason: '',
  policy: 'eager',
  why: '',
  runsOn: [],
} as const;

function listOf(owner: string, count: number, by = 'a'): Ownership {
  const epoch: Epoch = [count, by];
  return { epoch, owners: [[shard, owner, epoch] satisfies Owned] };
}

let stage: RouterStage;

function report(
  from: string,
  ready: number,
  more: Partial<Record<'loading' | 'failed', number>> = {},
): Effect[] {
  const report = { model: 'digits', version: '1', ...counts, ready, ...more };
  return stage.hear({ type: 'model.reported', ...report }, from);
}

/** And once all that came with it has been heard. */
function settled(...reports: readonly (readonly Effect[])[]): Effect[] {
  return [...reports.flat(), ...stage.hear({ type: 'tick.settled' })];
}

function toldOwner(owner: string, count: number, by = 'a'): Effect[] {
  return stage.hear({ type: 'owners.told', ...listOf(owner, count, by) });
}

function listed(from: string, owner: string, count: number, by = 'a'): Effect[] {
  return stage.hear({ type: 'owners.listed', ...listOf(owner, count, by) }, from);
}

function owner(): string {
  return stage.router.ownerOf('digits', '1');
}

/** To whom each job of these effects goes. */
function asked(effects: readonly Effect[]): string[] {
  return told(effects).flatMap(({ to, message }) => (message.type === 'job.enqueue' ? [to] : []));
}

beforeEach(() => {
  stage = RouterStage.usual();
  stage.link(other, 'scheduler');
  settled(report(other, 2));
});

describe('the owner that a router asks', () => {
  const cases: readonly [what: string, wanted: () => string, set: () => void][] = [
    ['without a list: by rendezvous hashing', () => first, () => {}],
    ['the one that the list names', () => second, () => toldOwner(second, 1)],
    [
      'of two lists that of the higher epoch',
      () => second,
      () => [toldOwner(second, 2), toldOwner(first, 1)],
    ],
    [
      'of two of one count that of the higher writer',
      () => second,
      () => [toldOwner(second, 2, 'b'), toldOwner(first, 2, 'a')],
    ],
    ['one listed by a scheduler as well', () => second, () => listed(first, second, 3)],
    ['not one that is not there', () => first, () => toldOwner('scheduler-9.gone', 1)],
    [
      'not one that is down',
      () => first,
      () => [
        toldOwner(second, 1),
        stage.hear({ type: 'peer.judged', member: second, verdict: 'down', reason: '' }, 'health-1'),
      ],
    ],
    [
      'not one that can reach no worker with the model',
      () => first,
      () => [toldOwner(second, 1), report(second, 0)],
    ],
    [
      'it again when it can',
      () => second,
      () => [toldOwner(second, 1), report(second, 0), report(second, 1)],
    ],
    [
      'it even so where nobody can',
      () => second,
      () => [toldOwner(second, 1), report(first, 0), report(second, 0)],
    ],
    [
      'one that has told of the model rather than one that has not',
      () => first,
      () => [toldOwner(second, 1), report(second, 0), report(first, 0, { loading: 1 })],
    ],
    [
      'one whose workers are about to have it rather than one whose workers could not load it',
      () => first,
      () => [toldOwner(second, 1), report(second, 0, { failed: 1 }), report(first, 0, { loading: 1 })],
    ],
    ['of another edition the same', () => second, () => toldOwner(second, 1)],
  ];
  for (const [what, wanted, set] of cases) {
    test(what, () => {
      set();
      assert.equal(owner(), wanted());
      assert.deepEqual(asked(stage.submit()), [wanted()]);
    });
  }

  test('is one for all editions of a version', () => {
    toldOwner(second, 1);
    for (const version of ['1', '1+3fa9c2', '1+@int8']) {
      for (const from of [first, second])
        stage.hear({ type: 'model.reported', model: 'digits', version, ...counts, ready: 1 }, from);
      assert.equal(stage.router.ownerOf('digits', version), second);
    }
  });

  test('who is asked is told by version, whatever edition is listed of it', () => {
    const edition = {
      model: 'digits',
      version: '1+3fa9c2',
      broken: '',
      runMaxMs: 1000,
      batching: batchingDefaults,
    };
    stage.hear({ type: 'models.listed', models: [edition] });
    stage.hear({ type: 'model.reported', ...digits, version: '1+3fa9c2', ...counts, ready: 1 }, first);
    toldOwner(second, 1);
    assert.deepEqual([...stage.router.asked()], [[shard, first]], 'the owner can reach no worker with it');
  });

  test('a newcomer gets no jobs, and keeps nobody from being ready, before it can reach workers', () => {
    toldOwner(third, 2);
    assert.ok(stage.router.ready);
    stage.link(third, 'scheduler');
    assert.ok(stage.router.ready);
    assert.notEqual(asked(stage.submit())[0], third);
    assert.deepEqual(asked(settled(report(third, 1))), [third], 'what waits goes over as soon as it can');
  });
});

describe('a job that waits goes over to another owner', () => {
  beforeEach(() => void toldOwner(first, 1));

  test('and its old owner is told, under a new attempt', () => {
    stage.submit();
    const effects = toldOwner(second, 2);
    assert.deepEqual(
      told(effects).map(({ to, message }) => [to, message.type, (message as { attempt: number }).attempt]),
      [
        [first, 'job.withdraw', 1],
        [second, 'job.enqueue', 2],
      ],
    );
    const [enqueue] = said(effects, 'job.enqueue');
    assert.deepEqual([enqueue?.ownersCount, enqueue?.ownersBy], [2, 'a']);
    assert.equal(stage.router.job(1)?.path().at(-1)?.why, 'its model has another owner');
  });

  test('keeps the place that it had been given', () => {
    stage.submit();
    stage.now = 200;
    const [enqueue] = said(toldOwner(second, 2), 'job.enqueue');
    assert.deepEqual([enqueue?.admitted, enqueue?.budgetMs], [true, 800]);
  });

  test('what the old owner still decides is of an attempt that is over', () => {
    stage.submit();
    toldOwner(second, 2);
    const assign = { batch: 1, worker, epoch: 1, solo: false, jobs: [1], costMs: 0, transportMs: 0 };
    const late = stage.hear({ type: 'batch.assign', ...assign, attempts: [1] }, first);
    assert.deepEqual(told(late), [{ to: first, message: { type: 'batch.declined', batch: 1 } }]);
    const placed = stage.hear({ type: 'batch.assign', ...assign, attempts: [2] }, second);
    assert.deepEqual(said(placed, 'batch.run')[0]?.jobs, [1]);
    const refusal = { job: 1, attempt: 1, code: 'QUEUE_FULL', reason: '', retryAfterMs: 1 } as const;
    assert.deepEqual(stage.hear({ type: 'job.refused', ...refusal }, first), []);
  });

  test('one that is with a worker stays there', () => {
    stage.submit();
    const assign = { batch: 1, worker, epoch: 1, solo: false, jobs: [1], costMs: 0, transportMs: 0 };
    stage.hear({ type: 'batch.assign', ...assign, attempts: [1] }, first);
    assert.deepEqual(told(toldOwner(second, 2)), []);
    stage.unlink(first);
    assert.equal(stage.state(1), 'assigned');
  });

  test('by a lower list, or the same again, nothing moves', () => {
    toldOwner(first, 5);
    stage.submit();
    assert.deepEqual([...toldOwner(second, 4), ...toldOwner(first, 5), ...listed(second, second, 3)], []);
  });

  test('when its owner can reach no worker with the model any more, and another can', () => {
    stage.submit();
    assert.deepEqual(asked(settled(report(first, 0))), [second]);
    assert.deepEqual(asked(settled(report(second, 0))), [first]);
  });

  test('once, however often it changed in what came at once', () => {
    stage.submit();
    const burst = [
      report(first, 0),
      report(second, 0),
      report(second, 1),
      report(first, 1),
      report(first, 0),
    ];
    assert.equal(only(burst.flat(), 'settle').length, 1);
    assert.deepEqual(asked(settled(...burst)), [second]);
    assert.equal(stage.router.job(1)?.attempt, 2);
  });
});

test('two lists of one epoch are counted, logged, and keep the router unready until a higher one comes', () => {
  toldOwner(first, 4);
  const [clash] = notes(toldOwner(second, 4));
  assert.deepEqual([clash?.event, clash?.level, clash?.fields.count], ['owners.clashed', 'error', 4]);
  assert.equal(owner(), first);
  assert.equal(stage.router.violations, 1);
  assert.match(stage.router.unreadyReason(), /two lists of owners have one epoch/);
  toldOwner(second, 5);
  assert.deepEqual([stage.router.ready, stage.router.violations], [true, 1]);
});

describe('a scheduler', () => {
  let desk: SchedulerStage;
  beforeEach(() => {
    desk = SchedulerStage.with([worker]);
    desk.hear({ type: 'owners.told', ...listOf(other, 7) });
  });

  function lists(effects: readonly Effect[]): Ownership[] {
    return said(effects, 'owners.listed').map(({ epoch, owners }) => ({ epoch, owners }));
  }

  test('takes what a router with an older list brings, and tells it, once', () => {
    const effects = desk.enqueue({ ownersCount: 6, ownersBy: 'z' });
    assert.deepEqual(lists(effects), [listOf(other, 7)]);
    assert.equal(desk.settle().length, 1, 'the job is placed from there');
    assert.deepEqual(lists(desk.enqueue({ ownersCount: 6, ownersBy: 'z' })), []);
    desk.hear({ type: 'owners.told', ...listOf(other, 8) });
    assert.deepEqual(lists(desk.enqueue({ ownersCount: 6 })), [listOf(other, 8)]);
  });

  test('tells it again over a new link', () => {
    desk.enqueue();
    desk.hear({ type: 'link.lost', member: router, reason: 'closed' });
    desk.hear({ type: 'link.opened', member: router, roles: ['router'] });
    assert.equal(lists(desk.enqueue()).length, 1);
  });

  test('says nothing to one that knows as much, or more', () => {
    assert.deepEqual(lists(desk.enqueue({ ownersCount: 7, ownersBy: 'a' })), []);
    assert.deepEqual(lists(desk.enqueue({ ownersCount: 7, ownersBy: 'b' })), []);
    assert.deepEqual(lists(desk.enqueue({ ownersCount: 9, ownersBy: '' })), []);
  });

  test('does not follow a lower list, and logs another of the same epoch', () => {
    desk.hear({ type: 'owners.told', epoch: noEpoch, owners: [] });
    desk.hear({ type: 'owners.told', ...listOf(first, 6) });
    assert.deepEqual(lists(desk.enqueue()), [listOf(other, 7)]);
    assert.equal(
      notes(desk.hear({ type: 'owners.told', ...listOf(first === other ? second : first, 7) }))[0]?.event,
      'owners.clashed',
    );
  });
});
