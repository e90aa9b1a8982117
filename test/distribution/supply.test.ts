// What a node takes of the store and what it keeps: the real supply over a store in memory, beside a node that only says things.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { shortDigest } from '../../cluster/manifest.js';
import { MemoryStoreServer } from '../../cluster/memory.js';
import type { Holding } from '../../cluster/placement.js';
import type { NodeRecord } from '../../cluster/record.js';
import type { Faring } from '../../cluster/stock.js';
import { manifestOf } from '../../runtime/distribution/contents.js';
import { Depot } from '../../runtime/distribution/depot.js';
import { Supply } from '../../runtime/distribution/supply.js';
import type { Log } from '../../runtime/log.js';
import { Contents } from '../../runtime/models/contents.js';
import { editionOf } from '../../runtime/models/entry.js';
import { scanRepository } from '../../runtime/models/repository.js';
import { Shelf } from '../../runtime/models/shelf.js';
import { Catalogue } from '../../runtime/node/catalogue.js';
import { Scratch, until } from '../processes/harness.js';
import { bytesLike, FileModel } from './file-model.js';

const silent = { away: () => {}, back: () => {}, closed: () => {} };
const everywhere = { replicas: 0, needs: [] };

describe('the supply of a node with models of its own', () => {
  const scratch = new Scratch();
  const supplies: Supply[] = [];
  after(async () => {
    await Promise.all(supplies.map((supply) => supply.stop()));
    scratch.remove();
  });

  /** A node `a` with its own folder, beside `b`, which has nothing yet. */
  async function beside(name: string, own: FileModel, folder: string, routes: boolean) {
    const warned: string[] = [];
    const log = { debug() {}, info() {}, error() {}, warn: (event: string) => warned.push(event) };
    const shelf = new Shelf(folder, log as unknown as Log, new Contents());
    const catalogue = new Catalogue(await shelf.named((await scanRepository(folder)).models));
    const wanted = (): string[] => catalogue.wanted().map((entry) => `${entry.name}:${editionOf(entry)}`);
    /** Whatever workers were ever told to have. */
    const told: string[][] = [];
    /** As they were told last. */
    let coming = 0;
    const server = new MemoryStoreServer();
    const faring: { of: Faring } = { of: { state: 'ready', reason: '' } };
    const supply: Supply = new Supply({
      cluster: 'c',
      cacheFolder: scratch.path(`cache-${name}`),
      log: log as unknown as Log,
      routes,
      shelf,
      startMs: 1000,
      connect: async (events) => server.connect(events),
      nodes: () => ({ own: node('a', supply.holdings()), others: [node('b', [])], isLive: true }),
      offer: async (model) => {
        const found = (await shelf.scan(model)) ?? [];
        catalogue.take(model, found, true);
        told.push(wanted());
        return found;
      },
      faringOf: () => faring.of,
      serves: () => false,
      announce: () => {
        told.push(wanted());
        coming = catalogue.wanted().filter(({ isComing }) => isComing === true).length;
      },
      changed: () => {},
    });
    supplies.push(supply);
    catalogue.isElsewhere = (entry) => supply.isElsewhere(entry);
    if (!routes) {
      catalogue.former = () => supply.former();
      catalogue.isToCome = (entry) => entry.isShared === true && !supply.hasCome(entry);
    }
    await supply.start();
    const depot = await Depot.open(server.connect(silent), 'c');
    const push = async (model: FileModel, replicas: number): Promise<string> => {
      const manifest = await manifestOf({ ...model.wanted('1'), spread: { ...everywhere, replicas } });
      await depot.push(manifest, model.folder, { mayReplace: true });
      return `${manifest.model}:1+${shortDigest(manifest.digest)}`;
    };
    const remove = (model: string) => depot.remove(model);
    const states = (): string[] => supply.holdings().map(({ state, reason }) => `${state} ${reason}`.trim());
    return {
      supply,
      catalogue,
      coming: () => coming,
      wanted,
      told,
      push,
      remove,
      faring,
      states,
      warned,
      own,
    };
  }

  for (const routes of [true, false])
    test(`what it has of its own stays with its workers when the same is pushed, ${routes ? 'with' : 'without'} a router`, async () => {
      const folder = scratch.path(`own-${routes}`);
      const model = new FileModel(folder, 'digits', []).version('1', bytesLike(1, 1000));
      const at = await beside(`same-${routes}`, model, folder, routes);
      const before = at.wanted();
      assert.equal(before.length, 1);
      await at.push(model, 0);
      await until('it says so', () => at.states().join() === 'ready');
      assert.deepEqual(at.wanted(), before);
      for (const wanted of at.told) assert.deepEqual(wanted, before);
      assert.ok(!at.warned.includes('model.inBoth'), 'both are the same');
    });

  test('where it is not chosen for what is pushed, it keeps its own', async () => {
    const folder = scratch.path('unchosen');
    // One of these two is for the other node, whichever of the names that is.
    const models = ['digits', 'letters', 'words', 'faces', 'sounds', 'places'].map((name) =>
      new FileModel(folder, name, []).version('1', bytesLike(1, 1000)),
    );
    const [first] = models;
    assert.ok(first);
    const at = await beside('unchosen', first, folder, true);
    const before = at.wanted();
    for (const model of models) await at.push(model, 1);
    const chosen = () => at.states().filter((state) => state === 'ready').length;
    await until('it has some of them', () => chosen() > 0);
    assert.ok(chosen() < models.length, 'some are for the other node');
    assert.deepEqual(at.wanted(), before);
    for (const wanted of at.told) assert.deepEqual(wanted, before);
  });

  test('what it has under that name with other content goes first, and it says so', async () => {
    const folder = scratch.path('other');
    const own = new FileModel(folder, 'digits', []).version('1', bytesLike(1, 1000));
    const at = await beside('other', own, folder, false);
    const before = at.wanted();
    await at.push(new FileModel(scratch.path('pushed'), 'digits', []).version('1', bytesLike(2, 1000)), 0);
    await until('it says so', () => at.states().join().startsWith('failed'));
    assert.match(at.states().join(), /other content in its own --models, which goes first/);
    assert.deepEqual(at.wanted(), before);
    assert.ok(at.warned.includes('model.inBoth'));
  });

  test('what was replaced is for its workers until they have what takes over, and nothing that none of them ever had', async () => {
    const folder = scratch.path('others');
    const other = new FileModel(folder, 'letters', []).version('1', bytesLike(1, 1000));
    const at = await beside('former', other, folder, false);
    const [own = ''] = at.wanted();
    const model = new FileModel(scratch.path('shared'), 'digits', []);
    const contents: string[] = [];
    const put = async (seed: number): Promise<void> => {
      contents.push(await at.push(model.version('1', bytesLike(seed, 1000)), 0));
      await until('it is offered', () => at.wanted().includes(contents.at(-1) as string));
    };
    at.faring.of = { state: 'loading', reason: '' };
    await put(1);
    await until('they load it', () => at.states().join() === 'loading');
    assert.deepEqual(
      at.catalogue.wanted().map(({ isComing = false }) => isComing),
      [false, true],
    );
    const tellings = at.told.length;
    at.faring.of = { state: 'ready', reason: '' };
    at.supply.review();
    await until('they are told that it has come', () => at.told.length > tellings);
    assert.equal(at.coming(), 0);
    at.faring.of = { state: 'loading', reason: '' };
    const since = at.told.length;
    await put(2);
    await put(3);
    const [first = '', second = '', third = ''] = contents;
    assert.deepEqual(at.wanted(), [first, own, third]);
    assert.deepEqual(
      at.catalogue.wanted().map(({ isComing = false }) => isComing),
      [false, false, true],
    );
    for (const told of at.told.slice(since)) assert.ok(told.includes(first), 'at no time without');
    at.faring.of = { state: 'ready', reason: '' };
    await until('they have it', () => at.wanted().join() === [own, third].join());
    assert.deepEqual(at.told.at(-1), [own, third], 'they are told');
    assert.ok(!at.told.some((told) => told.includes(second) && told.includes(third)));
    at.faring.of = { state: 'loading', reason: '' };
    await put(4);
    await at.remove('digits');
    await until('nothing of it is left', () => at.wanted().join() === own);
    assert.deepEqual(at.told.at(-1), [own]);
  });
});

test('a node is behind from its start until it knows what the store has, and says when it does', async () => {
  const scratch = new Scratch();
  const log = { debug() {}, info() {}, error() {}, warn() {} } as unknown as Log;
  const server = new MemoryStoreServer();
  server.leave();
  let changes = 0;
  const supply: Supply = new Supply({
    cluster: 'c',
    cacheFolder: scratch.path('cache'),
    log,
    routes: true,
    shelf: new Shelf(scratch.folder, log, new Contents()),
    startMs: 1,
    connect: async (events) => server.connect(events),
    nodes: () => ({ own: node('a', []), others: [], isLive: true }),
    offer: async () => [],
    faringOf: () => ({ state: 'loading', reason: '' }),
    serves: () => false,
    announce: () => {},
    changed: () => {
      changes++;
    },
  });
  await supply.start();
  const unknown = 'the node does not know yet which models its cluster shares';
  await until('why is known', () => supply.behind() === `${unknown}; the store is away: the store is away`);
  const before = changes;
  server.comeBack();
  await until('it knows', () => supply.behind() === '');
  assert.ok(changes > before, 'whoever waits for that hears of it');
  await supply.stop();
  scratch.remove();
});

test('a start that waits for a store that does not answer is over when the node stops', {
  timeout: 20_000,
}, async () => {
  const scratch = new Scratch();
  const log = { warn() {} } as unknown as Log;
  const supply = new Supply({
    cluster: 'c',
    cacheFolder: scratch.path('cache'),
    log,
    routes: true,
    shelf: new Shelf(scratch.folder, log, new Contents()),
    startMs: 600_000,
    connect: () => Promise.reject(new Error('nobody listens there')),
    nodes: () => ({ own: node('a', []), others: [], isLive: false }),
    offer: async () => [],
    faringOf: () => ({ state: 'loading', reason: '' }),
    serves: () => false,
    announce: () => {},
    changed: () => {},
  });
  const started = supply.start();
  supply.hurry();
  await started;
  await supply.stop();
  scratch.remove();
});

function node(name: string, holdings: Holding[]): NodeRecord {
  const member = { id: `${name}.aa`, roles: ['host' as const], endpoint: '', host: '' };
  const workers = [{ id: `${name}-worker-1.aa`, device: 'cpu' }];
  const about = { cluster: 'c', protocol: 4, build: '', machine: name, beat: 1, jobs: 0 };
  return { ...about, models: [], labels: [], state: 'serving', member, workers, holdings };
}
