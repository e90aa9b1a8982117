// What a worker waits for before it has all that it is to have, as probes of its node are told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitsFor } from '../../actors/worker/readiness.js';
import { digits, scheduler } from './stage.js';
import { listed, WorkerStage } from './worker-stage.js';

const lookWhole = ({ worker }: WorkerStage) => waitsFor(worker.chart, worker.shares);
const look = (stage: WorkerStage): string => lookWhole(stage).reason;
const done = { place: 'inline', rowsMax: 4, runMs: 1, costs: [] } as const;

test('for a scheduler, then for each model that it is to have in memory', () => {
  const stage = new WorkerStage();
  assert.equal(look(stage), 'no scheduler has taken it up');
  stage.link(scheduler, 'scheduler');
  stage.hear({ type: 'worker.registered', epoch: 1 }, scheduler);
  const lazy = { ...listed, model: 'lazy', load: 'demand' } as const;
  const other = { ...listed, model: 'other' };
  stage.hear({ type: 'models.listed', models: [listed, other, lazy] });
  assert.equal(look(stage), 'digits is being loaded');
  stage.hear({ type: 'model.loaded', ...digits, ...done });
  assert.equal(look(stage), 'other is being loaded');
  const { model, version } = other;
  stage.hear({ type: 'model.failed', model, version, reason: 'no file', suspect: false, stale: false });
  assert.equal(look(stage), '', 'what can not be loaded is not waited for, nor what nobody has asked for');
  stage.hear({ type: 'vacancy.requested' });
  assert.equal(look(stage), 'it stands by');
});

test('what it loads for the first time is told apart from what it had and has not any more', () => {
  const stage = WorkerStage.ready();
  const other = { ...listed, model: 'other' };
  stage.hear({ type: 'models.listed', models: [listed, other] });
  assert.deepEqual(lookWhole(stage), { reason: 'other is being loaded', isForMore: true });
  stage.hear({ type: 'model.loaded', model: 'other', version: other.version, ...done });
  assert.deepEqual(lookWhole(stage), { reason: '', isForMore: false });
  stage.worker.shares.get('other', other.version)?.chart.move('load');
  assert.deepEqual(lookWhole(stage), { reason: 'other is being loaded', isForMore: false });
});
