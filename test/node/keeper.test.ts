// Loading and unloading while a node serves: what one model waits for holds up no other, and not everybody may wait.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ModelCondition } from '../../actors/router/coverage.js';
import { createLog } from '../../runtime/log.js';
import { Shelf } from '../../runtime/models/shelf.js';
import { Catalogue } from '../../runtime/node/catalogue.js';
import { Keeper } from '../../runtime/node/keeper.js';

const config = `backend: echo
inputs: [{ name: x, datatype: FP32, shape: [-1] }]
outputs: [{ name: x, datatype: FP32, shape: [-1] }]
`;
const condition: ModelCondition = {
  ready: 0,
  loading: 1,
  failed: 0,
  resting: 0,
  reason: '',
  policy: 'auto',
  why: '',
  runsOn: [],
};

test('a model that takes long to load keeps no other from being loaded, and no more than some wait for it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'signalbox-keeper-'));
  const catalogue = new Catalogue([]);
  const ready = new Set(['quick']);
  const log = createLog('silent', 'node-1.aaaaaa');
  const keeper = new Keeper(catalogue, {
    shelf: new Shelf(folder, log),
    log,
    atOnce: false,
    conditionOf: (name) => (ready.has(name) ? { ...condition, ready: 1, loading: 0 } : condition),
    announce: () => {},
  });
  try {
    for (const name of ['slow', 'quick']) {
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, 'config.yaml'), config);
    }
    const waiting = Array.from({ length: 16 }, () => keeper.load('slow'));
    await keeper.load('quick');
    assert.equal(catalogue.find('quick', '')?.state, 'available');
    await assert.rejects(keeper.load('slow'), { code: 'QUEUE_FULL' });
    ready.add('slow');
    keeper.review();
    await Promise.all(waiting);
    assert.equal(catalogue.find('slow', '')?.state, 'available');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
