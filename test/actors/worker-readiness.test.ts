// What a worker waits for before it has all that it is to have, as probes of its node are told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitsFor } from '../../actors/worker/readiness.js';
import { digits, scheduler } from './stage.js';
import { listed, WorkerStage } from './worker-stage.js';

const look = ({ worker }: WorkerStage): string => waitsFor(worker.chart, worker.shares);

test('for a scheduler, then for each model that it is to have in memory', () => {
  const stage = new WorkerStage();
  assert.equal(look(stage), 'no scheduler has taken it up');
  stage.link(scheduler, 'scheduler');
  stage.hear({ type: 'worker.registered', epoch: 1 }, scheduler);
  const lazy = { ...listed, model: 'lazy', load: 'demand' } as const;
  const other = { ...listed, model: 'other' };
  stage.hear({ type: 'models.listed', models: [listed, other, lazy] });
  assert.equal(look(stage), 'digits is being loaded');
  const done = { place: 'inline', rowsMax: 4, runMs: 1, costs: [] } as const;
  stage.hear({ type: 'model.loaded', ...digits, ...done });
  assert.equal(look(stage), 'other is being loaded');
  const { model, version } = other;
  stage.hear({ type: 'model.failed', model, version, reason: 'no file', suspect: false, stale: false });
  assert.equal(look(stage), '', 'what can not be loaded is not waited for, nor what nobody has asked for');
  stage.hear({ type: 'vacancy.requested' });
  assert.equal(look(stage), 'it stands by');
});
