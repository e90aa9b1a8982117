// Every kind of bad ModelInfer gets its status and a sentence that names what is wrong, and none becomes a job.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import type { Fields } from '../../runtime/doors/grpc/definitions.js';
import { openGrpc, type Scene } from './grpc-client.js';
import { a, b, digits, image, pair, rawA, rawB, row, typed } from './grpc-requests.js';

let scene: Scene;
before(async () => {
  scene = await openGrpc({ requestBytesMax: 200_000 });
});
after(() => scene.stop());
beforeEach(() => {
  scene.engine.submissions.length = 0;
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
    says: [/no model "nope" available; the models are/, /"digits"/],
  },
  {
    what: 'a model nearly known',
    request: { ...digits, model_name: 'digit' },
    status: status.NOT_FOUND,
    says: [/no model "digit" available; did you mean "digits"\? the models are "digits"/],
  },
  {
    what: 'a raw entry too many',
    request: { ...digits, raw_input_contents: [row, row] },
    says: [/has 2 entries, the request has 1 input \("image"\)/],
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
    says: [/input "image" has the shape \[-1,64\], wanted are whole numbers from 0 to 9007199254740991$/],
  },
  {
    what: 'a negative size of typed contents',
    request: typed('x', 'FP32', [-1, 1], { fp32_contents: [1] }),
    says: [/input "x" has the shape \[-1,1\], wanted are whole numbers from 0/],
  },
  {
    what: 'a size beyond 2^53',
    request: { ...digits, inputs: [{ ...image, shape: [1, '9007199254740993'] }] },
    says: [/input "image" has the shape \[1,more than 9007199254740991\], wanted/],
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
    says: [/raw_input_contents has 1 entry, the request has 2 inputs \("a", "b"\)/],
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
  ...(
    [
      ['timeout', { double_param: 1.5 }, /"timeout" is 1.5, wanted is a whole number of microseconds/],
      ['timeout', { double_param: Number.NaN }, /"timeout" is NaN, wanted/],
      [
        'timeout',
        { double_param: 2 ** 65 },
        /"timeout" is 36893488147419103000, .* to 18446744073709551615$/,
      ],
      ['timeout', { string_param: '-1' }, /"timeout" is "-1", wanted/],
      ['timeout', { bool_param: true }, /"timeout" is true, wanted/],
      ['priority', { int64_param: -1 }, /"priority" is -1, wanted is a level from 1 \(first\) to 3, or 0/],
      ['priority', { string_param: '4' }, /"priority" is "4", wanted is a level/],
      ['priority', { string_param: 'high' }, /"priority" is "high", wanted is a level/],
      ['priority', { double_param: Number.POSITIVE_INFINITY }, /"priority" is Infinity, wanted/],
    ] as const
  ).map(([name, value, says]) => ({
    what: `${name} ${JSON.stringify(value)}`,
    request: { ...digits, parameters: { [name]: value } },
    says: [says],
  })),
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
