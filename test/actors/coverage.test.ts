// Which models that nobody has keep a router from being ready, and which do not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Effect } from '../../actors/effects.js';
import { batchingDefaults } from '../../proto/batching.js';
import { notes, RouterStage } from './stage.js';

test('a model that the cluster shares and nobody has takes no router away as long as others are served, and is told once', () => {
  const stage = RouterStage.usual();
  const own = { model: 'digits', version: '1', broken: '', runMaxMs: 1, batching: batchingDefaults };
  const shared = { ...own, model: 'shared', isShared: true };
  const tale = (effects: Effect[]): unknown[] =>
    notes(effects).map(({ event, fields }) => [event, fields.reason]);
  assert.deepEqual(tale(stage.hear({ type: 'models.listed', models: [own, shared] })), [
    ['model.uncovered', 'no worker has shared:1 ready'],
  ]);
  assert.deepEqual([stage.router.ready, tale(stage.report(1, 0))], [true, []]);
  stage.hear({ type: 'models.listed', models: [own, { ...shared, isShared: false }] });
  assert.equal(stage.router.unreadyReason(), 'no worker has shared:1 ready', 'its own it has to have');
  stage.hear({ type: 'models.listed', models: [shared] });
  assert.equal(stage.router.unreadyReason(), 'no worker has shared:1 ready', 'nothing at all is served');
});
