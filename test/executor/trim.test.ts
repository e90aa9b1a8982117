// The folders of the cache: what was used longest ago goes when there is too much, what an ended process left goes after a
// while, and nobody else may look in.
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { GoldenRecords, goldenBytesMax } from '../../runtime/executor/golden-records.js';
import { OperatorRecord } from '../../runtime/executor/operators.js';
import { type LoadOrder, orderOf } from '../../runtime/executor/order.js';
import { entryOf, temporaryPath } from './models.js';

test('recorded answers are bounded, and this user alone can read them', async () => {
  const cache = temporaryPath('cache');
  const records = new GoldenRecords(cache, assert.fail);
  const orders = [1, 2].map((maxBatch) =>
    orderOf(
      entryOf({ maxBatch, config: { backend: 'simulated', simulated: { alphaMs: maxBatch, betaMs: 0 } } }),
      { device: 'cpu', threads: 1, graphs: '' },
    ),
  ) as [LoadOrder, LoadOrder];
  await records.keep(orders[0], { isBlank: true, answer: [] });
  const folder = join(cache, 'golden');
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  const [first] = readdirSync(folder);
  const [large, left, fresh] = ['large.json', 'left.json.7.draft', 'fresh.json.8.draft'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  for (const path of [large, left, fresh]) writeFileSync(path, '');
  truncateSync(large, goldenBytesMax);
  for (const path of [large, left]) utimesSync(path, 1, 1);
  await records.keep(orders[1], { isBlank: true, answer: [] });
  assert.deepEqual([existsSync(large), existsSync(left), existsSync(fresh)], [false, false, true]);
  assert.ok(existsSync(join(folder, first as string)));
  assert.equal(readdirSync(folder).length, 3);
});

test('what a process left of the record of a run is swept up by the next', async () => {
  const cache = temporaryPath('cache');
  const folder = join(cache, 'operators');
  const first = await OperatorRecord.begin(cache);
  assert.ok(first.prefix.startsWith(folder), first.prefix);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  mkdirSync(join(folder, 'run-killed'));
  writeFileSync(join(folder, 'run-killed', 'run_1.json'), '{}');
  utimesSync(join(folder, 'run-killed'), 1, 1);
  const second = await OperatorRecord.begin(cache);
  assert.equal(readdirSync(folder).length, 2, 'that of the other, which may still be written, is kept');
  await first.drop();
  await second.drop();
  assert.deepEqual(readdirSync(folder), []);
});
