// The model behind a pipeline while it is on its way: the request is told so at once, in the words in which a direct one is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SignalboxError } from '../../proto/errors.js';
import { Models } from '../../runtime/doors/models.js';
import type { Pipeline } from '../../runtime/pipelines/declaration.js';
import { StandIn } from './stand-in.js';

const steps: Omit<Pipeline, 'runs'> = {
  model: 'outer',
  version: '1',
  folder: '/nowhere',
  versionFolder: '/nowhere/1',
  stamp: '',
  runsWhen: {},
  before: [],
  after: [],
  takes: undefined,
  gives: undefined,
  requestsInFlightMax: 1,
  jobsInFlightMax: 1,
};

test('whether it is named by its version or not', () => {
  const engine = new StandIn();
  const models = new Models(engine);
  engine.states.set('digits', 'LOADING');
  engine.coming.add('digits');
  const told = (ask: () => unknown): unknown[] => {
    try {
      ask();
    } catch (fault) {
      if (fault instanceof SignalboxError) return [fault.code, fault.message, fault.retryAfterMs];
    }
    return [];
  };
  const direct = told(() => models.find('digits', '1'));
  assert.match(String(direct[1]), /^model "digits" version 1 is LOADING: /);
  for (const runs of ['digits', 'digits:1'])
    assert.deepEqual(
      told(() => models.behind({ ...steps, runs })),
      direct,
      runs,
    );
  engine.coming.clear();
  assert.equal(models.behind({ ...steps, runs: 'digits:1' }).model, 'digits');
  assert.match(String(told(() => models.behind({ ...steps, runs: 'nothing' }))[1]), /not in the repository/);
  assert.match(String(told(() => models.behind({ ...steps, runs: 'broken' }))[1]), /no ONNX file/);
});
