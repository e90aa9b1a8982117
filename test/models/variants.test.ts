// A model in several precisions: each device serves the file that it is meant to, and all of them are looked at.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { describeConfig } from '../../runtime/doors/describe.js';
import type { Engine } from '../../runtime/doors/engine.js';
import type { Device } from '../../runtime/executor/device.js';
import { createExecutor } from '../../runtime/executor/factory.js';
import { orderOf } from '../../runtime/executor/order.js';
import { readModelConfig } from '../../runtime/models/config.js';
import type { ModelEntry } from '../../runtime/models/entry.js';
import { pick, withPicked } from '../../runtime/models/picked.js';
import { scanRepository } from '../../runtime/models/repository.js';
import { floatRun, floatsOf, loaded, successOf } from '../executor/models.js';
import { onnxIdentity, onnxNegations } from '../executor/onnx.js';
import { folderOf } from './folder.js';

const files = {
  'm/1/model.onnx': onnxNegations(2),
  'm/1/model.int8.onnx': onnxNegations(3),
  'm/1/other.onnx': onnxIdentity('FP16'),
};
const variants = 'maxBatch: 4\nvariants: { fp32: model.onnx, int8: model.int8.onnx }\n';

async function entryOf(config: string, name = 'm'): Promise<ModelEntry> {
  const folder = folderOf({ ...files, 'm/config.yaml': config });
  return (await scanRepository(folder)).find(name, '') as ModelEntry;
}

async function answerOf(config: string): Promise<number[]> {
  const executor = createExecutor();
  await loaded(executor, await entryOf(config));
  const result = await successOf(executor, floatRun([[1, 2, 3, 4]], 4, { model: 'm' }));
  await executor.close();
  return floatsOf(result);
}

test('the first is served where nothing else is said, else the one that is named', async () => {
  const [fp32, int8] = [
    [1, 2, 3, 4],
    [-1, -2, -3, -4],
  ];
  assert.deepEqual(await answerOf(variants), fp32);
  assert.deepEqual(await answerOf(`${variants}variant: int8`), int8);
  assert.deepEqual(await answerOf(`${variants}variant: { webgpu: fp32, cpu: int8 }`), int8);
  assert.deepEqual(await answerOf(`${variants}variant: { default: int8 }`), int8);
});

test('each device has its own, with its own size', async () => {
  const entry = await entryOf(`${variants}variant: { webgpu: int8, cuda: int8 }`);
  const fileOn = (device: string): string => {
    const order = orderOf(entry, { device: device as Device, threads: 1, graphs: '' });
    assert.ok(typeof order !== 'string', String(order));
    const { sizeBytes, nodeCount } = order;
    assert.deepEqual(
      [sizeBytes, nodeCount],
      order.file.endsWith('int8.onnx')
        ? [files['m/1/model.int8.onnx'].length, 3]
        : [files['m/1/model.onnx'].length, 2],
    );
    return order.file.split('/').at(-1) as string;
  };
  assert.deepEqual(['cpu', 'webgpu', 'cuda:1'].map(fileOn), [
    'model.onnx',
    'model.int8.onnx',
    'model.int8.onnx',
  ]);
});

test('the configuration that clients may ask for tells them', async () => {
  const manner = () => ({ policy: 'auto', why: '' });
  const engine = { manner, status: () => ({ state: 'READY' }) } as unknown as Engine;
  const told = async (config: string) => {
    const { variants: all, variant } = describeConfig(engine, await entryOf(config))['parameters'] as Record<
      string,
      unknown
    >;
    return [all, variant];
  };
  assert.deepEqual(await told(variants), [{ string_value: 'fp32, int8' }, { string_value: 'fp32' }]);
  const perDevice = await told(`${variants}variant: { webgpu: int8 }`);
  assert.deepEqual(perDevice[1], { string_value: '{"webgpu":"int8"}' });
  assert.deepEqual(await told('maxBatch: 4'), [undefined, undefined]);
});

const wrong: readonly (readonly [config: string, says: RegExp])[] = [
  ['variant: fp32', /^variant is given, but there are no variants: name their files under variants$/],
  ['variants: {}', /^variants is empty; wanted are names with files/],
  ['{ backend: echo, variants: { a: a.onnx } }', /^variants are files for onnxruntime, but backend is echo$/],
  ['{ runs: other, variants: { a: a.onnx } }', /^variants are files of its own, but runs is other/],
  ['{ variants: { a: a.onnx }, variant: b }', /^variant is b; wanted is one of variants: a$/],
  [
    '{ variants: { a: a.onnx }, variant: { cpu: b, webgpu: a } }',
    /^variant\.cpu is b; wanted is one of variants: a$/,
  ],
  [
    '{ variants: { a: a.onnx }, variant: { gpu: a } }',
    /^variant\.gpu is not a known key; (did you mean cpu\?|known are cpu, webgpu)/,
  ],
  [
    '{ variants: { a: a.onnx }, variant: 3 }',
    /^variant is 3; wanted is one of the names under variants, or one for each device/,
  ],
  [
    'variants: { a: ../a.onnx }',
    /^variants\.a is "\.\.\/a\.onnx"; wanted is the name of a file in the version folder that ends in \.onnx$/,
  ],
  ['variants: { a: a.pt }', /^variants\.a is "a\.pt"; wanted is the name of a file/],
];
for (const [config, says] of wrong) {
  test(`wrong: ${config}`, () => {
    const read = readModelConfig(config);
    assert.ok(typeof read === 'string', 'it was taken');
    assert.match(read, says);
  });
}

test('a file that is missing or takes something else makes the version unavailable, and says which', async () => {
  const missing = await entryOf('variants: { fp32: model.onnx, fp16: model.fp16.onnx }');
  assert.equal(missing.state, 'unavailable');
  assert.ok(
    missing.reason.endsWith(`${join('m', '1', 'model.fp16.onnx')}: it does not exist`),
    missing.reason,
  );
  const first = await entryOf('variants: { fp16: model.fp16.onnx }');
  assert.ok(first.reason.endsWith(`${join('m', '1', 'model.fp16.onnx')}: it does not exist`), first.reason);
  const other = await entryOf('maxBatch: 4\nvariants: { fp32: model.onnx, fp16: other.onnx }');
  assert.match(
    other.reason,
    /other\.onnx: variant fp16 has other inputs than the others: x FP16 \[-1, 4\]; wanted are x FP32 \[-1, 4\]; variant fp16 has other outputs/,
  );
});

test('what requests may choose is one of the variants, and each is an entry of its own beside the usual one', async () => {
  const says = (lines: string): unknown => readModelConfig(`${variants}${lines}`);
  assert.equal(
    says('variantsByRequest: [int8, int4]'),
    'variantsByRequest[1] is int4; wanted is one of variants: fp32, int8',
  );
  assert.match(
    String(says('variantsByRequest: some')),
    /variantsByRequest is "some"; wanted is all, or a list/,
  );
  assert.equal(
    readModelConfig('variantsByRequest: all'),
    'variantsByRequest is given, but there are no variants: name their files under variants',
  );
  const entry = await entryOf(`${variants}variantsByRequest: all`);
  const [usual, ...others] = withPicked(entry);
  assert.equal(usual, entry);
  assert.deepEqual(
    others.map((other) => [other.edition, other.file.split('/').at(-1), other.nodeCount]),
    [['1+@int8', 'model.int8.onnx', 3]],
  );
  assert.equal(pick({ ...entry, edition: '1+3fa9c2' }, 'int8')?.edition, '1+3fa9c2@int8');
  const everywhere = await entryOf(`${variants}variant: { cpu: int8 }\nvariantsByRequest: all`);
  assert.deepEqual(
    withPicked(everywhere).map((other) => other.variant),
    [undefined, 'fp32', 'int8'],
    'what a device serves is not what every device serves',
  );
});
