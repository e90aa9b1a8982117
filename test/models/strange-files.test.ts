// What a path of a repository may lead to beside a file: a pipe that nobody writes to, a device without end. Each is told as
// a mistake, and neither is waited for.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readTextFile } from '../../runtime/file.js';
import type { Check } from '../../runtime/models/check.js';
import { onnxIdentity } from '../executor/onnx.js';
import { folderOf } from './folder.js';
import { samples } from './places.js';

const identity = onnxIdentity('FP32', 4);
/** A start of Node on the busiest machine takes less. */
const patienceMs = 60_000;
const skip = process.platform === 'win32' ? 'there are no pipes and devices in folders' : false;
const ports =
  'takes: [{ name: x, datatype: FP32, shape: [-1] }]\ngives: [{ name: x, datatype: FP32, shape: [-1] }]\n';

function pipe(path: string): void {
  rmSync(path, { force: true });
  assert.equal(spawnSync('mkfifo', [path]).status, 0);
}

function endless(path: string): void {
  rmSync(path, { force: true });
  symlinkSync('/dev/zero', path);
}

/** By a process of its own, which can be ended when it hangs. */
function checked(folder: string): Check {
  const main = join(samples, '..', '..', 'runtime');
  const words = [main, 'models', 'check', folder, '--json'];
  const { stdout, signal } = spawnSync(process.execPath, words, { encoding: 'utf8', timeout: patienceMs });
  assert.equal(signal, null, 'it hangs');
  return JSON.parse(stdout) as Check;
}

test('pipes and endless files are mistakes wherever a file is wanted', { skip }, () => {
  const text = `runs: good\nbefore: [tokenize]\nafter: [reorder]\n${ports}`;
  const own = `runs: good\nbefore: [./steps.mjs#one]\nafter: [./steps.mjs#two]\n${ports}`;
  const folder = folderOf({
    'good/1/model.onnx': identity,
    'text/config.yaml': text,
    'endless/config.yaml': text,
    'own/config.yaml': own,
  });
  for (const name of ['piped', 'zero', 'piped-model'])
    mkdirSync(join(folder, name, '1'), { recursive: true });
  pipe(join(folder, 'piped', 'config.yaml'));
  endless(join(folder, 'zero', 'config.yaml'));
  pipe(join(folder, 'piped-model', '1', 'model.onnx'));
  for (const file of ['tokenizer.json', 'tokenizer_config.json']) {
    pipe(join(folder, 'text', file));
    endless(join(folder, 'endless', file));
  }
  pipe(join(folder, 'own', 'steps.mjs'));
  const { mistakes } = checked(folder);
  const says = (model: string) => mistakes.filter((found) => found.model === model).map(({ says }) => says);
  assert.deepEqual(says('piped'), ['it is not a file']);
  assert.deepEqual(says('zero'), ['it is not a file']);
  assert.deepEqual(says('piped-model'), ['it is not a file']);
  for (const model of ['text', 'endless']) {
    assert.equal(says(model).length, 2, JSON.stringify(mistakes));
    for (const one of says(model)) assert.match(one, /json can't be read: it is not a file$/);
  }
  assert.equal(says('own').length, 2, JSON.stringify(mistakes));
  for (const one of says('own')) assert.match(one, /there is no file .*steps\.mjs$/);
  assert.deepEqual(says('good'), []);
});

test('no more is read of a file than it may have', { skip }, () => {
  const file = join(folderOf({ text: 'äöü' }), 'text');
  assert.equal(readTextFile(file, 6), 'äöü');
  assert.throws(() => readTextFile(file, 5), /it has 6 bytes, allowed are 5/);
  if (process.platform === 'linux') {
    assert.ok(readTextFile('/proc/self/status', 65_536).startsWith('Name:'));
    assert.throws(() => readTextFile('/proc/self/status', 10), /more than the 10 bytes/);
  }
});
