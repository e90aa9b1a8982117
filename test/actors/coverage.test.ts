// Which models that nobody has keep a router from being ready, and which do not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Effect } from '../../actors/effects.js';
import { unheard } from '../../actors/router/coverage.js';
import { batchingDefaults } from '../../proto/batching.js';
import { notes, RouterStage, scheduler } from './stage.js';

const own = { model: 'digits', version: '1', broken: '', runMaxMs: 1, batching: batchingDefaults };
const shared = { ...own, model: 'shared', isShared: true };

function tell(
  stage: RouterStage,
  model: string,
  counts: { ready?: number; loading?: number } = {},
): Effect[] {
  return stage.hear({ type: 'model.reported', model, version: '1', ...unheard, ...counts }, scheduler);
}

/** What the log has of it once all is heard that came at once. */
function tale(stage: RouterStage): unknown[] {
  return notes(stage.hear({ type: 'tick.settled' })).map(({ event, fields }) => [
    event,
    fields.count,
    fields.reason,
  ]);
}

test('a model that the cluster shares and nobody has takes no router away as long as others are served, and is told once', () => {
  const stage = RouterStage.usual();
  stage.hear({ type: 'models.listed', models: [own, shared] });
  assert.deepEqual(tale(stage), [], 'no scheduler has said anything of it');
  tell(stage, 'shared', { loading: 1 });
  assert.deepEqual(tale(stage), [], 'it is on its way');
  tell(stage, 'shared');
  assert.deepEqual(tale(stage), [['model.uncovered', 1, 'no worker has shared:1 ready']]);
  assert.deepEqual([stage.router.ready, notes(tell(stage, 'shared')), tale(stage)], [true, [], []]);
  stage.hear({ type: 'models.listed', models: [own, { ...shared, isShared: false }] });
  assert.equal(stage.router.unreadyReason(), 'no worker has shared:1 ready', 'its own it has to have');
  stage.hear({ type: 'models.listed', models: [shared] });
  assert.equal(stage.router.unreadyReason(), 'no worker has shared:1 ready', 'nothing at all is served');
  tell(stage, 'shared', { ready: 1 });
  tell(stage, 'shared');
  assert.deepEqual(tale(stage), [], 'for a moment');
  stage.endGrace();
  assert.equal(tale(stage).length, 1, 'it was there, and is lacking again');
});

test('many that are lacking at once are one line, and the loss of the only scheduler is none of theirs', () => {
  const stage = RouterStage.usual();
  const many = Array.from({ length: 300 }, (_, number) => ({ ...shared, model: `m${number}` }));
  stage.hear({ type: 'models.listed', models: [own, ...many] });
  for (const { model } of many) tell(stage, model);
  assert.deepEqual(tale(stage), [
    ['model.uncovered', 300, 'no worker has m0:1, m1:1, m2:1 and 297 more ready'],
  ]);
  for (const { model } of many) tell(stage, model, { ready: 1 });
  stage.unlink(scheduler);
  assert.deepEqual(tale(stage), []);
});

test('a report costs a look at the one model that it is about, however many are listed', () => {
  const stage = RouterStage.usual();
  let looks = 0;
  const many = Array.from({ length: 500 }, (_, number) => ({
    ...shared,
    model: `m${number}`,
    get isShared(): boolean {
      looks++;
      return true;
    },
  }));
  stage.hear({ type: 'models.listed', models: many });
  looks = 0;
  for (const { model } of many) tell(stage, model, { loading: 1 });
  assert.ok(looks >= many.length, 'it is seen');
  assert.ok(looks <= 2 * many.length, `${looks} looks`);
});
