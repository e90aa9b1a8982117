// ModelInfer over a stock client: what is right arrives untouched, and answers and failures carry all that they should.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { type Outcome, openGrpc, type Scene } from './grpc-client.js';
import { a, b, digits, pair, rawA, rawB, typed } from './grpc-requests.js';
import { floats } from './stand-in.js';

let scene: Scene;
before(async () => {
  scene = await openGrpc({ requestBytesMax: 200_000 });
});
after(() => scene.stop());
beforeEach(() => {
  scene.engine.ending = undefined;
  scene.engine.outputs = undefined;
  scene.engine.submissions.length = 0;
});

function rawOf(outcome: Outcome): Buffer[] {
  assert.equal(outcome.code, status.OK, outcome.details);
  return outcome.answer['raw_output_contents'] as Buffer[];
}

test('an answer has the id, the model, its newest version and raw outputs', async () => {
  const x = floats(1, 2);
  const outcome = await scene.client.call('ModelInfer', {
    model_name: 'twice',
    id: 'größe-7',
    inputs: [{ name: 'x', datatype: 'FP32', shape: [2] }],
    raw_input_contents: [x],
    parameters: { triton_enable_empty_final_response: { bool_param: true }, mine: { double_param: 1.5 } },
  });
  assert.deepEqual(rawOf(outcome), [x]);
  assert.equal(outcome.answer['id'], 'größe-7');
  assert.equal(outcome.answer['model_name'], 'twice');
  assert.equal(outcome.answer['model_version'], '2');
  assert.deepEqual(outcome.trailers.get('signalbox-path'), []);
});

test('outputs come in the order wanted, inputs in any order, optional ones may be left out', async () => {
  const raw = [Buffer.from(new Int32Array([1, 2, 3]).buffer), floats(4, 5)];
  const outcome = await scene.client.call(
    'ModelInfer',
    pair([b, a], raw, { outputs: [{ name: 'second' }, { name: 'first' }] }),
  );
  assert.deepEqual(rawOf(outcome), raw);
  const { spec, payload } = scene.engine.submissions[0] ?? assert.fail();
  assert.deepEqual(
    spec.inputs.map((input) => input.name),
    ['a', 'b'],
  );
  assert.deepEqual(
    payload.map((part) => Buffer.from(part)),
    [raw[1], raw[0]],
  );
  assert.deepEqual([spec.rows, spec.bytes, spec.version, spec.shapeKey], [1, 20, '1', '2;3;-;|1,0']);
  const withC = await scene.client.call(
    'ModelInfer',
    pair([a, b, { name: 'c', datatype: 'UINT8', shape: [1, 1] }], [rawA, rawB, Buffer.alloc(1)]),
  );
  assert.equal(withC.code, status.OK, withC.details);
  assert.equal(scene.engine.submissions[1]?.spec.shapeKey, '2;3;1;');
});

test('jobs share a shape key when they may share a batch', async () => {
  const ask = (rows: number, width: number) =>
    scene.client.call('ModelInfer', {
      model_name: 'grid',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [rows, 3, width] }],
      raw_input_contents: [Buffer.alloc(rows * 3 * width * 4)],
    });
  for (const [rows, width] of [
    [1, 5],
    [4, 5],
    [1, 6],
  ] as const)
    assert.equal((await ask(rows, width)).code, status.OK);
  const specs = scene.engine.submissions.map(({ spec }) => spec);
  assert.deepEqual(
    specs.map(({ rows, shapeKey }) => [rows, shapeKey]),
    [
      [1, '3x5;'],
      [4, '3x5;'],
      [1, '3x6;'],
    ],
  );
});

test('a free dimension may be of no length', async () => {
  const nothing = {
    model_name: 'grid',
    inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 3, 0] }],
    raw_input_contents: [Buffer.alloc(0)],
  };
  assert.equal((await scene.client.call('ModelInfer', nothing)).code, status.OK);
  assert.equal(scene.engine.submissions[0]?.spec.shapeKey, '3x0;');
});

test('priority counts from 1 for clients, from 0 inside', async () => {
  for (const priority of [
    undefined,
    { uint64_param: 0 },
    { uint64_param: 1 },
    { int64_param: 3 },
    { string_param: '2' },
  ]) {
    const parameters = priority === undefined ? {} : { priority };
    assert.equal((await scene.client.call('ModelInfer', { ...digits, parameters })).code, status.OK);
  }
  assert.deepEqual(
    scene.engine.submissions.map(({ spec }) => spec.priority),
    [1, 1, 0, 2, 1],
  );
});

const samples: Readonly<Record<string, readonly [string, unknown[], Buffer]>> = {
  BOOL: ['bool_contents', [true, false], Buffer.from([1, 0])],
  UINT8: ['uint_contents', [0, 255], Buffer.from([0, 255])],
  UINT16: ['uint_contents', [1, 65_535], Buffer.from(new Uint16Array([1, 65_535]).buffer)],
  UINT32: ['uint_contents', [1, 4_294_967_295], Buffer.from(new Uint32Array([1, 4_294_967_295]).buffer)],
  UINT64: [
    'uint64_contents',
    ['1', '18446744073709551615'],
    Buffer.from(new BigUint64Array([1n, 2n ** 64n - 1n]).buffer),
  ],
  INT8: ['int_contents', [-128, 127], Buffer.from([0x80, 0x7f])],
  INT16: ['int_contents', [-32_768, 7], Buffer.from(new Int16Array([-32_768, 7]).buffer)],
  INT32: ['int_contents', [-2_147_483_648, 7], Buffer.from(new Int32Array([-2_147_483_648, 7]).buffer)],
  INT64: [
    'int64_contents',
    ['-9223372036854775808', '9007199254740993'],
    Buffer.from(new BigInt64Array([-(2n ** 63n), 2n ** 53n + 1n]).buffer),
  ],
  FP32: ['fp32_contents', [1.5, -2], floats(1.5, -2)],
  FP64: ['fp64_contents', [0.1, 1e300], Buffer.from(new Float64Array([0.1, 1e300]).buffer)],
  BYTES: [
    'bytes_contents',
    [Buffer.from('ab'), Buffer.from('')],
    Buffer.from([2, 0, 0, 0, 97, 98, 0, 0, 0, 0]),
  ],
};

test('every datatype arrives the same, raw and typed', async () => {
  for (const [datatype, [kind, elements, bytes]] of Object.entries(samples)) {
    const input = { name: 'x', datatype, shape: [1, 2] };
    const raw = await scene.client.call('ModelInfer', {
      model_name: `echo_${datatype}`,
      inputs: [input],
      raw_input_contents: [bytes],
    });
    assert.deepEqual(rawOf(raw), [bytes], `raw ${datatype}`);
    const asTyped = await scene.client.call('ModelInfer', typed('x', datatype, [1, 2], { [kind]: elements }));
    assert.deepEqual(rawOf(asTyped), [bytes], `typed ${datatype}`);
  }
  for (const datatype of ['FP16', 'BF16']) {
    const bytes = Buffer.from([0, 0x3c, 1, 2]);
    const input = { name: 'x', datatype, shape: [1, 2] };
    const raw = await scene.client.call('ModelInfer', {
      model_name: `echo_${datatype}`,
      inputs: [input],
      raw_input_contents: [bytes],
    });
    assert.deepEqual(rawOf(raw), [bytes], datatype);
  }
});

test('a job that fails tells its code, its id, its path and when to try again', async () => {
  scene.engine.ending = {
    ending: 'rejected',
    code: 'QUEUE_FULL',
    message: 'the queue is full',
    retryAfterMs: 41.2,
  };
  const outcome = await scene.client.call('ModelInfer', digits);
  assert.equal(outcome.code, status.RESOURCE_EXHAUSTED);
  assert.equal(outcome.details, 'QUEUE_FULL: the queue is full');
  assert.deepEqual(outcome.trailers.get('signalbox-code'), ['QUEUE_FULL']);
  assert.match(String(outcome.trailers.get('signalbox-job')[0]), /^router-1\/\d+$/);
  assert.deepEqual(outcome.trailers.get('signalbox-path'), ['queued@0ms > running@1.3ms(on worker-1)']);
  assert.deepEqual(outcome.trailers.get('retry-after-ms'), ['42']);
});

test('whoever is turned away for load is always told when to try again', async () => {
  const codes = ['OVERLOADED', 'DISPLACED', 'QUEUE_FULL'] as const;
  for (const code of codes) {
    for (const [retryAfterMs, told] of [
      [0, '1000'],
      [3.5, '4'],
    ] as const) {
      scene.engine.ending = {
        ending: 'rejected',
        code,
        message: 'estimate 80 ms, deadline 50 ms',
        retryAfterMs,
      };
      const outcome = await scene.client.call('ModelInfer', digits);
      assert.equal(outcome.code, status.RESOURCE_EXHAUSTED);
      assert.equal(outcome.details, `${code}: estimate 80 ms, deadline 50 ms`);
      assert.deepEqual(outcome.trailers.get('retry-after-ms'), [told]);
    }
  }
  scene.engine.ending = { ending: 'failed', code: 'MODEL_FAILED', message: 'no' };
  const failed = await scene.client.call('ModelInfer', digits);
  assert.deepEqual(failed.trailers.get('retry-after-ms'), []);
});

test('the path of a good answer is told to whoever asks', async () => {
  const outcome = await scene.client.call('ModelInfer', digits, { metadata: { 'signalbox-trace': '1' } });
  assert.equal(outcome.code, status.OK);
  assert.deepEqual(outcome.trailers.get('signalbox-path'), ['queued@0ms > running@1.3ms(on worker-1)']);
  assert.match(String(outcome.trailers.get('signalbox-job')[0]), /^router-1\//);
});

test('half a surrogate pair or a line break in a model’s message does not break the status', async () => {
  scene.engine.ending = { ending: 'failed', code: 'MODEL_FAILED', message: 'bad\ud800 line\nbreak 100% ü' };
  const outcome = await scene.client.call('ModelInfer', digits);
  assert.equal(outcome.code, status.INTERNAL);
  assert.equal(outcome.details, 'MODEL_FAILED: bad\ufffd line break 100% ü');
});

test('a large answer comes back whole', async () => {
  const big = Buffer.alloc(150_000, 5);
  scene.engine.outputs = () => [{ name: 'y', datatype: 'UINT8', shape: [150_000], data: big }];
  const outcome = await scene.client.call('ModelInfer', digits);
  assert.ok(rawOf(outcome)[0]?.equals(big));
});

test('a very long message is cut until it fits into the headers that clients take', async () => {
  scene.engine.ending = { ending: 'failed', code: 'MODEL_FAILED', message: '模'.repeat(3000) };
  const outcome = await scene.client.call('ModelInfer', digits);
  assert.equal(outcome.code, status.INTERNAL);
  assert.ok(encodeURI(outcome.details).length <= 3500);
  assert.match(outcome.details, /^MODEL_FAILED: 模{100}/);
});
