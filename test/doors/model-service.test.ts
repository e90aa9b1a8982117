// The simple service: floats in, floats out, for the default model or the one that is named.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import type { Fields } from '../../runtime/doors/grpc/definitions.js';
import { openGrpc, type Scene } from './grpc-client.js';

let scene: Scene;
before(async () => {
  scene = await openGrpc({ defaultModel: 'digits' });
});
after(() => scene.stop());
beforeEach(() => {
  scene.engine.holding = false;
  scene.engine.held.length = 0;
  scene.engine.submissions.length = 0;
  scene.engine.ending = undefined;
});

const row = Array.from({ length: 64 }, (_, index) => index / 64);

test('features become rows of the default model, its output predictions', async () => {
  const { code, details, answer } = await scene.client.call('Predict', {
    features: [...row, ...row],
    batch_size: 2,
  });
  assert.equal(code, status.OK, details);
  assert.deepEqual(answer['predictions'], [...row, ...row]);
  assert.equal(answer['model_version'], '1');
  assert.ok((answer['latency_ms'] as number) >= 0);
  assert.deepEqual(scene.engine.submissions[0]?.spec.inputs[0]?.shape, [2, 64]);
});

test('without a batch size there are as many rows as the features make', async () => {
  await scene.client.call('Predict', { features: [...row, ...row, ...row] });
  assert.equal(scene.engine.submissions[0]?.spec.rows, 3);
});

test('model_version may be a version, a model or both', async () => {
  const asked = async (model_version: string, features: number[]) => {
    const { code, details } = await scene.client.call('Predict', { features, model_version });
    assert.equal(code, status.OK, details);
    const spec = scene.engine.submissions.at(-1)?.spec;
    return `${spec?.model}:${spec?.version}`;
  };
  assert.equal(await asked('1', row), 'digits:1');
  assert.equal(await asked('twice', [1, 2]), 'twice:2');
  assert.equal(await asked('twice:1', [1, 2]), 'twice:1');
});

const refused: readonly [string, Fields, status, RegExp][] = [
  [
    'features that do not divide',
    { features: row.slice(1) },
    status.INVALID_ARGUMENT,
    /63 features don't divide into rows of 64/,
  ],
  [
    'a batch size that does not fit',
    { features: row, batch_size: 2 },
    status.INVALID_ARGUMENT,
    /64 features don't divide into 2 rows of 64/,
  ],
  ['a negative batch size', { features: row, batch_size: -1 }, status.INVALID_ARGUMENT, /batch_size is -1/],
  ['no features', {}, status.INVALID_ARGUMENT, /features is empty; model "digits" takes "image"/],
  ['too many rows', { features: Array(64 * 33).fill(0) }, status.INVALID_ARGUMENT, /33 rows/],
  [
    'rows where the model has none',
    { features: [1, 2, 3, 4], batch_size: 2, model_version: 'twice' },
    status.INVALID_ARGUMENT,
    /one row at a time/,
  ],
  [
    'a model with two inputs',
    { features: [1], model_version: 'pair' },
    status.INVALID_ARGUMENT,
    /features fill only one/,
  ],
  [
    'a model of text',
    { features: [1], model_version: 'echo_BYTES' },
    status.INVALID_ARGUMENT,
    /from numbers to numbers/,
  ],
  [
    'a feature that does not fit the datatype',
    { features: [1.5, 2], model_version: 'pixels' },
    status.INVALID_ARGUMENT,
    /feature 0 is 1.5/,
  ],
  ['an unknown model', { features: row, model_version: 'nope' }, status.NOT_FOUND, /no model "nope"/],
  ['an unknown version', { features: row, model_version: '4' }, status.NOT_FOUND, /no version "4"/],
  [
    'an unknown version of a model',
    { features: row, model_version: 'twice:3' },
    status.NOT_FOUND,
    /"twice" has no version "3"/,
  ],
];

for (const [what, request, wanted, says] of refused) {
  test(`refused: ${what}`, async () => {
    const outcome = await scene.client.call('Predict', request);
    assert.equal(status[outcome.code], status[wanted], outcome.details);
    assert.match(outcome.details, says);
    assert.equal(scene.engine.submissions.length, 0);
  });
}

test('a free dimension follows from the features', async () => {
  const outcome = await scene.client.call('Predict', { features: [1, 2, 3, 4], model_version: 'pixels' });
  assert.equal(outcome.code, status.OK, outcome.details);
  assert.deepEqual(scene.engine.submissions[0]?.spec.inputs[0]?.shape, [2, 2]);
  assert.deepEqual(outcome.answer['predictions'], [1, 2, 3, 4]);
});

test('without a default model a request has to name one', async () => {
  const other = await openGrpc({ defaultModel: '' });
  const outcome = await other.client.call('Predict', { features: row });
  assert.equal(outcome.code, status.NOT_FOUND);
  assert.match(outcome.details, /no default model is configured/);
  await other.stop();
});

test('a stream answers in the order of its requests', async () => {
  scene.engine.holding = true;
  const stream = scene.client.stream('StreamPredict');
  const answers: unknown[] = [];
  const done = new Promise<status>((resolve) => stream.on('status', ({ code }) => resolve(code)));
  stream.on('data', (answer: Fields) => answers.push((answer['predictions'] as number[])[0]));
  stream.on('error', () => {});
  for (const first of [1, 2, 3]) stream.write({ features: [first, ...row.slice(1)] });
  stream.end();
  await scene.engine.holds(3);
  for (const at of [2, 1, 0]) scene.engine.held[at]?.finish();
  assert.equal(await done, status.OK);
  assert.deepEqual(answers, [1, 2, 3]);
});

test('a refusal ends the stream after the answers before it', async () => {
  const stream = scene.client.stream('StreamPredict');
  const answers: unknown[] = [];
  const done = new Promise<string>((resolve) => stream.on('error', (fault) => resolve(fault.message)));
  stream.on('data', (answer: Fields) => answers.push(answer));
  stream.write({ features: row });
  stream.write({ features: [1] });
  assert.match(await done, /INVALID_ARGUMENT: INPUT_INVALID: 1 features don't divide/);
  assert.equal(answers.length, 1);
});

test('its health is the server’s', async () => {
  const well = await scene.client.call('HealthCheck', {});
  assert.deepEqual(well.answer, { healthy: true, status: 'SERVING' });
  scene.engine.isReady = false;
  const ill = await scene.client.call('HealthCheck', {});
  scene.engine.isReady = true;
  assert.deepEqual(ill.answer, { healthy: false, status: 'no worker is ready' });
});
