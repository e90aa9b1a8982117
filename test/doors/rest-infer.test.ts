// POST …/infer: JSON and binary tensors in both directions, packed or not, and how failures of jobs are told.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { deflateRawSync, deflateSync, gunzipSync, gzipSync } from 'node:zlib';
import type { ErrorCode } from '../../proto/errors.js';
import { type Datatype, datatypes } from '../../proto/tensor.js';
import { withSpent } from '../../runtime/doors/rest/infer.js';
import { Asking, path, x } from './rest-asking.js';
import { bare, openRest, type RestScene } from './rest-client.js';
import { floats } from './stand-in.js';

let scene: RestScene;
const asking = new Asking();
const { infer, binary } = asking;
before(async () => {
  scene = await openRest({ requestBytesMax: 500_000 });
  asking.of(scene);
});
after(() => scene.stop());
beforeEach(() => {
  scene.engine.ending = undefined;
  scene.engine.outputs = undefined;
  scene.engine.submissions.length = 0;
  scene.engine.refused.length = 0;
});

test('JSON in, JSON out: id, model, newest version, one flat list an output', async () => {
  const { status, json, headers } = await infer({ id: 'größe', inputs: [x] });
  assert.equal(status, 200);
  assert.match(String(headers.get('content-type')), /application\/json/);
  assert.deepEqual(json, {
    id: 'größe',
    model_name: 'twice',
    model_version: '2',
    outputs: [{ name: 'y', datatype: 'FP32', shape: [2], data: [1.5, -2] }],
  });
});

test('a version in the path, outputs by name, data nested', async () => {
  const inputs = [
    {
      name: 'b',
      datatype: 'INT32',
      shape: [2, 3],
      data: [
        [1, 2, 3],
        [4, 5, 6],
      ],
    },
    {
      name: 'a',
      datatype: 'FP32',
      shape: [2, 2],
      data: [
        [1, 2],
        [3, 4],
      ],
    },
  ];
  const { json } = await infer(
    { inputs, outputs: [{ name: 'second' }] },
    {},
    '/v2/models/pair/versions/1/infer',
  );
  assert.deepEqual(json.outputs, [
    { name: 'second', datatype: 'INT32', shape: [2, 3], data: [1, 2, 3, 4, 5, 6] },
  ]);
  assert.equal(json.id, undefined);
});

const samples: Readonly<Partial<Record<Datatype, readonly string[]>>> = {
  BOOL: ['true', 'false'],
  UINT8: ['0', '255'],
  UINT16: ['1', '65535'],
  UINT32: ['1', '4294967295'],
  UINT64: ['9007199254740993', '18446744073709551615'],
  INT8: ['-128', '127'],
  INT16: ['-32768', '7'],
  INT32: ['-2147483648', '7'],
  INT64: ['-9223372036854775808', '9007199254740993'],
  FP32: ['1.5', '-2'],
  FP64: ['0.1', '1e+300'],
  BYTES: ['"ab\\"ü"', '""'],
};

test('every datatype goes through JSON without losing a digit', async () => {
  for (const [datatype, elements] of Object.entries(samples)) {
    const body = `{"inputs":[{"name":"x","datatype":"${datatype}","shape":[1,2],"data":[${elements}]}]}`;
    const { status, bytes } = await infer(body, {}, `/v2/models/echo_${datatype}/infer`);
    assert.equal(status, 200, `${datatype}: ${bytes}`);
    assert.ok(bytes.toString().includes(`"data":[${elements}]`), `${datatype}: ${bytes}`);
  }
});

test('every datatype goes through as binary data', async () => {
  for (const [datatype, size] of Object.entries(datatypes)) {
    const blob = size === 0 ? Buffer.from([1, 0, 0, 0, 7, 0, 0, 0, 0]) : Buffer.alloc(2 * size, 1);
    const input = { name: 'x', datatype, shape: [1, 2], parameters: { binary_data_size: blob.length } };
    const json = { inputs: [input], parameters: { binary_data_output: true } };
    const answer = await binary(json, [blob], {}, `/v2/models/echo_${datatype}/infer`);
    assert.equal(answer.status, 200, `${datatype}: ${answer.bytes}`);
    assert.equal(answer.headers.get('content-type'), 'application/octet-stream');
    const start = Number(answer.headers.get('inference-header-content-length'));
    assert.deepEqual(answer.json.outputs[0].parameters, { binary_data_size: blob.length });
    assert.deepEqual(answer.bytes.subarray(start), blob, datatype);
  }
});

test('each output says for itself whether it is binary', async () => {
  const json = {
    inputs: [
      { name: 'a', datatype: 'FP32', shape: [1, 2], parameters: { binary_data_size: 8 } },
      { name: 'b', datatype: 'INT32', shape: [1, 3], data: [1, 2, 3] },
    ],
    outputs: [{ name: 'first' }, { name: 'second', parameters: { binary_data: false } }],
    parameters: { binary_data_output: true },
  };
  const answer = await binary(json, [floats(1, 2)], {}, '/v2/models/pair/infer');
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.json.outputs[1].data, [1, 2, 3]);
  assert.deepEqual(answer.bytes.subarray(-8), floats(1, 2));
});

test('a large binary answer comes whole', async () => {
  const data = Buffer.alloc(300_000, 9);
  scene.engine.outputs = () => [{ name: 'y', datatype: 'UINT8', shape: [300_000], data }];
  const { bytes, headers } = await infer({ inputs: [x], parameters: { binary_data_output: true } });
  const start = Number(headers.get('inference-header-content-length'));
  assert.ok(bytes.subarray(start).equals(data));
});

test('a header length of 0 is one raw tensor, its shape from its size', async () => {
  const raw = { 'Inference-Header-Content-Length': '0' };
  const cases: readonly [string, Buffer, number[]][] = [
    ['digits', Buffer.alloc(3 * 256), [3, 64]],
    ['twice', Buffer.alloc(8), [2]],
    ['pixels', Buffer.alloc(8), [4, 2]],
    ['grid', Buffer.alloc(60), [1, 3, 5]],
  ];
  for (const [model, body, shape] of cases) {
    const answer = await scene.post(`/v2/models/${model}/infer`, body, raw);
    assert.equal(answer.status, 200, `${model}: ${answer.bytes}`);
    assert.deepEqual(scene.engine.submissions.at(-1)?.spec.inputs[0]?.shape, shape);
    assert.ok(answer.json.outputs[0].parameters.binary_data_size === body.length);
  }
  const text = await scene.post('/v2/models/echo_BYTES/infer', 'hello', raw);
  assert.deepEqual(text.bytes.subarray(-9), Buffer.from([5, 0, 0, 0, ...Buffer.from('hello')]));
});

test('NaN and infinities are null in JSON, half floats plain numbers', async () => {
  const data = floats(Number.NaN, Number.POSITIVE_INFINITY, 1);
  const half = Buffer.from([0x00, 0x3c, 0x00, 0xc0, 0x00, 0x7c, 0x01, 0x00]);
  const brain = Buffer.from([0x80, 0x3f, 0x20, 0xc0]);
  scene.engine.outputs = () => [
    { name: 'y', datatype: 'FP32', shape: [3], data },
    { name: 'half', datatype: 'FP16', shape: [4], data: half },
    { name: 'brain', datatype: 'BF16', shape: [2], data: brain },
  ];
  const { json } = await infer({ inputs: [x] });
  assert.deepEqual(json.outputs[0].data, [null, null, 1]);
  assert.deepEqual(json.outputs[1].data, [1, -2, null, 2 ** -24]);
  assert.deepEqual(json.outputs[2].data, [1, -2.5]);
});

test('text that is not UTF-8 is refused in JSON and whole as binary', async () => {
  const data = Buffer.from([1, 0, 0, 0, 0xff]);
  scene.engine.outputs = () => [{ name: 'y', datatype: 'BYTES', shape: [1], data }];
  const refused = await infer({ inputs: [x] });
  assert.equal(refused.status, 400);
  assert.match(refused.json.error, /element 0 of output "y" is not UTF-8.*ask for binary data/);
  const whole = await infer({ inputs: [x], parameters: { binary_data_output: true } });
  assert.deepEqual(whole.bytes.subarray(-5), data);
});

test('timeout and priority are heard', async () => {
  await infer({ inputs: [x], parameters: { timeout: 2_000_000, priority: 3 } });
  const spec = scene.engine.submissions[0]?.spec;
  assert.equal(spec?.priority, 2);
  // Less what the body took to arrive.
  const budgetMs = spec?.budgetMs ?? 0;
  assert.ok(budgetMs < 2000 && budgetMs > 1000, String(budgetMs));
});

test('gzip and deflate, in and out', async () => {
  const body = JSON.stringify({ inputs: [x] });
  for (const [encoding, packed] of [
    ['gzip', gzipSync(body)],
    ['deflate', deflateSync(body)],
    ['deflate', deflateRawSync(body)],
  ] as const) {
    const { status, json } = await scene.post(path, packed, { 'Content-Encoding': encoding });
    assert.equal(status, 200, encoding);
    assert.deepEqual(json.outputs[0].data, [1.5, -2]);
  }
  scene.engine.outputs = () => [{ name: 'y', datatype: 'UINT8', shape: [4000], data: Buffer.alloc(4000) }];
  for (const encoding of ['gzip', 'deflate']) {
    const { headers, json } = await infer({ inputs: [x] }, { 'Accept-Encoding': encoding });
    assert.equal(headers.get('content-encoding'), encoding);
    assert.equal(json.outputs[0].data.length, 4000);
  }
  const plain = await infer({ inputs: [x] }, { 'Accept-Encoding': 'gzip;q=0' });
  assert.equal(plain.headers.get('content-encoding'), null);
  assert.throws(() => gunzipSync(plain.bytes));
});

test('errors of jobs have their status, code, job and path in headers', async () => {
  const of = async (code: ErrorCode, retryAfterMs = 0) => {
    scene.engine.ending = { ending: 'failed', code, message: 'so it is', retryAfterMs };
    const { status, json, headers } = await infer({ inputs: [x] });
    assert.deepEqual(json, { error: 'so it is' });
    assert.equal(headers.get('signalbox-code'), code);
    assert.match(String(headers.get('signalbox-job')), /^router-1\//);
    assert.equal(headers.get('signalbox-path'), 'queued@0ms > running@1.3ms(on worker-1)');
    return [status, headers.get('retry-after'), headers.get('retry-after-ms')];
  };
  assert.deepEqual(await of('QUEUE_FULL', 1200), [429, '2', '1200']);
  assert.deepEqual(await of('OVERLOADED', 40.2), [429, '1', '41']);
  for (const code of ['OVERLOADED', 'DISPLACED', 'QUEUE_FULL'] as const)
    assert.deepEqual(await of(code), [429, '1', '1000'], code);
  assert.deepEqual(await of('OVERLOADED', 0.2), [429, '1', '1']);
  assert.deepEqual(await of('DEADLINE_EXCEEDED'), [504, null, null]);
  assert.deepEqual(await of('MODEL_FAILED'), [500, null, null]);
  assert.deepEqual(await of('DRAINING', 1000), [503, '1', '1000']);
});

test('of a deadline that passed, what went by before the request was read is told', () => {
  const passed = {
    code: 'DEADLINE_EXCEEDED',
    message: 'it passed',
    job: '',
    path: '',
    retryAfterMs: 0,
  } as const;
  assert.equal(
    withSpent(passed, 890, 110, 1000).message,
    'it passed; of the 1000 ms allowed, 110 ms went by before the request was read',
  );
  assert.equal(withSpent(passed, 999.99, 0.01, 1000), passed, 'too little to be told');
  assert.equal(withSpent(passed, 500, 110, 1000), passed, 'another bound was less');
  assert.equal(withSpent(passed, 30_000, 110, Number.POSITIVE_INFINITY), passed);
  const failed = { ...passed, code: 'MODEL_FAILED' } as const;
  assert.equal(withSpent(failed, 890, 110, 1000), failed);
});

test('a client whose deadline passed hears how long its body was on its way', async () => {
  scene.engine.ending = { ending: 'expired', code: 'DEADLINE_EXCEEDED', message: 'it passed' };
  const body = JSON.stringify({ inputs: [x], parameters: { timeout: 3_000_000_000 } });
  const head = `Host: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: ${body.length}`;
  const { socket, first, closed } = bare(scene.port, `POST ${path} HTTP/1.1\r\n${head}\r\n\r\n`);
  await first;
  await scene.get('/v2');
  socket.write(body);
  assert.match(
    await closed,
    /"it passed; of the 3000000 ms allowed, [\d.]+ ms went by before the request was read"/,
  );
});

test('the path of a good answer is told to whoever asks', async () => {
  const { headers } = await infer({ inputs: [x] }, { 'Signalbox-Trace': '1' });
  assert.equal(headers.get('signalbox-path'), 'queued@0ms > running@1.3ms(on worker-1)');
});

test('a timeout that is over before the body was there is refused at the door', async () => {
  const { status, json, headers } = await infer({ inputs: [x], parameters: { timeout: 1 } });
  assert.deepEqual([status, headers.get('signalbox-code')], [504, 'DEADLINE_PAST']);
  assert.match(json.error, /^the deadline had passed [\d.]+ ms before the request was read; model "twice"/);
  assert.deepEqual([headers.get('retry-after'), headers.get('signalbox-job')], [null, null]);
  assert.deepEqual(scene.engine.refused, ['twice:2 DEADLINE_PAST']);
  assert.deepEqual(scene.engine.submissions, []);
});
