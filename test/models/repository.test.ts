// The model repository: what it finds, what it refuses with which words, and that one model's fault stays its own.
import assert from 'node:assert/strict';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ModelEntry } from '../../runtime/models/entry.js';
import { scanRepository } from '../../runtime/models/repository.js';
import { onnxIdentity, writeOnnx } from '../executor/onnx.js';
import { chunk, input, joined, model, number, output, value } from './fields.js';
import { folderOf } from './folder.js';
import { samples } from './places.js';

const identity = onnxIdentity('FP32', 4);
const echo = `backend: echo
inputs: [{ name: x, datatype: FP32, shape: [2] }]
outputs: [{ name: y, datatype: FP32, shape: [2] }]
`;
/** Takes x, gives y and a sequence that can't be served. */
const withSequence = model(
  chunk(input, value('x', 1, ['N', 4])),
  chunk(output, value('y', 1, ['N', 4])),
  chunk(output, joined([chunk(1, 'map'), chunk(2, chunk(4, number(1, 1)))])),
);

async function only(files: Readonly<Record<string, string | Uint8Array>>): Promise<ModelEntry> {
  const { models } = await scanRepository(folderOf(files));
  assert.equal(models.length, 1, JSON.stringify(models));
  return models[0] as ModelEntry;
}

test('the samples are all available', async () => {
  const repository = await scanRepository(samples);
  assert.deepEqual(repository.notes, []);
  assert.deepEqual(
    repository.models.map(({ name, version, state, reason, maxBatch }) => [
      name,
      version,
      state,
      reason,
      maxBatch,
    ]),
    [
      ['digits', '1', 'available', '', 32],
      ['echo', '1', 'available', '', 32],
      ['minilm', '1', 'available', '', 16],
      ['srcnn', '1', 'available', '', 1],
      ['srcnn_x3', '1', 'available', '', 1],
      ['super_resolution', '1', 'available', '', 0],
    ],
  );
  const digits = repository.find('digits', '') as ModelEntry;
  assert.equal(digits.file, join(samples, 'digits', '1', 'model.onnx'));
  assert.ok(digits.sizeBytes > 10_000 && digits.sizeBytes < 50_000);
  assert.deepEqual(digits.inputs, [{ name: 'input', datatype: 'FP32', shape: [-1, 1, 8, 8] }]);
  assert.deepEqual(JSON.parse(JSON.stringify(repository.models)), repository.models);
});

test('a folder one level too deep is refused with the right one, and an empty one is told of', async () => {
  const folder = folderOf({ 'plain/1/model.onnx': identity, 'plain/config.yaml': 'maxBatch: 4' });
  await assert.rejects(scanRepository(join(folder, 'plain')), ({ message }: Error) =>
    message.endsWith(`name the folder of models with --models ${folder}`),
  );
  const empty = await scanRepository(folderOf({ 'README.md': '' }));
  assert.equal(empty.models.length, 0);
  assert.match(empty.notes.join(), /has no models; each is a folder in it: .*NAME.1.model\.onnx$/);
});

test('a model file needs no configuration', async () => {
  const entry = await only({ 'plain/1/model.onnx': identity });
  assert.equal(entry.state, 'available');
  assert.equal(entry.maxBatch, 0);
  assert.deepEqual(entry.outputs, [{ name: 'y', datatype: 'FP32', shape: [-1, 4] }]);
});

test('versions are ordered as numbers, and the newest good one answers for all', async () => {
  const repository = await scanRepository(
    folderOf({
      'm/9/model.onnx': identity,
      'm/10/model.onnx': identity,
      'm/2/model.onnx': identity,
      'm/11/model.onnx': 'rubbish',
    }),
  );
  assert.deepEqual(
    repository.models.map((entry) => entry.version),
    ['2', '9', '10', '11'],
  );
  assert.equal(repository.find('m', '')?.version, '10');
  assert.equal(repository.find('m', '11')?.state, 'unavailable');
  assert.equal(repository.find('m', '3'), undefined);
  assert.equal(repository.find('n', ''), undefined);
});

test('of broken versions the newest tells why', async () => {
  const repository = await scanRepository(folderOf({ 'm/1/model.onnx': '', 'm/2/model.onnx': 'rubbish' }));
  assert.equal(repository.find('m', '')?.version, '2');
});

test('one corrupt model does not touch the others', async () => {
  const folder = folderOf({
    'cut/1/model.onnx': identity.subarray(0, -3),
    'garbled/config.yaml': 'maxBatch: [',
    'garbled/1/model.onnx': identity,
    'good/1/model.onnx': identity,
    'also/config.yaml': echo,
  });
  const { models } = await scanRepository(folder);
  const states = Object.fromEntries(models.map(({ name, state, reason }) => [name, { state, reason }]));
  assert.deepEqual(states['good'], { state: 'available', reason: '' });
  assert.deepEqual(states['also'], { state: 'available', reason: '' });
  assert.equal(states['cut']?.state, 'unavailable');
  assert.ok(
    states['cut']?.reason.startsWith(
      `${join(folder, 'cut', '1', 'model.onnx')}: it is not an ONNX model: it is cut`,
    ),
  );
  assert.ok(
    states['garbled']?.reason.startsWith(`${join(folder, 'garbled', 'config.yaml')}: it is not YAML: line 1`),
  );
});

const broken: [what: string, files: Record<string, string | Uint8Array>, says: RegExp][] = [
  [
    'a key misspelt',
    { 'm/config.yaml': 'maxBach: 4', 'm/1/model.onnx': identity },
    /m\/config\.yaml: maxBach .* did you mean maxBatch\?$/,
  ],
  ['no model file', { 'm/1/notes.txt': '' }, /m\/1\/model\.onnx: it does not exist$/],
  ['a folder for a file', { 'm/1/model.onnx/x': '' }, /m\/1\/model\.onnx: it is not a file$/],
  [
    'a folder for a configuration',
    { 'm/config.yaml/x': '', 'm/1/model.onnx': identity },
    /config\.yaml: it is a folder, wanted is a file$/,
  ],
  [
    'a configuration without a version',
    { 'm/config.yaml': 'maxBatch: 2' },
    /m: it has no version: .*m\/1\/model\.onnx is where the model belongs$/,
  ],
  [
    'a model beside its version',
    { 'm/model.onnx': identity },
    /m\/1\/model\.onnx is where the model belongs$/,
  ],
  [
    'an endless configuration',
    { 'm/config.yaml': '#'.repeat(2 ** 20 + 1), 'm/1/model.onnx': identity },
    /it has 1048577 bytes, allowed are 1048576$/,
  ],
  [
    'an echo that says nothing',
    { 'm/config.yaml': 'backend: echo' },
    /inputs is missing, and backend echo has no file that tells them: declare them, such as inputs: \[\{ name: x, .*; outputs is missing, /,
  ],
  [
    'a backend of its own that is not there',
    { 'm/config.yaml': 'backend: ./mine.js' },
    /m\/config\.yaml: backend is \.\/mine\.js: \S+\/m\/mine\.js: it does not exist; /,
  ],
  [
    'a backend of its own that is a folder',
    { 'm/config.yaml': 'backend: ./mine.js', 'm/mine.js/1': '' },
    /m\/config\.yaml: backend is \.\/mine\.js: \S+\/m\/mine\.js: it is not a file; /,
  ],
  [
    'a backend of its own without inputs',
    { 'm/config.yaml': 'backend: ./mine.js', 'm/mine.js': '' },
    /inputs is missing, and backend \.\/mine\.js has no file that tells them: declare them/,
  ],
  ['an echo without outputs', { 'm/config.yaml': 'backend: echo\ninputs: []' }, /outputs is missing/],
];

const disagreeing: [what: string, config: string, onnx: Uint8Array, says: RegExp][] = [
  [
    'a name',
    'inputs: [{ name: z, datatype: FP32, shape: [-1, 4] }, { name: x, datatype: FP32, shape: [-1, 4] }]',
    identity,
    /inputs names z; the ONNX file has x$/,
  ],
  [
    'a name twice',
    `outputs: [${'{ name: y, datatype: FP32, shape: [-1, 4] },'.repeat(2)}]`,
    identity,
    /outputs names y twice$/,
  ],
  [
    'a datatype',
    'inputs: [{ name: x, datatype: FP64, shape: [-1, 4] }]',
    identity,
    /inputs: x is FP64 here and FP32 in the ONNX file$/,
  ],
  [
    'a size',
    'inputs: [{ name: x, datatype: FP32, shape: [-1, 5] }]',
    identity,
    /inputs: x has shape \[-1, 5\] here and \[-1, 4\] in the ONNX file$/,
  ],
  [
    'a rank',
    'outputs: [{ name: y, datatype: FP32, shape: [4] }]',
    identity,
    /outputs: y has shape \[4\] here and \[-1, 4\] in the ONNX file$/,
  ],
  ['an input left out', 'inputs: []', identity, /inputs leaves out x, which the ONNX file needs$/],
  [
    'an input made optional',
    'inputs: [{ name: x, datatype: FP32, shape: [-1, 4], optional: true }]',
    identity,
    /x can't be optional/,
  ],
  [
    'rows in a fixed dimension',
    'maxBatch: 4',
    fixedRows(),
    /maxBatch is 4, but x has shape \[1, 4\]: its first dimension must be open \(-1\) to count rows; with batching\.sizes: \[1\] it may be 1/,
  ],
  ['rows in a scalar', 'maxBatch: 4', scalar(), /maxBatch is 4, but y has shape \[\]/],
  [
    'rows of nothing',
    'maxBatch: 4',
    model(chunk(output, value('y', 1, [1]))),
    /no input whose rows could be counted$/,
  ],
  [
    'an output that is no tensor',
    '',
    withSequence,
    /has under outputs map, which is no tensor; name under outputs those/,
  ],
  [
    'elements that nobody speaks',
    '',
    model(chunk(output, value('y', 17, [1]))),
    /y, which has elements of ONNX type 17/,
  ],
  [
    'a shape that nobody tells',
    '',
    model(chunk(output, value('y', 1))),
    /does not tell the shape of y: say it under outputs$/,
  ],
  [
    'a name without letters',
    '',
    model(chunk(output, value('', 1, [1]))),
    /a name of 0 characters, allowed are 1 to 128$/,
  ],
  [
    'dimensions without end',
    '',
    model(chunk(output, value('y', 1, new Array(17).fill(1)))),
    /y has 17 dimensions in the ONNX file, allowed are 16$/,
  ],
  [
    'outputs without end',
    '',
    model(...Array.from({ length: 65 }, (_, at) => chunk(output, value(`y${at}`, 1, [1])))),
    /has 65 outputs, allowed are 64$/,
  ],
];

function fixedRows(): Uint8Array {
  const shape = [1, 4];
  return writeOnnx({
    inputs: [{ name: 'x', datatype: 'FP32', shape }],
    outputs: [{ name: 'y', datatype: 'FP32', shape }],
    nodes: [{ operator: 'Identity', inputs: ['x'], outputs: ['y'] }],
  });
}

function scalar(): Uint8Array {
  return model(chunk(input, value('x', 1, ['N'])), chunk(output, value('y', 1, [])));
}

for (const [what, files, says] of broken) {
  test(`unavailable with the reason: ${what}`, async () => {
    const entry = await only(files);
    assert.equal(entry.state, 'unavailable');
    assert.equal(entry.version, '1');
    assert.match(entry.reason, says);
  });
}

for (const [what, config, onnx, says] of disagreeing) {
  test(`configuration and ONNX file disagree: ${what}`, async () => {
    const entry = await only({ 'm/config.yaml': config, 'm/1/model.onnx': onnx });
    assert.equal(entry.state, 'unavailable');
    assert.match(entry.reason, says);
    assert.ok(entry.reason.includes(join('m', 'config.yaml')), entry.reason);
  });
}

test('configuration and ONNX file complete one another', async () => {
  const entry = await only({
    'm/config.yaml': `
maxBatch: 4
inputs: [{ name: x, datatype: FP32, shape: [-1, -1] }]
outputs: [{ name: y, datatype: FP32, shape: [-1, 4] }]
`,
    'm/1/model.onnx': withSequence,
  });
  assert.equal(entry.reason, '');
  assert.deepEqual(entry.inputs, [{ name: 'x', datatype: 'FP32', shape: [-1, 4] }]);
  assert.deepEqual(entry.outputs, [{ name: 'y', datatype: 'FP32', shape: [-1, 4] }]);
  const told = await only({
    'm/config.yaml': 'outputs: [{ name: y, datatype: FP32, shape: [7] }]',
    'm/1/model.onnx': model(chunk(output, value('y', 1))),
  });
  assert.deepEqual(told.outputs, [{ name: 'y', datatype: 'FP32', shape: [7] }]);
});

test('what is passed over is noted', async () => {
  const folder = folderOf({
    'README.md': 'a file',
    '.git/config': '',
    '.old/1/model.onnx': identity,
    'm/1/model.onnx': identity,
    'm/config.yml': 'maxBatch: 4',
    'm/v2/model.onnx': identity,
    'm/01/model.onnx': identity,
    'm/0/model.onnx': identity,
    'bad name/1/model.onnx': identity,
    'assets/logo.png': '',
  });
  const { models, notes } = await scanRepository(folder);
  assert.deepEqual(
    models.map(({ name, version, state }) => [name, version, state]),
    [['m', '1', 'available']],
  );
  const expected = [
    /\.old is passed over: what begins with a dot is nobody's model$/,
    /assets is passed over: it has neither config\.yaml nor a version; .*assets\/1\/model\.onnx is where/,
    /bad name is passed over: a model's name is/,
    /m\/0 is passed over: a version is a number from 1 to 9{15}$/,
    /m\/01 is passed over/,
    /m\/v2 is passed over/,
    /m\/config\.yml is passed over: the file is called config\.yaml$/,
  ];
  assert.equal(notes.length, expected.length, notes.join('\n'));
  for (const [index, says] of expected.entries()) assert.match(notes[index] as string, says);
});

test('a link to a model counts, one to nowhere or to itself is noted', {
  skip: process.platform === 'win32',
}, async () => {
  const elsewhere = folderOf({ '1/model.onnx': identity });
  const folder = folderOf({});
  symlinkSync(elsewhere, join(folder, 'linked'));
  symlinkSync(join(folder, 'nowhere'), join(folder, 'lost'));
  symlinkSync(join(folder, 'loop'), join(folder, 'loop'));
  const { models, notes } = await scanRepository(folder);
  assert.deepEqual(
    models.map(({ name, state }) => [name, state]),
    [['linked', 'available']],
  );
  assert.equal(notes.length, 2);
  assert.match(notes.join('\n'), /loop is passed over: it is a link that leads to itself/);
});

test('a repository that is not there is said so', async () => {
  const folder = folderOf({ file: '' });
  await assert.rejects(
    scanRepository(join(folder, 'none')),
    /the model repository .*none can't be read: it does not exist; name another with --models/,
  );
  await assert.rejects(scanRepository(join(folder, 'file')), /it is not a folder/);
  assert.deepEqual((await scanRepository(folderOf({}))).models, []);
});

test('a reason is never longer than a message may carry', async () => {
  const keys = Array.from({ length: 500 }, (_, at) => `key${at}: 1`).join('\n');
  const entry = await only({ 'm/config.yaml': keys, 'm/1/model.onnx': identity });
  assert.equal(entry.reason.length, 1000);
});
