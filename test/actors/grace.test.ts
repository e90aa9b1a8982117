// For how long a router, and a model, count as ready while nobody is trusted with the work; jobs take no part in that.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Effect } from '../../actors/effects.js';
import { routerDefaults } from '../../actors/router/router.js';
import { batchingDefaults } from '../../proto/batching.js';
import type { MemberId } from '../../proto/ids.js';
import { digits, notes, only, otherWorker, RouterStage, said, scheduler, worker } from './stage.js';

const other = 'scheduler-2.ffffff';
const graceMs = routerDefaults.coverGraceMs;
const listed = { ...digits, broken: '', runMaxMs: 1, batching: batchingDefaults };

function judge(stage: RouterStage, member: MemberId, verdict: 'down' | 'trusted'): Effect[] {
  return stage.hear({ type: 'peer.judged', member, verdict, reason: '' }, 'health-1');
}

function states(effects: readonly Effect[]): unknown[] {
  return notes(effects).flatMap(({ event, fields }) => (event === 'router.moved' ? [fields.to] : []));
}

/** What the router is by its chart and for a door, and whether the model is. */
function shown(stage: RouterStage): unknown[] {
  const { ready } = stage.router.shownCondition(digits.model, digits.version);
  return [stage.router.chart.state, stage.router.ready, ready];
}

const asBefore = ['ready', true, 2];
const lacking = ['uncovered', false, 0];

describe('both schedulers are judged down', () => {
  function doubted(): { stage: RouterStage; effects: Effect[] } {
    const stage = RouterStage.usual();
    stage.link(other, 'scheduler');
    stage.now = 1000;
    return { stage, effects: [...judge(stage, scheduler, 'down'), ...judge(stage, other, 'down')] };
  }

  test('a short verdict moves nothing but the jobs', () => {
    const { stage, effects } = doubted();
    assert.deepEqual([states(effects), shown(stage)], [[], asBefore]);
    assert.deepEqual(only(effects, 'arm'), [{ type: 'arm', timer: 'cover', at: 1000 + graceMs }]);
    assert.deepEqual(said(stage.submit(), 'job.enqueue'), [], 'nobody is asked who is not trusted');
    assert.equal(
      stage.router.condition(digits.model, digits.version).ready,
      0,
      'the work goes by what is so',
    );
    stage.now += 180;
    const back = judge(stage, scheduler, 'trusted');
    assert.equal(said(back, 'job.enqueue').length, 1, 'at once');
    assert.deepEqual(only(back, 'disarm'), [{ type: 'disarm', timer: 'cover' }]);
    assert.deepEqual([states(back), shown(stage)], [[], asBefore]);
  });

  test('a verdict that stays is told when the grace is over, and not before', () => {
    const { stage } = doubted();
    stage.now += graceMs - 1;
    const early = stage.fire('cover');
    assert.deepEqual([shown(stage), only(early, 'arm')[0]?.at], [asBefore, 1000 + graceMs], 'it came early');
    stage.now += 1;
    assert.deepEqual(states(stage.fire('cover')), ['uncovered']);
    assert.deepEqual(shown(stage), lacking);
    assert.equal(stage.router.unreadyReason(), 'no scheduler is connected');
    assert.deepEqual(states(judge(stage, other, 'trusted')), [], 'that one has told nothing of the model');
    assert.deepEqual([states(judge(stage, scheduler, 'trusted')), shown(stage)], [['ready'], asBefore]);
  });

  test('the grace is of one doubt: more of them make it no longer, and the next has its own', () => {
    const { stage } = doubted();
    stage.now += 300;
    judge(stage, worker, 'down');
    assert.deepEqual(only(judge(stage, other, 'down'), 'arm'), []);
    judge(stage, scheduler, 'trusted');
    stage.now += 1000;
    const [arm] = only(judge(stage, scheduler, 'down'), 'arm');
    assert.equal(arm?.at, stage.now + graceMs);
  });

  test('a node that drains is not ready, doubted or not', () => {
    const { stage } = doubted();
    stage.hear({ type: 'drain.requested' });
    assert.equal(stage.router.ready, false);
  });
});

test('workers that their scheduler does not trust for a moment are missed by nobody', () => {
  const stage = RouterStage.usual();
  const effects = stage.report(0, 0);
  assert.deepEqual([states(effects), shown(stage)], [[], asBefore]);
  stage.report(2, 0);
  assert.deepEqual([states(stage.endGrace()), shown(stage)], [[], asBefore]);
});

describe('there is no grace', () => {
  for (const [what, lose] of [
    ['the link to the only scheduler is lost', (stage: RouterStage) => [stage.unlink(scheduler)]],
    [
      'the links to all workers are lost',
      (stage: RouterStage) => [stage.unlink(worker), stage.unlink(otherWorker), stage.report(0, 0)],
    ],
    [
      'they are lost after the doubt',
      (stage: RouterStage) => [stage.report(0, 0), stage.unlink(worker), stage.unlink(otherWorker)],
    ],
  ] as const) {
    test(`where ${what}`, () => {
      const stage = RouterStage.usual();
      assert.deepEqual(states(lose(stage).flat()), ['uncovered']);
      assert.deepEqual(shown(stage), lacking);
    });
  }

  test('for a model that nobody had yet, whatever others had', () => {
    const stage = RouterStage.usual();
    stage.report(0, 0);
    stage.hear({ type: 'models.listed', models: [listed, { ...listed, model: 'new' }] });
    assert.equal(stage.router.unreadyReason(), 'no worker has new:1 ready');
    stage.hear({ type: 'models.listed', models: [listed] });
    assert.equal(stage.router.ready, true);
  });

  test('for a model that came back after it had gone', () => {
    const stage = RouterStage.usual();
    stage.hear({ type: 'models.listed', models: [] });
    stage.report(0, 0);
    stage.hear({ type: 'models.listed', models: [listed] });
    assert.equal(stage.router.unreadyReason(), 'no worker has digits:1 ready');
  });

  test('for a model that no worker could load', () => {
    const stage = RouterStage.usual();
    stage.report(0, 2, 'the file is torn');
    assert.equal(stage.router.unreadyReason(), 'no model could be loaded by any worker');
  });
});
