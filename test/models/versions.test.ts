// Which versions are served: all, the highest few, or those listed; and what becomes of the others.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readModelConfig } from '../../runtime/models/config.js';
import { type Repository, scanRepository } from '../../runtime/models/repository.js';
import { versionPolicy } from '../../runtime/models/versions.js';
import { onnxIdentity } from '../executor/onnx.js';
import { folderOf } from './folder.js';

const identity = onnxIdentity('FP32', 4);

async function scan(versions: string, ...corrupt: number[]): Promise<Repository> {
  const files: Record<string, string | Uint8Array> = { 'm/config.yaml': versions };
  for (const version of [2, 9, 10, 11])
    files[`m/${version}/model.onnx`] = corrupt.includes(version) ? 'rubbish' : identity;
  return scanRepository(folderOf(files));
}

function statesOf({ models }: Repository): string {
  return models.map(({ version, state }) => `${version} ${state}`).join(', ');
}

test('all of them, said or not', async () => {
  for (const versions of ['', 'versions: all'])
    assert.equal(statesOf(await scan(versions)), '2 available, 9 available, 10 available, 11 available');
});

test('the highest few, and of what is left out the reason', async () => {
  const repository = await scan('versions: { latest: 2 }');
  assert.equal(statesOf(repository), '2 unchosen, 9 unchosen, 10 available, 11 available');
  assert.equal(
    repository.find('m', '2')?.reason,
    'not served: versions in its config.yaml is latest: 2, and there is 9, 10, 11',
  );
  assert.equal(repository.find('m', '')?.version, '11');
  assert.deepEqual(repository.mistakes, []);
  assert.equal(statesOf(await scan('versions: { latest: 9 }')), statesOf(await scan('')));
});

test('a corrupt newest version pushes none out', async () => {
  const repository = await scan('versions: { latest: 1 }', 11);
  assert.equal(statesOf(repository), '2 unchosen, 9 unchosen, 10 available, 11 unavailable');
  assert.equal(repository.find('m', '')?.version, '10');
});

test('a list, with one that does not exist', async () => {
  const repository = await scan('versions: [10, 2, 12]', 2);
  assert.equal(statesOf(repository), '2 unavailable, 9 unchosen, 10 available, 11 unchosen, 12 unavailable');
  assert.match(
    repository.find('m', '12')?.reason as string,
    /m\/config\.yaml: versions lists 12, which does not exist; the folder has 2, 9, 10, 11$/,
  );
  assert.match(repository.find('m', '11')?.reason as string, /^not served: .* lists 10, 2, 12$/);
});

test('a model without a file has version 1, which may be listed', async () => {
  const echo = 'backend: echo\ninputs: []\noutputs: []\n';
  const of = async (versions: string): Promise<string> =>
    statesOf(await scanRepository(folderOf({ 'm/config.yaml': `${echo}versions: ${versions}` })));
  assert.equal(await of('[1]'), '1 available');
  assert.equal(await of('{ latest: 1 }'), '1 available');
  assert.equal(await of('[2]'), '1 unchosen, 2 unavailable');
});

test('whatever else is refused', () => {
  for (const versions of ['none', '3', '[]', '[0]', '[1.5]', '{}', '{ latest: 0 }', '[[1]]'])
    assert.match(
      readModelConfig(`versions: ${versions}`) as string,
      /^versions(\.latest|\[0\])? is .*; wanted is all, latest: N with N from 1, or a list of numbers from 1 such as \[1, 3\]$/,
      versions,
    );
});

test('a key that it does not know is named', () => {
  assert.equal(
    readModelConfig('versions: { latest: 1, lates: 2 }'),
    'versions.lates is not a known key; did you mean latest?',
  );
});

test('it is told in the fields of the protocol', () => {
  assert.deepEqual(versionPolicy('all'), { all: {} });
  assert.deepEqual(versionPolicy({ latest: 2 }), { latest: { num_versions: 2 } });
  assert.deepEqual(versionPolicy([3, 1]), { specific: { versions: [3, 1] } });
});
