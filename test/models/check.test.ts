// `node runtime models check`: every mistake of a folder on a line of its own, as it is printed and as JSON, with the exit code.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { ConfigError } from '../../runtime/config/load.js';
import type { Check } from '../../runtime/models/check.js';
import { modelsHelp, modelsText } from '../../runtime/models/command.js';
import { onnxIdentity } from '../executor/onnx.js';
import { folderOf } from './folder.js';
import { samples } from './places.js';

const identity = onnxIdentity('FP32', 4);

/** Of one model each: what its folder holds, and where the mistakes are. */
const mistaken: Readonly<Record<string, readonly [string | undefined, [string, string, RegExp][]]>> = {
  misspelt: [
    'maxBach: 4\nplacement: gpu\nbatching: { policy: fast }\n',
    [
      ['', 'batching.policy', /^batching\.policy is "fast"; wanted is one of auto/],
      ['', 'placement', /^placement is "gpu"/],
      ['', 'maxBach', /^maxBach is not a known key; did you mean maxBatch\?$/],
    ],
  ],
  contradictory: [
    'idempotent: false\nhedge: true\nshareIdentical: true\nmaxBatch: 4\nbatching: { preferred: [8], sizes: [1, 2] }\n',
    [
      ['', 'shareIdentical', /are never shared/],
      ['', 'hedge', /a second worker/],
      ['', 'batching.preferred[0]', /is 8; wanted is a whole number from 1 to 4/],
      ['', 'batching.sizes', /the last 4 itself$/],
    ],
  ],
  disagreeing: [
    'inputs: [{ name: z, datatype: FP32, shape: [4] }, { name: x, datatype: FP64, shape: [-1, 4] }]\n' +
      'outputs: [{ name: y, datatype: FP32, shape: [-1, 5] }]\n',
    [
      ['1', 'inputs', /^inputs names z; the ONNX file has x$/],
      ['1', 'inputs', /^inputs: x is FP64 here and FP32 in the ONNX file$/],
      ['1', 'outputs', /^outputs: y has shape \[-1, 5\] here and \[-1, 4\] in the ONNX file$/],
    ],
  ],
  absent: [
    'versions: [1, 7, 9]',
    [
      ['7', 'versions', /^versions lists 7, which does not exist; the folder has 1$/],
      ['9', 'versions', /^versions lists 9/],
    ],
  ],
  stepping: [
    'before: [tokenise, { tokenize: { tokensMax: 1, lengthes: [8] } }, ./absent.mjs]\nafter: [image.decode, { nothing: 1, more: 2 }]\n',
    [
      ['1', 'before[0]', /"tokenise", which is no step; did you mean tokenize/],
      ['1', 'before[1]', /\(tokenize\): tokensMax is 1; wanted/],
      ['1', 'before[1]', /\(tokenize\): lengthes is not a known key; did you mean lengths/],
      ['1', 'before[2]', /no file .*absent\.mjs/],
      ['1', 'after[0]', /is a step for before/],
      ['1', 'after[1]', /wanted is the name of a step/],
    ],
  ],
  twofold: [
    'maxBach: 4\nbefore: [tokenise]\nplacement: gpu\n',
    [
      ['', 'maxBach', /did you mean maxBatch/],
      ['', 'placement', /^placement is "gpu"/],
      ['1', 'before[0]', /did you mean tokenize/],
    ],
  ],
  outer: ['runs: nobody', [['1', 'runs', /^runs is nobody: .*nobody/]]],
  costly: [
    'backend: simulated\nmaxBatch: 4\ninputs: [{ name: x, datatype: FP32, shape: [-1] }]\noutputs: [{ name: y, datatype: FP32, shape: [-1] }]\n' +
      'simulated: { alphaMs: -1, jitter: 2, faultEvery: { die: 0, fly: 1 }, alphMs: 1 }\n',
    [
      ['', 'simulated.alphaMs', /^simulated.alphaMs is -1/],
      ['', 'simulated.jitter', /jitter is 2/],
      ['', 'simulated.faultEvery.die', /die is 0/],
      ['', 'simulated.faultEvery.fly', /fly is not known/],
      ['', 'simulated.alphMs', /alphMs is not known/],
    ],
  ],
  immense: ['maxBatch: 99999999999999999999999', [['', 'maxBatch', /^maxBatch is 1e\+23; wanted/]]],
  parted: [
    'runs: good\nrunsWhen: { scale: { 2: good, 3: nobody } }\n',
    [['1', 'runsWhen.scale.3', /^runsWhen\.scale\.3 is nobody: .*not in the repository$/]],
  ],
  illegible: ['maxBatch: [', [['', '', /^it is not YAML: line 1/]]],
};

function mistakenFolder(): string {
  const files: Record<string, string | Uint8Array> = { 'good/1/model.onnx': identity, 'bad name/x': '' };
  for (const [name, [config]] of Object.entries(mistaken)) {
    files[`${name}/1/model.onnx`] = identity;
    if (config !== undefined) files[`${name}/config.yaml`] = config;
  }
  files['variants/config.yaml'] = 'variants: { a: a.onnx, b: b.onnx, c: c.onnx, d: d.onnx }';
  files['variants/1/a.onnx'] = 'rubbish';
  files['variants/1/b.onnx'] = identity.subarray(0, -3);
  files['variants/1/d.onnx'] = identity;
  files['cut/1/model.onnx'] = identity;
  files['cut/2/model.onnx'] = identity.subarray(0, -3);
  files['cut/3/readme.txt'] = '';
  return folderOf(files);
}

async function checked(folder: string): Promise<Check> {
  return JSON.parse((await modelsText(['check', folder, '--json'], {})).text) as Check;
}

test('all mistakes of all models are found at once, with model, version, file and key', async () => {
  const folder = mistakenFolder();
  const { mistakes, notes, models } = await checked(folder);
  for (const [name, [, wanted]] of Object.entries(mistaken)) {
    const found = mistakes.filter((mistake) => mistake.model === name);
    assert.equal(found.length, wanted.length, JSON.stringify(found));
    for (const [version, key, says] of wanted) {
      const one = found.find((mistake) => says.test(mistake.says));
      const shown = `${name}: ${says} in ${JSON.stringify(found)}`;
      assert.deepEqual([one?.version, one?.key], [version, key], shown);
      assert.equal(one?.file, join(folder, name, 'config.yaml'), shown);
    }
  }
  const cut = mistakes
    .filter(({ model }) => model === 'cut')
    .map(({ version, file, key }) => [version, file, key]);
  const fileOf = (version: string): string => join(folder, 'cut', version, 'model.onnx');
  assert.deepEqual(cut, [
    ['2', fileOf('2'), ''],
    ['3', fileOf('3'), ''],
  ]);
  const variants = mistakes.filter(({ model }) => model === 'variants');
  assert.deepEqual(
    variants.map(({ file }) => relative(join(folder, 'variants'), file)),
    ['1/a.onnx', '1/b.onnx', '1/c.onnx'],
  );
  assert.equal(notes.length, 1);
  assert.match(notes[0] as string, /bad name is passed over/);
  const known = Object.values(mistaken).reduce((sum, [, wanted]) => sum + wanted.length, 2 + 3);
  assert.equal(mistakes.length, known, 'and none is made up');
  assert.deepEqual(
    models.filter(({ state }) => state === 'available').map(({ name, version }) => `${name}:${version}`),
    ['absent:1', 'cut:1', 'good:1', 'outer:1', 'parted:1'],
  );
});

test('steps of a user that can not be had are found, and what they do when they are imported harms nobody', async () => {
  const ports =
    'takes: [{ name: x, datatype: FP32, shape: [-1] }]\ngives: [{ name: x, datatype: FP32, shape: [-1] }]\n';
  const folder = folderOf({
    'good/1/model.onnx': identity,
    'own/config.yaml': `runs: good\nloadLongestMs: 2000\n${ports}before: [./right.mjs#one, ./cut.mjs, ./right.mjs#gone, ./right.mjs#text, ./thrown.mjs]\nafter: [./right.mjs, ./endless.mjs, ./leaving.mjs]\n`,
    'own/right.mjs':
      "console.log('hello'); export default { apply() {} }; export const one = () => {}; export const text = 'two'; export const none = undefined;",
    'own/cut.mjs': 'export default () => {\n  const x = ;\n',
    'own/thrown.mjs': "throw new TypeError('not here')",
    'own/endless.mjs': 'for (;;);',
    'own/leaving.mjs': 'process.exit(3)',
  });
  const { mistakes } = await checked(folder);
  const found = mistakes.map(({ model, version, key, says }) => [model, version, key, says]);
  const expected: readonly [string, RegExp][] = [
    ['before[2]', /\(\.\/right\.mjs#gone\): .*right\.mjs exports no gone; it exports .*one/],
    ['before[3]', /exports a string as text; wanted is a function/],
    ['before[1]', /cut\.mjs can't be imported: SyntaxError: Unexpected token ';'/],
    ['before[4]', /thrown\.mjs can't be imported: TypeError: not here/],
    ['after[1]', /endless\.mjs can't be imported: that takes longer than 2000 ms$/],
    ['after[2]', /leaving\.mjs can't be imported: its thread ended/],
  ];
  assert.equal(found.length, expected.length, JSON.stringify(found));
  for (const [at, [key, says]] of expected.entries()) {
    assert.deepEqual(found[at]?.slice(0, 3), ['own', '1', key]);
    assert.match(found[at]?.[3] ?? '', says);
  }
});

test('names that are no text, that break lines or that begin with a dot are told, each on one line', async () => {
  const folder = folderOf({
    'good/1/model.onnx': identity,
    '.hidden/1/model.onnx': identity,
    '.../config.yaml': 'backend: echo',
    '.git/config': '',
    'two\nlines\u001b[31m/1/model.onnx': identity,
  });
  if (process.platform === 'linux')
    mkdirSync(Buffer.concat([Buffer.from(`${folder}/caf`), Buffer.from([0xe9])]));
  const { text, isGood } = await modelsText(['check', folder], {});
  assert.ok(isGood, text);
  const lines = text.split('\n');
  const notes = lines.filter((line) => line.startsWith('note: '));
  assert.equal(lines.length, notes.length + 1, text);
  assert.ok(!text.includes('\u001b'));
  assert.ok(
    notes.some((line) => /two\\nlines\\u001b\[31m is passed over: a model's name/.test(line)),
    text,
  );
  for (const name of ['...', '.hidden'])
    assert.ok(
      notes.includes(`note: ${folder}/${name} is passed over: what begins with a dot is nobody's model`),
    );
  if (process.platform === 'linux')
    assert.ok(
      notes.some((line) => /\/caf\ufffd is passed over: its name is not UTF-8$/.test(line)),
      text,
    );
  assert.equal(notes.length, process.platform === 'linux' ? 4 : 3, text);
});

/** What golden.json holds, and what is said of it. */
const goldens: Readonly<Record<string, readonly [string, RegExp | undefined]>> = {
  right: [
    '{"inputs": [{"name": "x", "shape": [1, 4], "data": [1, 2, 3, 4]}], "outputs": [{"name": "y", "shape": [1, 4], "data": [1, 2, 3, 4]}]}',
    undefined,
  ],
  garbled: ['{"inputs": [', /^it is not JSON: /],
  strange: [
    '{"inputs": [{"name": "z", "shape": [1], "data": [1]}]}',
    /^inputs\[0\]\.name is "z"; allowed are x$/,
  ],
  short: [
    '{"inputs": [{"name": "x", "shape": [1, 4], "data": [1, 2, 3]}]}',
    /^inputs\[0\] \(x\): wanted are a shape, and as data a flat list of so many elements$/,
  ],
  narrow: [
    '{"inputs": [{"name": "x", "shape": [1, 3], "data": [1, 2, 3]}]}',
    /^inputs\[0\] \(x\) has the shape \[1, 3\]; wanted is \[-1, 4\]$/,
  ],
  silent: [
    '{"inputs": [{"name": "x", "shape": [1, 4], "data": [1, 2, 3, 4]}]}',
    /^outputs is missing; wanted is a list/,
  ],
};

test("an owner's golden.json is read as workers read it", async () => {
  const files: Record<string, string | Uint8Array> = { 'off/1/golden.json': '{' };
  for (const [name, [content]] of Object.entries(goldens)) {
    files[`${name}/1/model.onnx`] = identity;
    files[`${name}/1/golden.json`] = content;
  }
  files['off/1/model.onnx'] = identity;
  files['off/config.yaml'] = 'golden: { use: off }';
  const folder = folderOf(files);
  const { mistakes } = await checked(folder);
  for (const [name, [, says]] of Object.entries(goldens)) {
    const found = mistakes.filter(({ model }) => model === name);
    assert.equal(found.length, says === undefined ? 0 : 1, JSON.stringify(found));
    if (says === undefined) continue;
    assert.match(found[0]?.says ?? '', says);
    assert.equal(found[0]?.file, join(folder, name, '1', 'golden.json'));
  }
  assert.equal(mistakes.length, 5);
});

test('one line each is printed, and how many there are', async () => {
  const { text, isGood } = await modelsText(['check', mistakenFolder()], {});
  assert.equal(isGood, false);
  const lines = text.split('\n');
  assert.equal(lines.filter((line) => line.startsWith('mistake: ')).length, 35);
  assert.ok(lines.some((line) => /^mistake: cut:2: \/.*model\.onnx: it is not an ONNX model/.test(line)));
  assert.ok(lines.some((line) => /^mistake: misspelt: \/.*config\.yaml: maxBach is not/.test(line)));
  assert.ok(lines.some((line) => /^note: .*bad name is passed over/.test(line)));
  assert.match(lines.at(-1) as string, /: 35 mistakes; 14 models, 5 versions to serve$/);
});

test('the samples have none', async () => {
  const { text, isGood } = await modelsText(['check', samples], {});
  assert.ok(isGood, text);
  assert.match(text, /: no mistakes; \d+ models, \d+ versions to serve$/);
});

test('a version that was left out is a note; one that is listed and corrupt a mistake', async () => {
  const folder = folderOf({
    'm/config.yaml': 'versions: [2, 3]',
    'm/1/model.onnx': identity,
    'm/2/model.onnx': identity,
    'm/3/model.onnx': 'rubbish',
  });
  const { text } = await modelsText(['check', folder], {});
  assert.match(text, /note: m:1: not served: versions in its config\.yaml lists 2, 3\n/);
  assert.match(text, /mistake: m:3: /);
  assert.match(text, /: 1 mistake; 1 model, 1 version to serve$/);
});

test('a folder that is none, that has no models, or that is one model', async () => {
  const model = folderOf({ '1/model.onnx': identity, 'config.yaml': '' });
  for (const [folder, says] of [
    [join(samples, 'none'), /can't be read: it does not exist/],
    [folderOf({}), /has no models; each is a folder in it/],
    [model, /is one model/],
  ] as const) {
    const { text, isGood } = await modelsText(['check', folder], {});
    assert.equal(isGood, false);
    assert.match(text, says);
    assert.equal((await checked(folder)).mistakes.length, 1);
  }
});

test('wrong use is told with what is right', async () => {
  for (const [args, says] of [
    [[], /models needs a verb; there are check, list, load, unload/],
    [['chek', 'x'], /models chek is not known; did you mean check\?/],
    [['check'], /models check needs the folder/],
    [['check', 'a', 'b'], /takes one FOLDER; b is one too many/],
    [['check', 'a', '--jsn'], /argument --jsn of models is not known; did you mean --json\?/],
  ] as const)
    await assert.rejects(
      modelsText(args, {}),
      (fault) => fault instanceof ConfigError && says.test(fault.message),
    );
  assert.equal((await modelsText(['check', '--help'], {})).text, modelsHelp);
});

test('the exit code tells a program', () => {
  const main = join(samples, '..', '..', 'runtime');
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [main, 'models', ...args], { encoding: 'utf8' });
  const good = run('check', samples);
  assert.deepEqual([good.status, good.stderr], [0, '']);
  const bad = run('check', folderOf({ 'm/1/model.onnx': '' }));
  assert.equal(bad.status, 1);
  assert.match(bad.stdout, /^mistake: m:1: /);
  const wrong = run('check');
  assert.equal(wrong.status, 2);
  assert.match(wrong.stderr, /needs the folder.*\n.*node runtime models --help/);
});
