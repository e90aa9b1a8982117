// ModelInfer over a stock client: every kind of bad request gets its status and a sentence that names what is wrong,
// and good ones arrive untouched.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import type { Fields } from '../../runtime/doors/grpc/definitions.js';
import { type Outcome, openGrpc, type Scene } from './grpc-client.js';
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

const row = Buffer.alloc(64 * 4);
const image: Fields = { name: 'image', datatype: 'FP32', shape: [1, 64] };
const digits: Fields = { model_name: 'digits', inputs: [image], raw_input_contents: [row] };

function pair(inputs: readonly Fields[], raw: readonly Buffer[], more: Fields = {}): Fields {
  return { model_name: 'pair', inputs, raw_input_contents: raw, ...more };
}
const a: Fields = { name: 'a', datatype: 'FP32', shape: [1, 2] };
const b: Fields = { name: 'b', datatype: 'INT32', shape: [1, 3] };
const [rawA, rawB] = [Buffer.alloc(8), Buffer.alloc(12)];
const typed = (name: string, datatype: string, shape: number[], contents: Fields): Fields => ({
  model_name: `echo_${datatype}`,
  inputs: [{ name, datatype, shape, contents }],
});

interface Refused {
  readonly what: string;
  readonly request: Fields;
  readonly status?: status;
  readonly says: readonly RegExp[];
}

const refused: readonly Refused[] = [
  {
    what: 'unknown model',
    request: { ...digits, model_name: 'nope' },
    status: status.NOT_FOUND,
    says: [/no model "nope"/, /"digits"/],
  },
  {
    what: 'unknown version',
    request: { ...digits, model_version: '9' },
    status: status.NOT_FOUND,
    says: [/"digits" has no version "9" available/, /versions are "1"/],
  },
  {
    what: 'a version that is no number',
    request: { ...digits, model_version: 'new' },
    status: status.NOT_FOUND,
    says: [/version "new"/],
  },
  {
    what: 'a broken model',
    request: { ...digits, model_name: 'broken' },
    status: status.UNAVAILABLE,
    says: [/"broken" version 1 can't be served: model.onnx is no ONNX file/],
  },
  {
    what: 'unknown input',
    request: pair([a, { ...b, name: 'bee' }], [rawA, rawB]),
    says: [/model "pair" has no input "bee"/, /"a" \(FP32 \[-1,2\]\), "b" \(INT32 \[-1,3\]\)/],
  },
  {
    what: 'missing input',
    request: pair([a], [rawA]),
    says: [/misses input "b" \(INT32 \[-1,3\]\)/, /given are: "a"/],
  },
  {
    what: 'doubled input',
    request: pair([a, a], [rawA, rawA]),
    says: [/input "a" of model "pair" is given twice/],
  },
  {
    what: 'wrong datatype',
    request: pair([a, { ...b, datatype: 'INT64' }], [rawA, rawB]),
    says: [/input "b" of model "pair" is given with datatype "INT64", wanted is INT32/],
  },
  {
    what: 'a datatype that does not exist',
    request: pair([a, { ...b, datatype: 'INT33' }], [rawA, rawB]),
    says: [/"INT33", wanted is INT32 \(the datatypes are BOOL, /],
  },
  {
    what: 'no datatype',
    request: pair([a, { ...b, datatype: '' }], [rawA, rawB]),
    says: [/no datatype, wanted is INT32/],
  },
  {
    what: 'wrong shape',
    request: { ...digits, inputs: [{ ...image, shape: [1, 8, 8] }] },
    says: [
      /input "image" of model "digits" is given with shape \[1,8,8\]; wanted is \[-1,64\]/,
      /up to 32 rows/,
    ],
  },
  {
    what: 'no shape',
    request: { ...digits, inputs: [{ ...image, shape: [] }] },
    says: [/given with shape \[\]; wanted is \[-1,64\]/],
  },
  {
    what: 'negative size',
    request: { ...digits, inputs: [{ ...image, shape: [-1, 64] }] },
    says: [/given with shape \[-1,64\]/],
  },
  {
    what: 'batch over the maximum',
    request: {
      ...digits,
      inputs: [{ ...image, shape: [33, 64] }],
      raw_input_contents: [Buffer.alloc(33 * 256)],
    },
    says: [/33 rows \(shape \[33,64\]\), wanted are 1 to 32/],
  },
  {
    what: 'no rows',
    request: { ...digits, inputs: [{ ...image, shape: [0, 64] }], raw_input_contents: [Buffer.alloc(0)] },
    says: [/0 rows/],
  },
  {
    what: 'batch sizes differ',
    request: pair([{ ...a, shape: [2, 2] }, b], [Buffer.alloc(16), rawB]),
    says: [/input "b" of model "pair" has 1 rows and input "a" has 2/],
  },
  {
    what: 'too few bytes',
    request: { ...digits, raw_input_contents: [row.subarray(4)] },
    says: [/input "image" of model "digits" has 252 bytes of data; FP32 of shape \[1,64\] takes 256/],
  },
  {
    what: 'too many bytes',
    request: { ...digits, raw_input_contents: [Buffer.alloc(260)] },
    says: [/has 260 bytes of data; .* takes 256/],
  },
  {
    what: 'a shape whose product overflows',
    request: {
      model_name: 'grid',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [4, 3, 2 ** 52] }],
      raw_input_contents: [row],
    },
    says: [/more elements than can be counted/],
  },
  {
    what: 'a shape of far too many bytes',
    request: {
      model_name: 'grid',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 3, 2 ** 50] }],
      raw_input_contents: [row],
    },
    says: [/has 256 bytes of data; FP32 of shape \[1,3,1125899906842624\] takes 13510798882111488/],
  },
  {
    what: 'unknown output',
    request: { ...digits, outputs: [{ name: 'labels' }] },
    says: [/model "digits" has no output "labels"; its outputs are "scores"/],
  },
  {
    what: 'doubled output',
    request: { ...digits, outputs: [{ name: 'scores' }, { name: 'scores' }] },
    says: [/output "scores" of model "digits" is asked for twice/],
  },
  {
    what: 'raw and typed together',
    request: { ...digits, inputs: [{ ...image, contents: { fp32_contents: [1] } }] },
    says: [/input "image" has typed contents and the request has raw_input_contents/],
  },
  {
    what: 'too few raw entries',
    request: pair([a, b], [rawA]),
    says: [/raw_input_contents has 1 entries, the request has 2 inputs \("a", "b"\)/],
  },
  {
    what: 'too many raw entries',
    request: pair([a, b], [rawA, rawB, rawB]),
    says: [/has 3 entries, the request has 2 inputs/],
  },
  {
    what: 'typed contents of the wrong kind',
    request: typed('x', 'FP32', [1, 1], { int_contents: [1] }),
    says: [/input "x" is FP32 and given in int_contents, wanted is fp32_contents/],
  },
  {
    what: 'typed contents of two kinds',
    request: typed('x', 'FP32', [1, 1], { int_contents: [1], fp32_contents: [1] }),
    says: [/input "x" has int_contents and fp32_contents/],
  },
  {
    what: 'too few typed elements',
    request: typed('x', 'FP32', [1, 3], { fp32_contents: [1, 2] }),
    says: [/input "x" has 2 elements in fp32_contents, its shape \[1,3\] takes 3/],
  },
  {
    what: 'no contents at all',
    request: { model_name: 'digits', inputs: [image] },
    says: [/input "image" has 0 elements in fp32_contents/],
  },
  {
    what: 'a typed shape that overflows',
    request: typed('x', 'FP32', [2 ** 40, 2 ** 40], { fp32_contents: [1] }),
    says: [/input "x" has the shape \[1099511627776,1099511627776\]/],
  },
  {
    what: 'typed FP16',
    request: typed('x', 'FP16', [1, 1], { fp32_contents: [1] }),
    says: [/input "x" is FP16, which has no typed contents: send it raw/],
  },
  {
    what: 'typed element out of range',
    request: typed('x', 'INT8', [1, 2], { int_contents: [1, 200] }),
    says: [/element 1 of input "x" is 200, wanted is a whole number from -128 to 127/],
  },
  {
    what: 'a BYTES element longer than its tensor',
    request: {
      model_name: 'echo_BYTES',
      inputs: [{ name: 'x', datatype: 'BYTES', shape: [1, 1] }],
      raw_input_contents: [Buffer.from([9, 0, 0, 0, 1])],
    },
    says: [/input "x" of model "echo_BYTES" of shape \[1,1\]/, /element 0 says it has 9 bytes, 1 are left/],
  },
  {
    what: 'bytes left over after BYTES',
    request: {
      model_name: 'echo_BYTES',
      inputs: [{ name: 'x', datatype: 'BYTES', shape: [1, 1] }],
      raw_input_contents: [Buffer.from([1, 0, 0, 0, 1, 7])],
    },
    says: [/1 bytes are left over after 1 elements/],
  },
  {
    what: 'more BYTES elements than there can be',
    request: {
      model_name: 'echo_BYTES',
      inputs: [{ name: 'x', datatype: 'BYTES', shape: [1, 2 ** 40] }],
      raw_input_contents: [Buffer.from([1, 0, 0, 0, 1])],
    },
    says: [/element 1 of 1099511627776 has no length/],
  },
  {
    what: 'shared memory',
    request: {
      ...digits,
      inputs: [{ ...image, parameters: { shared_memory_region: { string_param: 'r' } } }],
    },
    status: status.UNIMPLEMENTED,
    says: [/input "image" asks for shared memory/],
  },
  {
    what: 'classification',
    request: { ...digits, outputs: [{ name: 'scores', parameters: { classification: { int64_param: 3 } } }] },
    status: status.UNIMPLEMENTED,
    says: [/output "scores" asks for classification/],
  },
  {
    what: 'a priority that does not exist',
    request: { ...digits, parameters: { priority: { uint64_param: 9 } } },
    says: [/parameter "priority" is 9, wanted is a level from 1 \(first\) to 3/],
  },
  {
    what: 'a timeout that is no number',
    request: { ...digits, parameters: { timeout: { string_param: 'soon' } } },
    says: [/parameter "timeout" is "soon", wanted is a whole number/],
  },
  {
    what: 'a negative timeout',
    request: { ...digits, parameters: { timeout: { int64_param: -5 } } },
    says: [/parameter "timeout" is -5/],
  },
  { what: 'no model at all', request: {}, status: status.NOT_FOUND, says: [/no model ""/] },
];

for (const { what, request, status: wanted = status.INVALID_ARGUMENT, says } of refused) {
  test(`refused: ${what}`, async () => {
    const outcome = await scene.client.call('ModelInfer', request);
    assert.equal(status[outcome.code], status[wanted], outcome.details);
    for (const pattern of says) assert.match(outcome.details, pattern);
    const code = String(outcome.trailers.get('signalbox-code')[0]);
    assert.ok(outcome.details.startsWith(`${code}: `), outcome.details);
    assert.equal(scene.engine.submissions.length, 0);
    assert.deepEqual(scene.log.lines, []);
  });
}

test('bytes that are no message are the caller’s error', async () => {
  for (const bytes of [Buffer.from([0x2a, 0x7f, 1]), Buffer.from('rubbish'), Buffer.alloc(50, 0xff)]) {
    const outcome = await scene.client.raw('ModelInfer', bytes);
    assert.equal(outcome.code, status.INVALID_ARGUMENT, outcome.details);
    assert.match(outcome.details, /no protobuf message of a ModelInfer request/);
  }
});

test('more than the bound is RESOURCE_EXHAUSTED', async () => {
  const outcome = await scene.client.raw('ModelInfer', Buffer.alloc(200_001));
  assert.equal(outcome.code, status.RESOURCE_EXHAUSTED);
  assert.match(outcome.details, /larger than max/);
});

test('names that can’t be shown come back quoted and cut', async () => {
  const outcome = await scene.client.call('ModelInfer', {
    ...digits,
    model_name: `\u0007"\n${'z'.repeat(5000)}`,
  });
  assert.equal(outcome.code, status.NOT_FOUND);
  assert.ok(outcome.details.length < 1300, String(outcome.details.length));
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
