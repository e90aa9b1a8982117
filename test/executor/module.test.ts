// A backend of a user's own: what it is given, what it may give, and that whatever it does befalls its model alone.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Datatype } from '../../proto/tensor.js';
import { pause } from '../../runtime/clock.js';
import { writeStrings } from '../../runtime/executor/elements.js';
import { createExecutor } from '../../runtime/executor/factory.js';
import type { ModelConfig } from '../../runtime/models/config.js';
import { scanRepository } from '../../runtime/models/repository.js';
import {
  entryOf,
  floatRun,
  floatsOf,
  identity,
  loaded,
  moduleOf,
  outcomeOf,
  successOf,
  tensor,
  type Wanted,
} from './models.js';

const executor = createExecutor();
after(() => executor.close());

function own(text: string, more: Wanted & { readonly keys?: Partial<ModelConfig> } = {}, suffix = 'mjs') {
  const { keys, ...rest } = more;
  const config = { backend: `./own.${suffix}`, ...keys };
  return entryOf({ ...rest, config, module: moduleOf(text, suffix) });
}

/** A module whose `infer` is this expression of its inputs `x` and `rows`. */
const answering = (answer: string): string =>
  `export const load = () => ({ infer: ({ inputs: [x], rows }) => ${answer} })`;

const row = floatRun([[1, 2, 3, 4]], 4);

async function refusal(text: string, more: Parameters<typeof own>[1] = {}, suffix?: string): Promise<string> {
  const result = await executor.load(own(text, more, suffix));
  return result.ok ? 'it was loaded' : result.reason;
}

const unloadable: readonly (readonly [what: string, text: string, says: RegExp])[] = [
  ['throws at import', 'throw new Error("no licence")', /can't be imported: no licence$/],
  [
    'is no JavaScript',
    'export const load = () => {\n  return {{;\n}',
    /imported: Unexpected token '\{'; node --check \S+\.mjs shows where$/,
  ],
  [
    'imports what is not there',
    'import "nobody-has-this"',
    /can't be imported: Cannot find package 'nobody-has-this'/,
  ],
  ['exports no load', 'export const lode = 1', /exports lode; wanted is a function load\(model\): runtime/],
  ['exports nothing', '', /exports nothing; wanted is a function load/],
  [
    'throws when it loads',
    'export const load = () => { throw new Error("no\\n weights") }',
    /: load threw: no weights$/,
  ],
  [
    'gives nothing',
    'export const load = () => {}',
    /what load gave has no function infer; wanted is \{ infer \}/,
  ],
  [
    'has a number for warmup',
    'export const load = () => ({ infer() {}, warmup: 3 })',
    /gave has a number warmup/,
  ],
  [
    'warms up with a text',
    'export const load = () => ({ infer() {}, warmup: () => "2 ms" })',
    /warmup gave 2 ms; wanted are milliseconds/,
  ],
  [
    'answers with nothing',
    answering('undefined'),
    /infer gave nothing; wanted is a list of tensors \{ name, shape, data \}: y$/,
  ],
  ['answers with an object', answering('({ y: x })'), /infer gave an object; wanted is a list/],
  [
    'leaves an output out',
    answering('[{ ...x, name: "z" }, 3]'),
    /infer gave no output y; it gave z, a number$/,
  ],
  [
    'answers another datatype',
    answering('[{ ...x, name: "y", datatype: "INT8" }]'),
    /output y as INT8; wanted is FP32$/,
  ],
  [
    'answers another shape',
    answering('[{ name: "y", shape: [rows, 3], data: new Float32Array(rows * 3) }]'),
    /output y with shape \[1, 3\]; wanted is \[1, 4\]$/,
  ],
  [
    'answers fewer rows',
    answering('[{ name: "y", shape: [rows - 1, 4], data: new Float32Array(0) }]'),
    /output y with shape \[0, 4\]; wanted is \[1, 4\]$/,
  ],
  [
    'answers without a shape',
    answering('[{ name: "y", data: x.data }]'),
    /output y with shape nothing; wanted is \[1, 4\]$/,
  ],
  [
    'answers with a list',
    answering('[{ name: "y", shape: x.shape, data: [...x.data] }]'),
    /output y with a plain list as data; wanted is a Float32Array, for it is FP32$/,
  ],
  [
    'answers with too little',
    answering('[{ name: "y", shape: x.shape, data: x.data.slice(1) }]'),
    /output y with 3 elements; wanted are 4, for its shape is \[1, 4\]$/,
  ],
];

for (const [what, text, says] of unloadable) {
  test(`one that ${what} is not served, and it is said why`, async () => {
    const reason = await refusal(text);
    assert.match(reason, says);
    assert.match(reason, /^backend \.\/own\.mjs of model:1\b/);
  });
}

describe('what never answers', () => {
  const keys = { loadLongestMs: 300 };
  const endless: readonly (readonly [string, string])[] = [
    ['import', 'for (;;);'],
    ['an import that waits', 'await new Promise(() => setInterval(() => {}, 1000)); export const load = 0'],
    ['load', 'export const load = () => { for (;;); }'],
    ['load that waits', 'export const load = () => new Promise(() => {})'],
    ['warmup', 'export const load = () => ({ infer() {}, warmup() { for (;;); } })'],
  ];
  for (const [what, text] of endless) {
    test(`${what} is given up`, async () => {
      const reason = 'backend ./own.mjs of model:1 did not load within 300 ms, which is loadLongestMs';
      assert.equal(await refusal(text, { keys }), reason);
    });
  }

  test('a load on a device does not take the whole worker along', async () => {
    const told: string[] = [];
    const other = createExecutor({ device: 'cuda:0', broken: (reason) => told.push(reason) });
    const entry = own('export const load = () => new Promise(() => {})', { keys });
    assert.equal((await other.load(entry)).ok, false);
    await pause(50);
    assert.deepEqual(told, []);
    await other.close();
  });

  test('unload does not hold up the end', async () => {
    const other = createExecutor();
    await loaded(other, own(identity.replace('infer:', 'unload() { for (;;); }, infer:')));
    await other.close();
  });
});

describe('a run', () => {
  const fragile = `export const load = () => {
    let runs = 0;
    return { warmup: () => 0, infer({ inputs: [x] }) {
      runs += 1;
      if (x.data[0] === 1) throw new Error('one is too few');
      if (x.data[0] === 2) return [{ name: 'y', shape: [1, 4], data: x }];
      if (x.data[0] === 3) { setImmediate(() => { throw new Error('from afar'); }); return new Promise(() => {}); }
      if (x.data[0] === 4) process.exit(1);
      if (x.data[0] === 5) return Promise.reject('bare words');
      return [{ name: 'y', shape: x.shape, data: Float32Array.of(runs, 0, 0, 0) }];
    } };
  }`;
  const ends: readonly (readonly [number, string])[] = [
    [1, 'backend ./own.mjs of fragile:1: infer threw: one is too few'],
    [
      2,
      'backend ./own.mjs of fragile:1: infer gave output y with an object as data; wanted is a Float32Array, for it is FP32',
    ],
    [3, 'the thread of backend ./own.mjs of fragile:1 failed: from afar'],
    [4, 'the thread of backend ./own.mjs of fragile:1 has ended'],
    [5, 'backend ./own.mjs of fragile:1: infer threw: bare words'],
  ];

  test('that goes wrong ends by itself: the next is right, and other models go on', async () => {
    const told: string[] = [];
    const other = createExecutor({ broken: (reason) => told.push(reason) });
    await loaded(other, own(fragile, { name: 'fragile' }));
    await loaded(
      other,
      entryOf({ name: 'slow', config: { backend: 'simulated', simulated: { alphaMs: 20 } } }),
    );
    for (const [value, reason] of ends) {
      const beside = outcomeOf(other, floatRun([[7, 0, 0, 0]], 4, { model: 'slow' }));
      const result = await outcomeOf(other, floatRun([[value, 0, 0, 0]], 4, { model: 'fragile' }));
      assert.deepEqual(result, { key: 'run-1', ok: false, code: 'MODEL_FAILED', reason });
      assert.ok((await beside).ok);
      const next = await successOf(other, floatRun([[0, 0, 0, 0]], 4, { model: 'fragile' }));
      const afresh = value === 3 || value === 4;
      assert.equal(
        floatsOf(next)[0],
        afresh ? 1 : value === 5 ? 3 : value * 2,
        'its thread is begun anew only where it ended',
      );
    }
    await other.close();
    assert.deepEqual(told, [], 'no device was lost');
  });
});

test('every datatype goes through, BYTES as bytes that are no text too', async () => {
  const bytes: Readonly<Partial<Record<Datatype, Uint8Array>>> = {
    BYTES: writeStrings([Uint8Array.of(255, 0, 254), 'é', '']),
    BF16: Uint8Array.from({ length: 6 }, (_, at) => at),
  };
  const sizes = {
    BOOL: 1,
    INT8: 1,
    UINT8: 1,
    UINT16: 2,
    INT32: 4,
    INT64: 8,
    UINT64: 8,
    FP16: 2,
    FP64: 8,
    ...{ BYTES: 0, BF16: 2 },
  };
  for (const [name, size] of Object.entries(sizes)) {
    const datatype = name as Datatype;
    const sides = { inputs: [tensor('x', datatype, [-1, 1])], outputs: [tensor('y', datatype, [-1, 1])] };
    await loaded(executor, own(identity, sides));
    const data = bytes[datatype] ?? Uint8Array.from({ length: 3 * size }, (_, at) => at % 2);
    const header = { name: 'x', datatype, shape: [3, 1] };
    const result = await successOf(executor, { ...row, inputs: [{ header, frames: [data] }], rows: [3] });
    assert.deepEqual(Uint8Array.from(result.outputs[0]!.data), Uint8Array.from(data), datatype);
    assert.deepEqual(result.outputs[0]?.shape, [3, 1]);
  }
});

test('it is told of its model, gets inputs in the order of the config, and gives no more than was asked', async () => {
  const text = `export default { async load(model) {
    const told = JSON.stringify({ ...model, folder: typeof model.folder });
    return { infer: ({ inputs, rows, outputs }) => [
      { name: 'y', shape: [rows, 1], data: Array(rows).fill(told) },
      { name: 'more', shape: [rows, 1], data: Array(rows).fill(inputs.map(({ name }) => name) + ' ' + outputs) },
    ] };
  } }`;
  const sides = {
    inputs: [tensor('b', 'FP32', [-1, 1]), tensor('a', 'FP32', [-1, 1])],
    outputs: [tensor('y', 'BYTES', [-1, 1]), tensor('more', 'BYTES', [-1, 1])],
  };
  await loaded(executor, own(text, { ...sides, keys: { settings: { depth: 3, names: ['x'] } } }));
  const input = (name: string) => ({
    header: { name, datatype: 'FP32' as const, shape: [1, 1] },
    frames: [new Uint8Array(4)],
  });
  const textOf = (data?: Uint8Array): string =>
    Buffer.from(data ?? [])
      .subarray(4)
      .toString();
  const all = await successOf(executor, { ...row, inputs: [input('a'), input('b')] });
  assert.deepEqual(JSON.parse(textOf(all.outputs[0]?.data)), {
    name: 'model',
    version: '1',
    folder: 'string',
    ...sides,
    maxBatch: 8,
    device: 'cpu',
    threads: 1,
    settings: { depth: 3, names: ['x'] },
  });
  assert.equal(textOf(all.outputs[1]?.data), 'b,a y,more');
  const some = await successOf(executor, { ...row, inputs: [input('a')], outputs: ['more'] });
  assert.deepEqual(
    some.outputs.map(({ data }) => textOf(data)),
    ['a more'],
  );
});

test('it may keep what it answers with', async () => {
  const text = `const kept = Float32Array.of(1, 2, 3, 4);
    export const load = () => ({ warmup: () => 0, infer: () => [{ name: 'y', shape: [1, 4], data: kept }] })`;
  await loaded(executor, own(text));
  for (let runs = 0; runs < 3; runs++)
    assert.deepEqual(floatsOf(await successOf(executor, row)), [1, 2, 3, 4]);
});

test('its word of what runs cost is taken, and then it is not run on trial', async () => {
  const text = `let runs = 0; export const load = () => ({
    warmup: (rows) => rows * 2,
    infer: ({ inputs: [x] }) => [{ name: 'y', shape: x.shape, data: Float32Array.of(++runs, 0, 0, 0) }],
  })`;
  const { runMs, costs } = await loaded(executor, own(text));
  assert.equal(runMs, 2);
  assert.deepEqual(costs, [
    [1, 2],
    [2, 4],
    [4, 8],
    [8, 16],
  ]);
  assert.equal(floatsOf(await successOf(executor, row))[0], 1);
});

test('one that refuses made-up input is served all the same', async () => {
  const text = answering('{ if (x.data[0] === 0) throw new Error("zero"); return [{ ...x, name: "y" }]; }');
  const { runMs, costs } = await loaded(executor, own(text));
  assert.deepEqual({ runMs, costs }, { runMs: 0, costs: [] });
  assert.deepEqual(floatsOf(await successOf(executor, row)), [1, 2, 3, 4]);
});

test('a changed module is read anew when the model is loaded again, and a broken one leaves the old one serving', async () => {
  const entry = own(answering('[{ ...x, name: "y", data: x.data.map((value) => value * 2) }]'));
  await loaded(executor, entry);
  const first = floatsOf(await successOf(executor, row));
  writeFileSync(entry.module, answering('[{ ...x, name: "y", data: x.data.map((value) => value * 3) }]'));
  await loaded(executor, entry);
  const second = floatsOf(await successOf(executor, row));
  assert.deepEqual(
    [first, second],
    [
      [2, 4, 6, 8],
      [3, 6, 9, 12],
    ],
  );
  writeFileSync(entry.module, 'export const load = 1');
  assert.equal((await executor.load(entry)).ok, false);
  assert.deepEqual(floatsOf(await successOf(executor, row)), second);
});

test('CommonJS will do', async () => {
  await loaded(
    executor,
    own(`module.exports = { ${identity.replace('export const load =', 'load:')} }`, {}, 'cjs'),
  );
  assert.deepEqual(floatsOf(await successOf(executor, row)), [1, 2, 3, 4]);
});

test('the example counts letters', async () => {
  const folder = fileURLToPath(new URL('../../../examples/backends', import.meta.url));
  const entry = (await scanRepository(folder)).find('letters', '');
  assert.ok(entry !== undefined && entry.state === 'available', entry?.reason);
  await loaded(executor, entry);
  const header = { name: 'text', datatype: 'BYTES' as const, shape: [2, 1] };
  const frames = [writeStrings(['Abba, ja!', '123'])];
  const result = await successOf(executor, {
    ...row,
    model: 'letters',
    inputs: [{ header, frames }],
    rows: [2],
  });
  const shares = floatsOf(result);
  assert.deepEqual(shares.slice(0, 3), [0.5, Math.fround(2 / 6), 0]);
  assert.deepEqual(new Set(shares.slice(26)), new Set([0]));
});
