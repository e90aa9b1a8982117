// Every kind of bad body of POST …/infer gets its status and a sentence that names what is wrong, and none becomes a job.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Asking, path, x } from './rest-asking.js';
import { openRest, type RestAnswer, type RestScene } from './rest-client.js';

let scene: RestScene;
const asking = new Asking();
const { infer, binary } = asking;
before(async () => {
  scene = await openRest({ requestBytesMax: 500_000 });
  asking.of(scene);
});
after(() => scene.stop());
beforeEach(() => {
  scene.engine.submissions.length = 0;
});

const input = (change: object) => ({ inputs: [{ ...x, ...change }] });
const wide = { name: 'x', datatype: 'UINT8', shape: [1, 2] };

const refused: readonly [string, unknown, RegExp, string?][] = [
  ['JSON that does not parse', '{"inputs":', /^the body is not JSON: /],
  ['an empty body', '', /^the body is empty/],
  ['JSON that is no object', '[1]', /^the body is a list, wanted is a JSON object$/],
  ['JSON that is a number', '7', /^the body is 7, wanted is a JSON object$/],
  ['no inputs', {}, /^"inputs" of the request is missing, wanted is a list$/],
  ['inputs that are no list', { inputs: 7 }, /^"inputs" of the request is 7, wanted is a list$/],
  ['an input that is no object', { inputs: [7] }, /^inputs\[0\] is 7, wanted is an object$/],
  ['an input without a name', { inputs: [{}] }, /^"name" of inputs\[0\] is missing, wanted is text$/],
  [
    'an output whose name is no text',
    { inputs: [x], outputs: [{ name: 7 }] },
    /^"name" of outputs\[0\] is 7/,
  ],
  [
    'an input without a datatype',
    { inputs: [{ name: 'x' }] },
    /^"datatype" of input "x" is missing, wanted is one of BOOL/,
  ],
  [
    'an input without a shape',
    { inputs: [{ name: 'x', datatype: 'FP32' }] },
    /^"shape" of input "x" is missing, wanted is a list of sizes$/,
  ],
  [
    'a size that is no number',
    input({ shape: ['2'] }),
    /input "x" has the shape \["2"\], wanted are whole numbers from 0 to 9007199254740991$/,
  ],
  ['a negative size', input({ shape: [-2] }), /the shape \[-2\], wanted/],
  ['a size beyond 2^53', input({ shape: [2 ** 53 + 2] }), /the shape \[more than 9007199254740991\], wanted/],
  ['a size that is a list', input({ shape: [[2], null] }), /the shape \[a list,null\], wanted/],
  ['a size with a fraction', input({ shape: [1.5] }), /the shape \[1.5\], wanted/],
  ['twenty dimensions', input({ shape: Array(20).fill(1) }), /20 dimensions, at most are 16/],
  [
    'no data',
    input({ data: undefined }),
    /input "x" has neither "data" nor the parameter "binary_data_size"/,
  ],
  ['data that is no list', input({ data: 'ab' }), /^"data" of input "x" is "ab", wanted is a list$/],
  ['too few elements', input({ data: [1] }), /input "x" has 1 element in "data", its shape \[2\] takes 2/],
  [
    'data nested otherwise than its shape',
    { inputs: [{ ...wide, data: [[1], [2]] }] },
    /a list of 2 where its shape \[1,2\] has 1 \(dimension 0/,
    'echo_UINT8',
  ],
  [
    'ragged data',
    { inputs: [{ ...wide, shape: [2, 2], data: [[1, 2], [3]] }] },
    /a list of 1 where its shape \[2,2\] has 2 \(dimension 1, after 2 elements\)/,
    'echo_UINT8',
  ],
  [
    'data nested too deep',
    { inputs: [{ ...wide, data: [[[1], 2]] }] },
    /nested deeper than its shape/,
    'echo_UINT8',
  ],
  [
    'an element of the wrong kind',
    input({ data: [1, 'two'] }),
    /element 1 of input "x" \(FP32\) is "\\"two\\"", wanted is a number/,
  ],
  [
    'an element out of range',
    { inputs: [{ ...wide, data: [1, 256] }] },
    /element 1 of input "x" \(UINT8\) is "256", wanted is a whole number from 0 to 255/,
    'echo_UINT8',
  ],
  ...(
    [
      ['FP32', '1e39', /\(FP32\) is "1e\+39", wanted is a number within ±3\.4028235e\+38/],
      ['FP32', '-1e400', /\(FP32\) is below -1\.797\d+e\+308, wanted/],
      ['FP64', '1e400', /\(FP64\) is above 1\.797\d+e\+308, wanted is a number within ±1\.797\d+e\+308/],
      ['FP64', `1${'0'.repeat(400)}`, /\(FP64\) is /],
      ['INT64', '1e400', /\(INT64\) is above 1\.797\d+e\+308, wanted is a whole number/],
    ] as const
  ).map(([datatype, number, says]): [string, unknown, RegExp, string] => [
    `the number ${number.slice(0, 8)} for ${datatype}`,
    `{"inputs":[{"name":"x","datatype":"${datatype}","shape":[1,2],"data":[1,${number}]}]}`,
    new RegExp(`^element 1 of input "x" ${says.source}`),
    `echo_${datatype}`,
  ]),
  [
    'a number where text is wanted',
    { inputs: [{ ...wide, datatype: 'BYTES', data: ['a', 1] }] },
    /element 1 of input "x" \(BYTES\) is "1", wanted is text/,
    'echo_BYTES',
  ],
  [
    'half floats in JSON',
    { inputs: [{ ...wide, datatype: 'FP16', data: [1, 2] }] },
    /FP16, which JSON can't carry/,
    'echo_FP16',
  ],
  ['shapes whose product overflows', input({ shape: [2 ** 40, 2 ** 40] }), /no countable elements/],
  [
    'a batch over the maximum',
    { inputs: [{ ...wide, shape: [9, 1], data: Array(9).fill(0) }] },
    /9 rows.*1 to 8/,
    'echo_UINT8',
  ],
  ['an unknown input', input({ name: 'z' }), /model "twice" has no input "z"/],
  ['an unknown datatype', input({ datatype: 'FP8' }), /datatype "FP8", wanted is FP32/],
  ['an unknown output', { inputs: [x], outputs: [{ name: 'z' }] }, /model "twice" has no output "z"/],
  ['an id that is no text', { id: 7, inputs: [x] }, /^"id" of the request is 7, wanted is text$/],
  [
    'parameters that are no object',
    { inputs: [x], parameters: [] },
    /^"parameters" of the request is a list, wanted is an object$/,
  ],
  [
    'a parameter that is a list',
    { inputs: [x], parameters: { priority: [1] } },
    /parameter "priority" of the request is a list, wanted is true, false, a number or text$/,
  ],
  [
    'a flag that is none',
    { inputs: [x], parameters: { binary_data_output: 1 } },
    /"binary_data_output" of the request is 1, wanted is true or false$/,
  ],
  ...(
    [
      ['timeout', 1.5, /"timeout" is 1.5, wanted is a whole number of microseconds from 0 \(none\)/],
      ['timeout', -1, /"timeout" is -1, wanted/],
      ['timeout', 1e300, /"timeout" is 1e\+300, wanted/],
      ['timeout', '99999999999999999999', /"timeout" is "99999999999999999999", wanted/],
      ['timeout', false, /"timeout" is false, wanted/],
      ['priority', 4, /"priority" is 4, wanted is a level from 1 \(first\) to 3, or 0 for the default \(2\)/],
      ['priority', -1, /"priority" is -1, wanted/],
      ['priority', 0.5, /"priority" is 0.5, wanted/],
      ['priority', 'high', /"priority" is "high", wanted/],
    ] as const
  ).map(([name, value, says]): [string, unknown, RegExp] => [
    `${name} ${value}`,
    { inputs: [x], parameters: { [name]: value } },
    says,
  ]),
  ['a timeout of null', { inputs: [x], parameters: { timeout: null } }, /"timeout" of the request is null/],
  ['a timeout that is no number', { inputs: [x], parameters: { timeout: 'soon' } }, /"timeout" is "soon"/],
];

for (const [what, body, says, model = 'twice'] of refused) {
  test(`refused: ${what}`, async () => {
    const { status, json, headers } = await infer(body, {}, `/v2/models/${model}/infer`);
    assert.equal(status, 400, JSON.stringify(json));
    assert.deepEqual(Object.keys(json), ['error']);
    assert.match(json.error, says);
    assert.equal(headers.get('signalbox-code'), 'INPUT_INVALID');
    assert.equal(scene.engine.submissions.length, 0);
    assert.deepEqual(scene.log.lines, []);
  });
}

test('a body that lies about its binary sizes is refused at once', async () => {
  const of = (binary_data_size: unknown, more: object = {}) => ({
    inputs: [{ name: 'x', datatype: 'FP32', shape: [2], parameters: { binary_data_size }, ...more }],
  });
  const cases: readonly [Promise<RestAnswer>, RegExp][] = [
    [binary(of(8), [Buffer.alloc(4)]), /says it has 8 bytes of binary data, 4 are left/],
    [binary(of(4), [Buffer.alloc(8)]), /4 of 8 bytes behind the JSON belong to no input/],
    [binary(of(1e15), [Buffer.alloc(8)]), /says it has 1000000000000000 bytes/],
    [
      binary(of(-1), [Buffer.alloc(8)]),
      /"binary_data_size" of input "x" is -1, wanted is a whole number from 0$/,
    ],
    [binary(of('8'), [Buffer.alloc(8)]), /"binary_data_size" of input "x" is "8", wanted/],
    [binary(of(8, { data: [1, 2] }), [Buffer.alloc(8)]), /has both "data" and/],
    [binary(of(4), [Buffer.alloc(4)]), /has 4 bytes of data; FP32 of shape \[2\] takes 8/],
    [
      binary(of(8), [Buffer.alloc(8)], { 'Inference-Header-Content-Length': 'ten' }),
      /Content-Length is "ten", wanted is a number/,
    ],
    [binary(of(8), [Buffer.alloc(8)], { 'Inference-Header-Content-Length': '-1' }), /is "-1"/],
    [
      binary(of(8), [Buffer.alloc(8)], { 'Inference-Header-Content-Length': '99999' }),
      /is "99999", wanted is a number from 0 to/,
    ],
    [
      scene.post('/v2/models/twice/infer', Buffer.alloc(9), { 'Inference-Header-Content-Length': '0' }),
      /has 9 bytes of data/,
    ],
    [
      scene.post('/v2/models/digits/infer', Buffer.alloc(9), { 'Inference-Header-Content-Length': '0' }),
      /9 bytes don't tell the shape of input "image"/,
    ],
    [
      scene.post('/v2/models/pair/infer', Buffer.alloc(9), { 'Inference-Header-Content-Length': '0' }),
      /needs a model with one input/,
    ],
  ];
  for (const [asked, says] of cases) {
    const { status, json } = await asked;
    assert.equal(status, 400);
    assert.match(json.error, says);
  }
});

test('bodies that are not what their encoding says', async () => {
  const body = JSON.stringify({ inputs: [x] });
  const cases: readonly [string | Uint8Array, string, number, RegExp][] = [
    [body, 'gzip', 400, /the body is not gzip, which its Content-Encoding says/],
    [body, 'deflate', 400, /the body is not deflate/],
    ['', 'gzip', 400, /the body is empty, its Content-Encoding says gzip/],
    [gzipSync(body).subarray(0, 30), 'gzip', 400, /the body is not gzip/],
    [gzipSync(Buffer.alloc(600_000)), 'gzip', 413, /unpacks to more than 500000 bytes/],
    [body, 'br', 501, /Content-Encoding "br" is not known here; gzip and deflate are/],
    [body, 'gzip, deflate', 501, /"gzip, deflate" is not known/],
  ];
  for (const [sent, encoding, status, says] of cases) {
    const answer = await scene.post(path, sent, { 'Content-Encoding': encoding });
    assert.equal(answer.status, status, answer.json.error);
    assert.match(answer.json.error, says);
  }
});

test('invalid UTF-8 never comes back as such', async () => {
  const bad = Buffer.concat([
    Buffer.from('{"inputs":[{"name":"'),
    Buffer.from([0xff, 0xfe]),
    Buffer.from('"}]}'),
  ]);
  const { status, json } = await scene.post(path, bad);
  assert.equal(status, 400);
  assert.match(json.error, /not UTF-8/);
  const surrogate = await infer('{"inputs":[{"name":"\\ud800","datatype":"FP32","shape":[2],"data":[1,2]}]}');
  assert.equal(surrogate.status, 400);
  assert.equal(
    surrogate.bytes.toString().includes('\ufffd') || surrogate.bytes.toString().includes('ud800'),
    true,
  );
});
