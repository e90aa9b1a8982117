// Nodes that share a cache folder begin to use a content and have no more use for it, all at once, and some are killed in between:
// who uses it has all its files for as long as it does, and when nobody does any more nothing is left.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { writeManifest } from '../../cluster/manifest.js';
import { Cache } from '../../runtime/distribution/cache.js';
import { manifestOf } from '../../runtime/distribution/contents.js';
import { Scratch } from '../processes/harness.js';
import { bytesLike, FileModel } from './file-model.js';

const racers = 6;
const rounds = 120;
/** So that now and then nobody uses it, and now and then one begins when another ends. */
const longestIdleMs = 12;
const scratch = new Scratch();
after(() => scratch.remove());

const from = (path: string): string => new URL(`../../runtime/${path}.js`, import.meta.url).href;
/** Its argument is the round in which it dies, in use or while it takes away, if it comes to that. */
const program = (models: string): string => `
  import { readFileSync, existsSync } from 'node:fs';
  import { join } from 'node:path';
  import { Cache } from '${from('distribution/cache')}';
  import { fetchVersion } from '${from('distribution/fetching')}';
  const manifest = JSON.parse(readFileSync(${JSON.stringify(join(models, 'manifest'))}, 'utf8'));
  const bytes = new Map(manifest.files.map(({ path, parts }) => [parts[0], readFileSync(join(${JSON.stringify(models)}, 'some', path))]));
  const store = { get: async (name) => new Uint8Array(bytes.get(name)) };
  const log = { warn() {} };
  const pause = (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs));
  const givenUp = new AbortController().signal;
  const claims = { renewMs: 1000, silentMs: 8000, lookMs: 0 };
  const dies = Number(process.argv[1]);
  const isInUse = dies % 4 === 1;
  process.stdout.write('ready');
  process.stdin.once('data', async () => {
    const cache = new Cache(${JSON.stringify(scratch.path('cache'))}, 'c', { claims });
    let fetched = 0;
    for (let round = 0; round < ${rounds}; round++) {
      const { folder, fetchedParts } = await fetchVersion({ manifest, cache, parts: () => store, log, givenUp });
      if (fetchedParts > 0) fetched++;
      const die = () => setTimeout(() => process.kill(process.pid, 'SIGKILL'), round % 3);
      if (round === dies && isInUse) die();
      for (let look = 0; look < 5; look++) {
        if (!manifest.files.every(({ path }) => existsSync(join(folder, path)))) process.exit(3);
        await pause(0);
      }
      const gone = cache.remove(manifest);
      if (round === dies) die();
      await gone;
      await pause((round * process.pid) % ${longestIdleMs});
    }
    process.stderr.write(String(fetched));
    cache.close();
    process.exit(0);
  });
`;

test('nobody takes away what another uses, and what nobody uses goes', {
  skip: process.platform === 'linux' ? false : 'only Linux tells at once who is gone',
  timeout: 120_000,
}, async () => {
  const models = scratch.path('models');
  const model = new FileModel(models, 'some').version('1', bytesLike(1, 10_000));
  const manifest = await manifestOf(model.wanted('1'));
  writeFileSync(join(models, 'manifest'), writeManifest(manifest));
  const started = Array.from({ length: racers }, (_, at) => {
    const dies = String(at % 2 === 0 ? rounds : at + rounds / 2);
    return spawn(process.execPath, ['--input-type=module', '--eval', program(models), dies], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  });
  let told = '';
  for (const racer of started) racer.stderr.on('data', (text) => (told += ` ${text}`));
  const ended = started.map((racer) => once(racer, 'exit'));
  await Promise.all(started.map((racer) => once(racer.stdout, 'data')));
  for (const racer of started) racer.stdin.write('go');
  const codes = (await Promise.all(ended)).map(([code, signal]) => signal ?? code);
  assert.deepEqual(codes, [0, 'SIGKILL', 0, 'SIGKILL', 0, 'SIGKILL'], told);
  assert.ok(
    told.split(' ').some((times) => Number(times) > 1),
    `it was taken away again and again: ${told}`,
  );
  const cache = new Cache(scratch.path('cache'), 'c');
  assert.equal(await cache.remove(manifest), true);
  await cache.sweep();
  const folder = cache.folderOf(manifest);
  assert.deepEqual(readdirSync(dirname(folder)), []);
  assert.deepEqual(
    readdirSync(dirname(dirname(folder))).filter((name) => name.startsWith('.leaving')),
    [],
  );
});
