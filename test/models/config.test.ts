// A model's config.yaml: its defaults, and a sentence for every way to get it wrong.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  defaultModelConfig,
  type ModelConfig,
  modelShape,
  readModelConfig,
} from '../../runtime/models/config.js';

test('an empty file means the defaults', () => {
  for (const content of ['', '# only a comment\n', '{}', '---\n']) {
    assert.deepEqual(readModelConfig(content), defaultModelConfig);
  }
  assert.deepEqual(defaultModelConfig, {
    backend: 'onnxruntime',
    maxBatch: 0,
    versions: 'all',
    placement: 'auto',
    load: 'start',
    loadLongestMs: 60_000,
    idempotent: true,
    shareIdentical: false,
    hedge: false,
    finite: false,
  });
});

test('everything that can be said is read', () => {
  const config = readModelConfig(`
backend: simulated
maxBatch: 16
versions: [1, 3]
placement: thread
deadlineDefaultMs: 250.5
runLongestMs: 5000
load: demand
memoryMb: 12.5
idempotent: true
shareIdentical: true
hedge: true
finite: true
inputs: [{ name: x, datatype: BYTES, shape: [-1, 3], optional: true }]
outputs:
  - name: y
    datatype: FP32
    shape: []
simulated: { alphaMs: 2, faultInput: { die: 666 } }
`) as ModelConfig;
  assert.deepEqual(config, {
    backend: 'simulated',
    maxBatch: 16,
    versions: [1, 3],
    placement: 'thread',
    deadlineDefaultMs: 250.5,
    runLongestMs: 5000,
    load: 'demand',
    memoryMb: 12.5,
    loadLongestMs: 60_000,
    idempotent: true,
    shareIdentical: true,
    hedge: true,
    finite: true,
    inputs: [{ name: 'x', datatype: 'BYTES', shape: [-1, 3], optional: true }],
    outputs: [{ name: 'y', datatype: 'FP32', shape: [] }],
    simulated: { alphaMs: 2, faultInput: { die: 666 } },
  });
});

test("a backend may be a module's path", () => {
  for (const backend of ['./mine.js', './a/mine.mjs', '/models/mine.cjs', './a/../mine.js']) {
    assert.equal((readModelConfig(`backend: ${backend}`) as ModelConfig).backend, backend);
  }
});

test('what may run once only is said so', () => {
  assert.equal((readModelConfig('idempotent: false') as ModelConfig).idempotent, false);
});

const wrong: [content: string, says: string][] = [
  ['maxBatch: many', 'maxBatch is "many"; wanted is a whole number from 0 to 1024'],
  ['maxBatch: "8"', 'maxBatch is "8"; wanted is a whole number from 0 to 1024'],
  ['maxBatch: 1.5', 'maxBatch is 1.5; wanted is a whole number from 0 to 1024'],
  ['maxBatch: -1', 'maxBatch is -1; wanted is a whole number from 0 to 1024'],
  ['maxBatch: 1025', 'maxBatch is 1025; wanted is a whole number from 0 to 1024'],
  ['maxBatch: 1e99', 'maxBatch is 1e+99; wanted is a whole number from 0 to 1024'],
  ['maxBatch:', 'maxBatch is empty; wanted is a whole number from 0 to 1024'],
  [
    'backend: torch',
    'backend is "torch"; wanted is one of onnxruntime, echo, simulated, or the path of a module such as ./my-backend.js',
  ],
  ['backend: mine.js', 'backend is "mine.js"; wanted is one of'],
  ['backend: ./mine.ts', 'backend is "./mine.ts"; wanted is one of'],
  ['backend: ./.js', 'backend is "./.js"; wanted is one of'],
  [
    'backend: ../mine.js',
    "backend is ../mine.js, which leads out of the model's folder; wanted is a path within it",
  ],
  ['backend: ./a/../../mine.js', "backend is ./a/../../mine.js, which leads out of the model's folder"],
  [
    '{ backend: ./mine.js, placement: inline }',
    'placement is inline, but backend is ./mine.js; a backend of your own has a thread',
  ],
  ['settings: { depth: 3 }', 'settings are for a backend of your own, but backend is onnxruntime'],
  ['{ backend: ./mine.js, simulated: {} }', 'simulated has settings, but backend is ./mine.js'],
  ['loadLongestMs: 1', 'loadLongestMs is 1; wanted is a number from 10 to 86400000'],
  ['placement: gpu', 'placement is "gpu"; wanted is one of auto, inline, thread'],
  ['deadlineDefaultMs: 0', 'deadlineDefaultMs is 0; wanted is a number from 1 to 86400000'],
  ['deadlineDefaultMs: .nan', 'deadlineDefaultMs is NaN; wanted is a number from 1 to 86400000'],
  ['idempotent: never', 'idempotent is "never"; wanted is true or false'],
  ['runLongestMs: soon', 'runLongestMs is "soon"; wanted is a number from 10 to 86400000'],
  ['inputs: x', 'inputs is "x"; wanted is a list'],
  ['inputs: [x]', 'inputs[0] is "x"; wanted is keys with values, as in `key: value`'],
  ['inputs: [{ name: x, datatype: FP32 }]', 'inputs[0].shape is missing; wanted is a list'],
  [
    'inputs: [{ name: "", datatype: FP32, shape: [] }]',
    'inputs[0].name is ""; wanted is text of 1 to 128 characters',
  ],
  [
    'outputs: [{ name: x, datatype: FP32, shape: [-1, -2] }]',
    `outputs[0].shape[1] is -2; wanted is a whole number from -1 to ${Number.MAX_SAFE_INTEGER}`,
  ],
  [
    `outputs: [{ name: x, datatype: FP32, shape: [${new Array(17).fill(1).join()}] }]`,
    `outputs[0].shape is [${new Array(17).fill(1).join()}]; wanted is a list of at most 16`,
  ],
  [
    'inputs: [{ name: x, datatype: FP32, shape: [], optional: 1 }]',
    'inputs[0].optional is 1; wanted is true or false',
  ],
  ['maxbatch: 8', 'maxbatch is not a known key; did you mean maxBatch?'],
  ['placment: auto', 'placment is not a known key; did you mean placement?'],
  ['gpu: 1', `gpu is not a known key; known are ${Object.keys(modelShape.shape).join(', ')}`],
  [
    'inputs: [{ name: x, datatype: FP32, shap: [], shape: [] }]',
    'inputs[0].shap is not a known key; did you mean shape?',
  ],
  ['- maxBatch: 8', 'the content is [{"maxBatch":8}]; wanted is keys with values, as in `key: value`'],
  ['just words', 'the content is "just words"; wanted is keys with values, as in `key: value`'],
  ['__proto__: { maxBatch: 8 }', '__proto__ is not a known key'],
  ['simulated: { alphaMs: 1 }', 'simulated has settings, but backend is onnxruntime'],
  ['{ backend: simulated, simulated: { alpha: 1 } }', 'simulated.alpha is not known'],
  [
    'shareIdentical: true\nidempotent: false',
    'shareIdentical is true and idempotent is false, but requests that may run once only are never shared',
  ],
  [
    'hedge: true\nidempotent: false',
    'hedge is true and idempotent is false, but what may run once only is never given to a second worker',
  ],
  ['maxBatch: 1\nmaxBatch: 2', 'it is not YAML: line 2: the key maxBatch is given twice'],
  ['batching:\n  policy: auto\n  policy: edf', 'it is not YAML: line 3: the key policy is given twice'],
  [
    'batching: &a [*a]',
    'it is not YAML: line 1: *a stands within what it refers to (&a): that has no end; write it out',
  ],
  ['batching:\n  needs: &n [a, { b: *n }]', 'it is not YAML: line 2: *n stands within what it refers to'],
  [
    'batching: { preferred: [8] }',
    'batching.preferred is [8], but maxBatch is 0: the model does not batch; ',
  ],
  ['batching: { sizes: [1, 8] }', 'batching.sizes is [1, 8], but maxBatch is 0: the model does not batch; '],
  ['maxBatch: [1', 'it is not YAML: line '],
  [
    'maxBatch: 1\n---\nmaxBatch: 2\n',
    'it is not YAML: line 2: it has several documents (--- or ... parts them); wanted is one',
  ],
  ['['.repeat(20_000), 'it is not YAML: line 1: it is nested too deeply'],
  ['{a: '.repeat(20_000), 'it is not YAML: line 1: it is nested too deeply'],
  ['a: b: c', 'it is not YAML: line 1: a key stands where only a value can: '],
  ['a: &a [1]\nb: *c', 'it is not YAML: *c refers to nothing: &c must stand before it'],
];

for (const [content, says] of wrong) {
  test(`wrong: ${content.slice(0, 60).replaceAll('\n', ' / ')}`, () => {
    const reason = readModelConfig(content);
    assert.equal(typeof reason, 'string', JSON.stringify(reason));
    assert.ok((reason as string).startsWith(says), `${reason}`);
  });
}

test('every datatype is named when a wrong one is given', () => {
  const reason = readModelConfig('inputs: [{ name: x, datatype: float32, shape: [1] }]') as string;
  assert.match(reason, /^inputs\[0\]\.datatype is "float32"; wanted is one of BOOL, .*FP32.*BYTES$/);
});

test('several mistakes are all told', () => {
  const reason = readModelConfig('maxBatch: x\nplacement: y\nfoo: 1') as string;
  for (const word of [/maxBatch is "x"/, /placement is "y"/, /foo is not a known key/])
    assert.match(reason, word);
});

test('a file that doubles itself over and over is refused, not unfolded', () => {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let depth = 1; depth < 12; depth++) {
    const before = `*a${depth - 1}`;
    lines.push(`a${depth}: &a${depth} [${new Array(10).fill(before).join(', ')}]`);
  }
  assert.match(readModelConfig(lines.join('\n')) as string, /^it is not YAML: .*alias/i);
});
