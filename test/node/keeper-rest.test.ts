// A model at rest whose files were replaced by bad ones: nothing is left that could serve it as it was before, and that is said.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { ModelCondition } from '../../actors/router/coverage.js';
import { createLog } from '../../runtime/log.js';
import { scanRepository } from '../../runtime/models/repository.js';
import { Shelf } from '../../runtime/models/shelf.js';
import { Catalogue } from '../../runtime/node/catalogue.js';
import { Keeper } from '../../runtime/node/keeper.js';
import { onnxIdentity } from '../executor/onnx.js';

const folder = mkdtempSync(join(tmpdir(), 'signalbox-keeper-'));
after(() => rmSync(folder, { recursive: true, force: true }));

async function changed(ready: number, file: string, content: string): Promise<[string, string, string]> {
  const model = join(folder, 'asked');
  rmSync(model, { recursive: true, force: true });
  mkdirSync(join(model, '1'), { recursive: true });
  writeFileSync(join(model, 'config.yaml'), 'load: demand\n');
  writeFileSync(join(model, '1', 'model.onnx'), onnxIdentity('FP32', 4));
  const catalogue = new Catalogue((await scanRepository(folder)).models);
  assert.equal(catalogue.find('asked', '')?.state, 'available');
  const condition = { ready, loading: 0, failed: 0, resting: 2 - ready, reason: '', runsOn: [] } as const;
  const log = createLog('silent', 'test');
  const keeper = new Keeper(catalogue, {
    shelf: new Shelf(folder, log),
    log,
    atOnce: false,
    conditionOf: (): ModelCondition => ({ ...condition, policy: 'auto', why: '' }),
    announce: () => {},
  });
  writeFileSync(join(model, file), content);
  const answer = await keeper.load('asked').then(
    () => 'loaded',
    ({ message }: Error) => message,
  );
  const entry = catalogue.find('asked', '');
  return [answer, entry?.state ?? '', entry?.reason ?? ''];
}

test('a model at rest can not be served once its file is another that is no model', async () => {
  const [answer, state, reason] = await changed(0, '1/model.onnx', 'torn');
  assert.match(answer, /version 1 can't be served/);
  assert.equal(state, 'unavailable');
  assert.match(reason, /model\.onnx/);
});

test('one that a worker has in memory serves as it was loaded before', async () => {
  assert.equal((await changed(1, '1/model.onnx', 'torn'))[1], 'available');
});

test('so does one at rest while only its configuration is amiss: its files are there to be loaded', async () => {
  const [answer, state] = await changed(0, 'config.yaml', 'load: never\n');
  assert.match(answer, /can't be served/);
  assert.equal(state, 'available');
});
