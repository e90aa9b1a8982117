// Deadlines and cancels over gRPC: they reach the job, and what ends a job by itself is not called a cancel.
import assert from 'node:assert/strict';
import { connect } from 'node:http2';
import { after, before, beforeEach, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import type { Fields } from '../../runtime/doors/grpc/definitions.js';
import { cutTimeout } from '../../runtime/doors/grpc/long-deadlines.js';
import { openGrpc, type Scene } from './grpc-client.js';

let scene: Scene;
before(async () => {
  scene = await openGrpc({ deadlineDefaultMs: 7000, deadlineMaxMs: 100_000 });
});
after(() => scene.stop());
beforeEach(() => {
  scene.engine.holding = false;
  scene.engine.held.length = 0;
  scene.engine.submissions.length = 0;
});

function ask(parameters: Fields = {}): Fields {
  return {
    model_name: 'twice',
    inputs: [{ name: 'x', datatype: 'FP32', shape: [2] }],
    raw_input_contents: [Buffer.alloc(8)],
    parameters,
  };
}

async function budgetOf(parameters: Fields, deadlineMs?: number): Promise<number> {
  const outcome = await scene.client.call(
    'ModelInfer',
    ask(parameters),
    deadlineMs === undefined ? {} : { deadlineMs },
  );
  assert.equal(outcome.code, status.OK, outcome.details);
  return scene.engine.submissions.at(-1)?.spec.budgetMs ?? Number.NaN;
}

test('the budget is the default, the deadline or the timeout parameter, whichever is less', async () => {
  assert.equal(await budgetOf({}), 7000);
  assert.equal(await budgetOf({ timeout: { int64_param: 2_500_000 } }), 2500);
  assert.equal(await budgetOf({ timeout: { string_param: '1500' } }), 1.5);
  assert.equal(await budgetOf({ timeout: { uint64_param: 0 } }), 7000);
  assert.equal(await budgetOf({ timeout: { int64_param: 2_000_000 } }, 50_000), 2000);
  const byDeadline = await budgetOf({ timeout: { int64_param: 2_000_000_000 } }, 50_000);
  assert.ok(byDeadline > 30_000 && byDeadline < 50_000, String(byDeadline));
  assert.equal(await budgetOf({}, 1_000_000), 100_000);
});

test('whatever is longer than the longest deadline is cut to it, however long', async () => {
  for (const days of [24, 25, 40, 50, 100, 36_500]) {
    assert.equal(await budgetOf({}, days * 86_400_000), 100_000, `${days} days`);
  }
  for (const timeout of [
    { int64_param: 2 ** 53 },
    { int64_param: '9223372036854775807' },
    { uint64_param: '18446744073709551615' },
    { string_param: '9223372036854775807' },
    { double_param: 2 ** 60 },
  ]) {
    assert.equal(await budgetOf({ timeout }), 100_000, JSON.stringify(timeout));
  }
});

test('a timeout is cut only where its milliseconds need more than 31 bits', () => {
  for (const fits of [
    '596H',
    '35791M',
    '2147483S',
    '99999999m',
    '99999999u',
    '99999999n',
    '1S',
    'soon',
    'S',
    '',
  ]) {
    assert.equal(cutTimeout(fits), fits);
  }
  for (const long of ['597H', '99999999H', '35792M', '2147484S']) assert.equal(cutTimeout(long), '2000000S');
});

test('a client’s cancel reaches the job', async () => {
  scene.engine.holding = true;
  const method = scene.client.method('ModelInfer');
  const { call, outcome } = scene.client.start('ModelInfer', method.request.encode(ask()));
  await scene.engine.holds(1);
  call.cancel();
  assert.equal((await outcome).code, status.CANCELLED);
  await scene.engine.cancels(1);
  assert.deepEqual(scene.engine.held[0]?.cancelled, ['the client cancelled or went away']);
});

test('a client whose connection breaks cancels its job', async () => {
  scene.engine.holding = true;
  const session = connect(`http://127.0.0.1:${scene.port}`);
  const stream = session.request({
    ':method': 'POST',
    ':path': scene.client.method('ModelInfer').path,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => {});
  const message = scene.client.method('ModelInfer').request.encode(ask());
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([head, message]));
  await scene.engine.holds(1);
  session.destroy();
  await scene.engine.cancels(1);
});

test('a deadline that passes is left to the job itself, and the client hears of it', async () => {
  scene.engine.holding = true;
  const outcome = await scene.client.call('ModelInfer', ask(), { deadlineMs: 80 });
  assert.equal(outcome.code, status.DEADLINE_EXCEEDED);
  assert.deepEqual(scene.engine.held[0]?.cancelled, []);
});

test('a job that expires at its budget tells the client where it waited', async () => {
  scene.engine.holding = true;
  const asked = scene.client.call('ModelInfer', ask(), { deadlineMs: 5000 });
  await scene.engine.holds(1);
  scene.engine.held[0]?.finish({
    ending: 'expired',
    code: 'DEADLINE_EXCEEDED',
    message: 'it waited for a worker',
  });
  const outcome = await asked;
  assert.equal(outcome.code, status.DEADLINE_EXCEEDED);
  assert.equal(outcome.details, 'DEADLINE_EXCEEDED: it waited for a worker');
  assert.match(String(outcome.trailers.get('signalbox-path')[0]), /^queued@0ms > /);
});

test('nothing is cancelled after a normal end', async () => {
  scene.engine.holding = true;
  const asked = scene.client.call('ModelInfer', ask());
  await scene.engine.holds(1);
  scene.engine.held[0]?.finish();
  assert.equal((await asked).code, status.OK);
  const again = scene.client.call('ModelInfer', ask());
  await scene.engine.holds(2);
  scene.engine.held[1]?.finish();
  await again;
  assert.deepEqual(
    scene.engine.held.map(({ cancelled }) => cancelled),
    [[], []],
  );
});
