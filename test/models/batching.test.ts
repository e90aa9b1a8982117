// What a model's config.yaml says under `batching`: what schedulers are told, and a sentence for every way to get it wrong.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { batchingDefaults } from '../../proto/batching.js';
import { batchingOf, rowSizesOf } from '../../runtime/models/batching.js';
import { type ModelConfig, readModelConfig } from '../../runtime/models/config.js';
import { scanRepository } from '../../runtime/models/repository.js';
import { listedModels } from '../../runtime/node/listed.js';
import { folderOf } from './folder.js';

function read(content: string): ModelConfig {
  const config = readModelConfig(content);
  if (typeof config === 'string') throw new Error(config);
  return config;
}

describe('batching is said', () => {
  test('not at all, or with nothing under it: the defaults', () => {
    assert.deepEqual(batchingOf(read('').batching), batchingDefaults);
    assert.deepEqual(batchingOf(read('batching: {}').batching), batchingDefaults);
    assert.equal(read('batching: {}').maxBatch, 0);
  });

  test('in full: schedulers hear all of it', () => {
    const { batching, maxBatch } = read(`
batching:
  maxBatch: 16
  preferred: [4, 8]
  maxDelayMs: 2.5
  policy: window
  weight: 0.5
  queueDepthMax: 100
  queueBytesMax: 4096
  choice: fastest
  needs: [webgpu]
  prefers: ['host:here', rack-1]
  sizes: [1, 4, 16]
  padding: sizes
`);
    assert.equal(maxBatch, 16);
    assert.deepEqual(rowSizesOf(batching), [1, 4, 16]);
    assert.deepEqual(batchingOf(batching), {
      policy: 'window',
      preferred: [4, 8],
      delayMostMs: 2.5,
      weight: 0.5,
      depthMax: 100,
      bytesMax: 4096,
      choice: 'fastest',
      needs: ['webgpu'],
      prefers: ['host:here', 'rack-1'],
    });
  });

  test('with maxBatch in either place, or the same in both', () => {
    for (const content of [
      'maxBatch: 8',
      'batching: { maxBatch: 8 }',
      'maxBatch: 8\nbatching: { maxBatch: 8 }',
    ])
      assert.equal(read(content).maxBatch, 8, content);
  });

  test('and the actors are told of it with the model', async () => {
    const config = `backend: echo\nmaxBatch: 2\nbatching: { weight: 3 }\n${ports('[-1, 4]')}`;
    const [model] = listedModels(await scanRepository(folderOf({ 'm/config.yaml': config })), 1000);
    assert.deepEqual(model?.batching, { ...batchingDefaults, weight: 3 });
  });
});

const wrong: [content: string, says: RegExp][] = [
  [
    'batching: { shapeBuckets: { dimension: 0, sizes: [32] } }',
    /^batching\.shapeBuckets\.dimension is 0; wanted is a whole number from 1 to 15$/,
  ],
  [
    'maxBatch: 4\nbatching: { maxBatch: 8 }',
    /^maxBatch is 4 and batching\.maxBatch is 8; wanted is one of them/,
  ],
  ['batching: { maxBatch: 4096 }', /^batching\.maxBatch is 4096; wanted is a whole number from 0 to 1024$/],
  ['batching: fast', /^batching is "fast"; wanted is keys with values/],
  ['batching: { polcy: edf }', /^batching\.polcy is not a known key; did you mean policy\?$/],
  [
    'batching: { policy: lifo }',
    /^batching\.policy is "lifo"; wanted is one of auto, eager, deferred, window, edf$/,
  ],
  [
    'batching: { choice: random }',
    /^batching\.choice is "random"; wanted is one of earliest-finish, least-loaded, round-robin, fastest$/,
  ],
  ['batching: { weight: 0 }', /^batching\.weight is 0; wanted is a number above 0, to 1000$/],
  ['batching: { weight: -1 }', /^batching\.weight is -1; wanted is a number above 0, to 1000$/],
  ['batching: { weight: heavy }', /^batching\.weight is "heavy"; wanted is a number above 0, to 1000$/],
  ['batching: { maxDelayMs: -1 }', /^batching\.maxDelayMs is -1; wanted is a number from 0 to 60000$/],
  [
    'batching: { queueDepthMax: 0 }',
    /^batching\.queueDepthMax is 0; wanted is a whole number from 1 to 1000000$/,
  ],
  ['batching: { queueBytesMax: 1 }', /^batching\.queueBytesMax is 1; wanted is a whole number from 1024 to /],
  [
    'batching: { maxBatch: 8, preferred: [8, 4] }',
    /^batching\.preferred is \[8, 4\]: 4 follows 8; wanted are ascending numbers$/,
  ],
  [
    'batching: { maxBatch: 8, preferred: [4, 16] }',
    /^batching\.preferred\[1\] is 16; wanted is a whole number from 1 to 8, which is maxBatch$/,
  ],
  ['batching: { needs: [" "] }', /^batching\.needs\[0\] is " "; wanted is a tag of 1 to 128 letters, digits/],
  ['batching: { prefers: ["a,b"] }', /^batching\.prefers\[0\] is "a,b"; wanted is a tag/],
  ['batching: { padding: right }', /^batching\.padding is "right"; wanted is one of none, bucket, sizes$/],
  [
    'batching: { padding: sizes }',
    /^batching\.padding is sizes, but batching\.sizes is missing; wanted is a list/,
  ],
  ['batching: { padding: bucket }', /^batching\.padding is bucket, but batching\.shapeBuckets is missing/],
  [
    'batching: { maxBatch: 4, sizes: [1, 4], padding: none }',
    /^batching\.padding is none, but batching\.sizes asks for it/,
  ],
  [
    'batching: { maxBatch: 8, sizes: [1, 4] }',
    /^batching\.sizes is \[1, 4\]; wanted are ascending numbers up to maxBatch, the last 8 itself$/,
  ],
  ['batching: { maxBatch: 8, sizes: [] }', /^batching\.sizes is \[\]; wanted are/],
  ['batching: { maxBatch: 8, sizes: [8, 1, 8] }', /^batching\.sizes is \[8, 1, 8\]: 1 follows 8/],
  [
    'batching: { shapeBuckets: { dimension: 1, sizes: [64, 32] } }',
    /^batching\.shapeBuckets\.sizes is \[64, 32\]: 32 follows 64/,
  ],
  [
    'batching: { shapeBuckets: { dimension: 1, sizes: [] } }',
    /^batching\.shapeBuckets\.sizes is \[\]; wanted is a list of 1 to 64$/,
  ],
  [
    'batching: { shapeBuckets: { sizes: [32] } }',
    /^batching\.shapeBuckets\.dimension is missing; wanted is a whole number from 1 to 15$/,
  ],
];

for (const [content, says] of wrong) {
  test(`wrong: ${content.replaceAll('\n', ' / ')}`, () => {
    const reason = readModelConfig(content);
    assert.equal(typeof reason, 'string', JSON.stringify(reason));
    assert.match(reason as string, says);
  });
}

const unfit: [what: string, config: string, shape: string, says: RegExp][] = [
  [
    'rows beyond a fixed size',
    'maxBatch: 16',
    '[8, 4]',
    /maxBatch is 16, but x has shape \[8, 4\].*sizes: \[8\] it may be 8/,
  ],
  ['buckets without batches', buckets(1), '[-1]', /shapeBuckets is given, but maxBatch is 0/],
  [
    'buckets of a closed dimension',
    `maxBatch: 4\n${buckets(1)}`,
    '[-1, 8]',
    /no input has an open \(-1\) dimension 1/,
  ],
  [
    'buckets of a stranger',
    `maxBatch: 4\n${buckets(1, 'ids')}`,
    '[-1, -1]',
    /inputs names ids; the model's inputs are x$/,
  ],
  [
    'buckets of a closed input',
    `maxBatch: 4\n${buckets(1, 'x')}`,
    '[-1, 8]',
    /inputs names x, whose shape \[-1, 8\] has no open/,
  ],
];

for (const [what, config, shape, says] of unfit) {
  test(`the model is unavailable with the reason, the rest serve: ${what}`, async () => {
    const folder = folderOf({
      'm/config.yaml': `backend: echo\n${config}\n${ports(shape)}`,
      'other/config.yaml': `backend: echo\n${ports('[4]')}`,
    });
    const [broken, other] = (await scanRepository(folder)).models;
    assert.equal(broken?.state, 'unavailable');
    assert.match(broken?.reason ?? '', says);
    assert.ok(broken?.reason.startsWith(`${folder}/m/config.yaml: `), broken?.reason);
    assert.equal(other?.state, 'available');
  });
}

test('a model of a fixed batch size is served by filling batches up', async () => {
  const config = `backend: echo\nmaxBatch: 8\nbatching: { sizes: [8] }\n${ports('[8, 4]')}`;
  const [model] = (await scanRepository(folderOf({ 'm/config.yaml': config }))).models;
  assert.equal(model?.reason, '');
  assert.deepEqual(model?.inputs[0]?.shape, [-1, 4]);
});

test('texts can not be padded', async () => {
  const config = `backend: echo\nmaxBatch: 8\n${buckets(1)}\n${ports('[-1, -1]').replaceAll('FP32', 'BYTES')}`;
  const [model] = (await scanRepository(folderOf({ 'm/config.yaml': config }))).models;
  assert.match(model?.reason ?? '', /would pad x, which is BYTES: only numbers can be padded$/);
});

function ports(shape: string): string {
  return ['inputs', 'outputs']
    .map((side) => `${side}: [{ name: x, datatype: FP32, shape: ${shape} }]`)
    .join('\n');
}

function buckets(dimension: number, input = ''): string {
  const inputs = input === '' ? '' : `, inputs: [${input}]`;
  return `batching: { shapeBuckets: { dimension: ${dimension}, sizes: [32, 64]${inputs} } }`;
}
