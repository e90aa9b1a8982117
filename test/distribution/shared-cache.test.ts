// Nodes that share a cache folder and are not equally far: what one has replaced another may serve yet, and a node that starts
// anew finds files there of which it knows only that they are of no use to itself.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { type Manifest, shortDigest } from '../../cluster/manifest.js';
import { MemoryStoreServer } from '../../cluster/memory.js';
import type { Holding } from '../../cluster/placement.js';
import type { NodeRecord } from '../../cluster/record.js';
import type { Faring } from '../../cluster/stock.js';
import { Cache } from '../../runtime/distribution/cache.js';
import { manifestOf } from '../../runtime/distribution/contents.js';
import { Depot } from '../../runtime/distribution/depot.js';
import { Supply } from '../../runtime/distribution/supply.js';
import type { Log } from '../../runtime/log.js';
import { Contents } from '../../runtime/models/contents.js';
import { Shelf } from '../../runtime/models/shelf.js';
import { Scratch, until } from '../processes/harness.js';
import { bytesLike, FileModel } from './file-model.js';

const silent = { away: () => {}, back: () => {}, closed: () => {} };
const log = { debug() {}, info() {}, error() {}, warn() {} } as unknown as Log;
const leftoverMs = 20;

describe('nodes that share a cache folder', () => {
  const scratch = new Scratch();
  const supplies: Supply[] = [];
  after(async () => {
    await Promise.all(supplies.map((supply) => supply.stop()));
    scratch.remove();
  });

  /** A cluster of its own, of which this is the store and the folder. */
  async function clusterOf(name: string) {
    const cacheFolder = scratch.path(`cache-${name}`);
    const server = new MemoryStoreServer();
    const depot = await Depot.open(server.connect(silent), 'c');
    const push = async (seed: number, called = 'digits', needs: string[] = []): Promise<Manifest> => {
      const model = new FileModel(scratch.path(`models-${name}`), called, []);
      model.version('1', bytesLike(seed, 1000));
      const manifest = await manifestOf({ ...model.wanted('1'), spread: { replicas: 0, needs } });
      await depot.push(manifest, model.folder, { mayReplace: true });
      return manifest;
    };
    const start = async (node: string) => {
      const faring: { of: Faring } = { of: { state: 'ready', reason: '' } };
      const shelf = new Shelf(scratch.path(`own-${name}-${node}`), log, new Contents());
      const supply: Supply = new Supply({
        cluster: 'c',
        cacheFolder,
        log,
        routes: false,
        shelf,
        startMs: 5000,
        leftoverMs,
        connect: async (events) => server.connect(events),
        nodes: () => ({ own: record(node, supply.holdings()), others: [], isLive: true }),
        offer: async (of) => (await shelf.scan(of)) ?? [],
        faringOf: () => faring.of,
        serves: () => false,
        announce: () => {},
        changed: () => {},
      });
      supplies.push(supply);
      await supply.start();
      const state = (manifest: Manifest): string =>
        supply.holdings().find(({ content }) => content === shortDigest(manifest.digest))?.state ?? 'none';
      return { supply, faring, state };
    };
    const folders = new Cache(cacheFolder, 'c');
    const isThere = (manifest: Manifest): boolean => existsSync(join(folders.folderOf(manifest), '1'));
    return { depot, push, start, isThere, root: join(cacheFolder, 'models', 'c') };
  }

  test('what one has replaced stays as long as another serves it, and goes after that', async () => {
    const { depot, push, start, isThere } = await clusterOf('replaced');
    const old = await push(1);
    const later = await push(2, 'later', ['fast']);
    const [fast, slow] = [await start('fast'), await start('slow')];
    await until('it has what is for it alone', () => fast.state(later) === 'ready');
    await until('both have it', () => fast.state(old) === 'ready' && slow.state(old) === 'ready');
    slow.faring.of = { state: 'loading', reason: '' };
    const fresh = await push(3);
    await until('the one has it', () => fast.state(fresh) === 'ready');
    await until('the other loads it', () => slow.state(fresh) === 'loading');
    await depot.remove('later', '1');
    await until('what it threw away after that is gone', () => !isThere(later));
    assert.ok(isThere(old), 'the other has nothing else yet');
    slow.faring.of = { state: 'ready', reason: '' };
    await until('it goes', () => !isThere(old));
    assert.ok(isThere(fresh));
  });

  test('a node that starts leaves what another uses, takes away the rest, and that too when the other is gone', async () => {
    const { push, start, isThere, root } = await clusterOf('started');
    const old = await push(1);
    const slow = await start('slow');
    await until('it has it', () => slow.state(old) === 'ready');
    slow.faring.of = { state: 'loading', reason: '' };
    const fresh = await push(2);
    await until('it loads the new', () => slow.state(fresh) === 'loading');
    // What was being taken away goes last of all that a node finds.
    const leaving = join(root, '.leaving-by-one-that-was-killed');
    mkdirSync(leaving);
    const other = await start('other');
    await until('it has the new', () => other.state(fresh) === 'ready');
    await until('it has looked through the folder', () => !existsSync(leaving));
    assert.ok(isThere(old));
    await slow.supply.stop();
    await until('nobody uses it', () => !isThere(old));
    assert.ok(isThere(fresh));
    await other.supply.stop();
    assert.deepEqual(readdirSync(join(root, '.users')), []);
  });
});

function record(name: string, holdings: Holding[]): NodeRecord {
  const member = { id: `${name}.aa`, roles: ['host' as const], endpoint: '', host: '' };
  const workers = [{ id: `${name}-worker-1.aa`, device: 'cpu' }];
  const about = { cluster: 'c', protocol: 4, build: '', machine: name, beat: 1, jobs: 0 };
  return { ...about, models: [], labels: [name], state: 'serving', member, workers, holdings };
}
