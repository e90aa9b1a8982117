// A nats-server is found where it may be, in order, and where there is none and nothing brings one, a sentence says how.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { cacheFolder, findServer, getServer } from './find.js';

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'sb-find-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

function plant(path: string, version: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\necho "nats-server: v${version}"\n`);
  chmodSync(path, 0o755);
  return path;
}

test('the variable goes before the PATH, that before the cache', () => {
  const environment: Record<string, string> = {
    PATH: join(folder, 'bin'),
    XDG_CACHE_HOME: join(folder, 'cache'),
  };
  assert.equal(findServer(environment), undefined);
  const kept = plant(join(cacheFolder(environment), 'nats-server'), '2.9.10');
  assert.deepEqual(findServer(environment), { path: kept, version: '2.9.10' });
  const onPath = plant(join(folder, 'bin', 'nats-server'), '2.11.0');
  assert.deepEqual(findServer(environment), { path: onPath, version: '2.11.0' });
  const named = plant(join(folder, 'elsewhere', 'mine'), '2.15.2');
  assert.deepEqual(findServer({ ...environment, NATS_SERVER: named }), { path: named, version: '2.15.2' });
});

test('a variable that names something else is no reason to look further', () => {
  assert.throws(
    () => findServer({ NATS_SERVER: process.execPath, PATH: '' }),
    /is no nats-server that runs here/,
  );
});

test('where there is none and nothing brings one, a sentence says how to get one', () => {
  const environment = { PATH: join(folder, 'empty'), XDG_CACHE_HOME: join(folder, 'nothing') };
  assert.throws(
    () => getServer({ environment, say: () => {}, waitMs: 10_000 }),
    /no nats-server was found: .*NATS_SERVER.*go install.*apt-get/,
  );
});
