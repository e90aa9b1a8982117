// ModelStreamInfer: answers in the order in which jobs end, refusals in-band, a bound on what is under way, cancels.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { type ClientDuplexStream, status } from '@grpc/grpc-js';
import type { Fields } from '../../runtime/doors/grpc/definitions.js';
import { openGrpc, type Scene } from './grpc-client.js';

const inFlightMax = 4;
let scene: Scene;
before(async () => {
  scene = await openGrpc({ streamInFlightMax: inFlightMax });
});
after(() => scene.stop());
beforeEach(() => {
  scene.engine.holding = false;
  scene.engine.held.length = 0;
  scene.engine.submissions.length = 0;
});

type Stream = ClientDuplexStream<Fields, Fields>;

function ask(id: string, model = 'twice'): Fields {
  return {
    model_name: model,
    id,
    inputs: [{ name: 'x', datatype: 'FP32', shape: [2] }],
    raw_input_contents: [Buffer.alloc(8)],
  };
}

function idOf(answer: Fields): string {
  return String((answer['infer_response'] as Fields)['id']);
}

/** Everything that comes until the end, and the status. */
function collect(stream: Stream): Promise<{ answers: Fields[]; code: status }> {
  const answers: Fields[] = [];
  return new Promise((resolve) => {
    stream.on('data', (answer: Fields) => answers.push(answer));
    stream.on('error', () => {});
    stream.on('status', ({ code }) => resolve({ answers, code }));
  });
}

function nextAnswer(stream: Stream): Promise<Fields> {
  return new Promise((resolve) => stream.once('data', resolve));
}

test('many requests, each with its answer, and an end', async () => {
  const stream = scene.client.stream('ModelStreamInfer');
  const all = collect(stream);
  const ids = Array.from({ length: 200 }, (_, index) => `r${index}`);
  for (const id of ids) stream.write(ask(id));
  stream.end();
  const { answers, code } = await all;
  assert.equal(code, status.OK);
  assert.deepEqual(answers.map(idOf).sort(), [...ids].sort());
  assert.ok(answers.every((answer) => answer['error_message'] === ''));
});

test('an end without a request is an end', async () => {
  const stream = scene.client.stream('ModelStreamInfer');
  const all = collect(stream);
  stream.end();
  assert.deepEqual(await all, { answers: [], code: status.OK });
});

test('a refusal comes in-band with its id and the stream lives on', async () => {
  const stream = scene.client.stream('ModelStreamInfer');
  const all = collect(stream);
  stream.write(ask('bad', 'nope'));
  stream.write(Buffer.from('rubbish') as unknown as Fields);
  stream.write(ask('good'));
  stream.end();
  const { answers, code } = await all;
  assert.equal(code, status.OK);
  const bad = answers.find((answer) => idOf(answer) === 'bad');
  assert.match(String(bad?.['error_message']), /^MODEL_UNKNOWN: there is no model "nope"/);
  const rubbish = answers.find((answer) => idOf(answer) === '');
  assert.match(String(rubbish?.['error_message']), /^INPUT_INVALID: .*no protobuf message/);
  assert.equal(answers.find((answer) => idOf(answer) === 'good')?.['error_message'], '');
});

test('a job that ends badly is told in-band, with when to try again', async () => {
  scene.engine.holding = true;
  const stream = scene.client.stream('ModelStreamInfer');
  const all = collect(stream);
  stream.write(ask('a'));
  await scene.engine.holds(1);
  scene.engine.held[0]?.finish({ ending: 'rejected', code: 'QUEUE_FULL', message: 'full', retryAfterMs: 20 });
  stream.end();
  const { answers, code } = await all;
  assert.equal(code, status.OK);
  assert.equal(answers[0]?.['error_message'], 'QUEUE_FULL: full (try again in 20 ms)');
});

test('answers come in the order in which jobs end', async () => {
  scene.engine.holding = true;
  const stream = scene.client.stream('ModelStreamInfer');
  stream.on('error', () => {});
  for (const id of ['a', 'b', 'c']) stream.write(ask(id));
  await scene.engine.holds(3);
  const order: string[] = [];
  for (const at of [2, 0, 1]) {
    const next = nextAnswer(stream);
    scene.engine.held[at]?.finish();
    order.push(idOf(await next));
  }
  assert.deepEqual(order, ['c', 'a', 'b']);
  stream.end();
});

test('no more than the bound is under way; the next is taken when one is answered', async () => {
  scene.engine.holding = true;
  const stream = scene.client.stream('ModelStreamInfer');
  const all = collect(stream);
  // Beyond the bound a few messages lie read in the stream's buffer, but are not taken: many more are sent.
  for (let index = 0; index < 100; index++) stream.write(ask(`${index}`));
  stream.end();
  await scene.engine.holds(inFlightMax);
  let finished = 0;
  for (; finished < 100; finished++) {
    await scene.engine.holds(finished + 1);
    assert.ok(
      scene.engine.held.length - finished <= inFlightMax,
      `${scene.engine.held.length} taken, ${finished} done`,
    );
    scene.engine.held[finished]?.finish();
  }
  const { answers, code } = await all;
  assert.equal(code, status.OK);
  assert.equal(answers.length, 100);
});

test('a cancelled stream cancels all its jobs', async () => {
  scene.engine.holding = true;
  const stream = scene.client.stream('ModelStreamInfer');
  const all = collect(stream);
  for (const id of ['a', 'b', 'c']) stream.write(ask(id));
  await scene.engine.holds(3);
  stream.cancel();
  await scene.engine.cancels(3);
  assert.equal((await all).code, status.CANCELLED);
});

test('the deadline of a stream is the budget of its jobs', async () => {
  scene.engine.holding = true;
  const stream = scene.client.stream('ModelStreamInfer', { deadlineMs: 60_000 });
  const all = collect(stream);
  stream.write(ask('a'));
  await scene.engine.holds(1);
  const budgetMs = scene.engine.held[0]?.submission.spec.budgetMs ?? 0;
  assert.ok(budgetMs > 30_000 && budgetMs < 60_000, String(budgetMs));
  scene.engine.held[0]?.finish();
  stream.end();
  assert.equal((await all).code, status.OK);
});
