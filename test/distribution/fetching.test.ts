// Fetching a version: every part is looked at, what is there stays, what is wrong is told by name and harms nothing else.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Manifest, manifestKey, readManifest, writeManifest } from '../../cluster/manifest.js';
import { MemoryStoreServer } from '../../cluster/memory.js';
import type { Parts } from '../../cluster/parts.js';
import { Cache } from '../../runtime/distribution/cache.js';
import type { ClaimTimes } from '../../runtime/distribution/claim.js';
import { manifestOf, partBytes } from '../../runtime/distribution/contents.js';
import { Depot } from '../../runtime/distribution/depot.js';
import { type Fetched, fetchVersion, Unreached } from '../../runtime/distribution/fetching.js';
import { createLog } from '../../runtime/log.js';
import { Scratch } from '../processes/harness.js';
import { bytesLike, FileModel } from './file-model.js';

const log = createLog('silent', 'test');
const scratch = new Scratch();
const weights = bytesLike(1, 3 * partBytes + 5);
let manifest: Manifest;
let parts: Parts;
let caches = 0;

before(async () => {
  const model = new FileModel(scratch.path('models'), 'some');
  model.version('1', weights);
  writeFileSync(join(model.folder, '1', 'empty.txt'), '');
  manifest = await manifestOf(model.wanted('1'));
  const connection = new MemoryStoreServer().connect({ away: () => {}, back: () => {}, closed: () => {} });
  await (await Depot.open(connection, 'c')).push(manifest, model.folder, { mayReplace: false });
  parts = await connection.parts('signalbox-c-models');
});
after(() => scratch.remove());

function newCache(claims?: ClaimTimes): Cache {
  return new Cache(scratch.path(`cache-${++caches}`), 'c', claims === undefined ? {} : { claims });
}

/** Where its claim lies. */
async function claimFolder(cache: Cache): Promise<string> {
  return dirname(await cache.begin(manifest));
}

function fetch(
  cache: Cache,
  from: Partial<Parts> = {},
  givenUp = new AbortController().signal,
): Promise<Fetched> {
  const store: Parts = { ...whole(parts), ...from };
  return fetchVersion({ manifest, cache, parts: () => store, log, givenUp });
}

function whole(store: Parts): Parts {
  return {
    list: () => store.list(),
    put: (name, bytes) => store.put(name, bytes),
    get: (name, sizeBytes, givenUp) => store.get(name, sizeBytes, givenUp),
    remove: (name) => store.remove(name),
    sweep: (quietMs) => store.sweep(quietMs),
  };
}

function weightsIn(folder: string): Buffer {
  return readFileSync(join(folder, '1', 'weights.bin'));
}

test('all of it comes, and is not fetched again', async () => {
  const cache = newCache();
  const { folder, parts: count, fetchedParts } = await fetch(cache);
  assert.deepEqual([count, fetchedParts], [5, 5]);
  assert.ok(weightsIn(folder).equals(weights));
  assert.equal(readFileSync(join(folder, '1', 'empty.txt')).length, 0);
  assert.deepEqual(
    (await cache.list()).map(({ manifest: kept }) => kept.digest),
    [manifest.digest],
  );
  const again = await fetch(cache, { get: () => Promise.reject(new Error('nobody asks')) });
  assert.equal(again.fetchedParts, 0);
  await cache.remove(manifest);
  assert.equal(await cache.has(manifest), false);
});

test('what was interrupted goes on with what is there', async () => {
  const cache = newCache();
  let left = 3;
  const failing: Parts['get'] = async (...asked) => {
    if (left === 0) throw new Error('the line is cut');
    left--;
    return parts.get(...asked);
  };
  await assert.rejects(
    fetch(cache, { get: failing }),
    /a part of 1\/weights\.bin can't be had, tried 4 times: the line is cut/,
  );
  assert.equal(await cache.has(manifest), false);
  const { folder, fetchedParts } = await fetch(cache);
  assert.equal(fetchedParts, 2);
  assert.ok(weightsIn(folder).equals(weights));
});

test('of several that fetch into one folder at once one does, and nobody writes what another has completed', async () => {
  const cache = newCache();
  let asked = 0;
  const counted: Parts['get'] = (...of) => {
    asked++;
    return parts.get(...of);
  };
  const all = await Promise.all(Array.from({ length: 4 }, () => fetch(cache, { get: counted })));
  assert.equal(asked, 5);
  assert.deepEqual(all.map(({ fetchedParts }) => fetchedParts).sort(), [0, 0, 0, 5]);
});

const claimTimes = { renewMs: 20, silentMs: 60, lookMs: 10 };

test('what was being fetched by one of whom nothing is heard any more is taken over', async () => {
  const cache = newCache(claimTimes);
  writeFileSync(join(await claimFolder(cache), '.fetching'), '7');
  const { fetchedParts } = await fetch(cache);
  assert.equal(fetchedParts, 5);
});

test('what a process of this machine was fetching that is gone is taken over at once', {
  skip: process.platform === 'linux' ? false : 'only Linux tells whether it is of this machine',
  timeout: 60_000,
}, async () => {
  const cache = newCache({ ...claimTimes, silentMs: 600_000 });
  const folder = JSON.stringify(await claimFolder(cache));
  const claim = new URL('../../runtime/distribution/claim.js', import.meta.url).href;
  const script = `import { Claim } from '${claim}'; await Claim.on(${folder}, async () => false); process.exit()`;
  execFileSync(process.execPath, ['--input-type=module', '--eval', script]);
  const { fetchedParts } = await fetch(cache);
  assert.equal(fetchedParts, 5);
});

test('a claim that can not be signed, as on a full disk, is told and keeps nobody waiting', {
  skip: process.platform === 'win32' ? 'no limit of the size of files' : false,
  timeout: 60_000,
}, async () => {
  const folder = await claimFolder(newCache());
  const there = readdirSync(folder);
  const claim = new URL('../../runtime/distribution/claim.js', import.meta.url).href;
  const script = `import { Claim } from '${claim}'; await Claim.on(process.argv[1], async () => false);`;
  const begun = 'ulimit -f 0; exec "$@"';
  const program = [process.execPath, '--input-type=module', '--eval', script, folder];
  const { status, stderr } = spawnSync('sh', ['-c', begun, 'sh', ...program], { encoding: 'utf8' });
  assert.match(stderr, /EFBIG/);
  assert.equal(status, 1);
  assert.deepEqual(readdirSync(folder), there);
});

test('who waits for another to fetch it and gives up is not kept waiting', async () => {
  const cache = newCache();
  writeFileSync(join(await claimFolder(cache), '.fetching'), '7');
  const stop = new AbortController();
  const fetched = fetch(cache, {}, stop.signal);
  stop.abort();
  await assert.rejects(fetched, /it is not wanted here any more/);
});

test('a part that comes corrupt is fetched again; one that stays so is told', async () => {
  const cache = newCache();
  let isFirst = true;
  const { folder } = await fetch(cache, {
    get: async (...asked) => {
      const bytes = await parts.get(...asked);
      if (isFirst && bytes instanceof Uint8Array) bytes[0] = (bytes[0] as number) ^ 1;
      isFirst = false;
      return bytes;
    },
  });
  assert.ok(weightsIn(folder).equals(weights));
  const [part = ''] = manifest.files.find(({ path }) => path.endsWith('weights.bin'))?.parts ?? [];
  const having = (other: Awaited<ReturnType<Parts['get']>>): Partial<Parts> => ({
    get: async (name, ...more) => (name === part ? other : parts.get(name, ...more)),
  });
  const corrupt = new RegExp(`part ${part} is corrupt in the store`);
  await assert.rejects(fetch(newCache(), having(bytesLike(9, partBytes))), corrupt);
  await assert.rejects(fetch(newCache(), having('otherSize')), corrupt);
  const lost = having(undefined);
  await assert.rejects(fetch(newCache(), lost), /the store does not have part \w+: push the model again/);
});

test('a store that does not answer is told from one that does not have it', async () => {
  const kindOf = (from: Partial<Parts>): Promise<boolean | undefined> =>
    fetch(newCache(), from).then(
      () => undefined,
      (fault: Error) => fault instanceof Unreached,
    );
  assert.equal(await kindOf({ get: () => Promise.reject(new Error('it does not answer in time')) }), true);
  assert.equal(await kindOf({ get: async () => undefined }), false);
  const about = { manifest, cache: newCache(), log, givenUp: new AbortController().signal };
  await assert.rejects(fetchVersion({ ...about, parts: () => undefined }), Unreached);
});

test('a file that was harmed on the disk is mended, the others stay', async () => {
  const cache = newCache();
  const { folder } = await fetch(cache);
  truncateSync(join(folder, '1', 'weights.bin'), 2 * partBytes);
  assert.equal(await cache.has(manifest), false);
  assert.equal((await fetch(cache)).fetchedParts, 2);
  assert.ok(weightsIn(folder).equals(weights));
});

test('a manifest that says another digest than its parts have is not believed', async () => {
  const files = manifest.files.map((file) => ({ ...file, sha256: 'a'.repeat(64) }));
  const wrong = { ...manifest, files };
  const late = fetchVersion({
    manifest: wrong,
    cache: newCache(),
    parts: () => parts,
    log,
    givenUp: new AbortController().signal,
  });
  await assert.rejects(late, /has the SHA-256 \w{64}, its manifest says aaaa/);
});

test('who gives up is not kept waiting', async () => {
  const givenUp = new AbortController();
  const get = (_: string, __: number, signal: AbortSignal): Promise<undefined> =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error(String(signal.reason))));
      givenUp.abort('enough');
    });
  await assert.rejects(fetch(newCache(), { get }, givenUp.signal), /it is not wanted here any more/);
});

test('a full disk is told with what is needed', (t) => {
  const small = scratch.path('small');
  mkdirSync(small);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', small], { stdio: 'ignore' });
  } catch {
    return t.skip('this user can not mount a small disk');
  }
  return assert
    .rejects(
      fetch(new Cache(small, 'c')),
      /the disk with .*small.* is full: it takes 13 MB; make room, or name another --cache-folder/,
    )
    .finally(() => execFileSync('umount', [small]));
});

test('a manifest that is none, or that leads elsewhere on the disk, is refused', () => {
  const key = manifestKey('some', '1');
  const amiss = (change: object): unknown =>
    readManifest(key, JSON.stringify({ ...JSON.parse(writeManifest(manifest)), ...change }));
  assert.deepEqual(readManifest(key, writeManifest(manifest)), { format: 1, ...manifest });
  assert.match(String(readManifest(key, 'x')), /is not JSON/);
  assert.match(String(amiss({ format: 2 })), /is of format 2, this node reads 1/);
  assert.match(
    String(amiss({ digest: 'a'.repeat(64) })),
    /^the manifest some\.1 is called aaaaaaaaaa, and its files make \w{10}: push it again$/,
  );
  const [first, ...others] = manifest.files;
  assert.match(String(amiss({ files: [...others, { ...first, sha256: 'b'.repeat(64) }] })), /its files make/);
  assert.equal(typeof amiss({ files: [...others, first] }), 'object', 'their order tells nothing');
  const vast = 2 ** 40;
  const files = manifest.files.map((file) => ({ ...file, parts: file.parts.slice(0, 1) }));
  assert.match(
    String(amiss({ partBytes: vast, files })),
    /^the manifest some\.1 has parts of 1099511627776 bytes, this node takes 16777216 at most$/,
  );
  assert.match(String(amiss({ model: 'other' })), /is of other:1/);
  for (const path of ['../x', '/x', 'a/../../x', 'a//b', '.x', 'a\\b', '']) {
    const [file] = manifest.files;
    assert.match(String(amiss({ files: [{ ...file, path }] })), /has no good files/, path);
  }
});
