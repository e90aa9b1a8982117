// Real nodes that fetch their models out of a real NATS: pushed once, served everywhere, moved when a node dies, replaced and
// removed without a failed request.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect } from 'nats';
import { connectNats } from '../../cluster/nats.js';
import type { ConnectionEvents } from '../../cluster/store.js';
import { manifestOf } from '../../runtime/distribution/contents.js';
import type { ClusterView } from '../../runtime/doors/cluster.js';
import { clusterText } from '../../runtime/membership/command.js';
import { modelsText } from '../../runtime/models/command.js';
import { nobody } from '../cluster/access.js';
import { bytesLike, FileModel } from '../distribution/file-model.js';
import { executable, skip } from '../nats/at-hand.js';
import { NatsServers } from '../nats/servers.js';
import { GrpcClient, rowOf } from './client.js';
import { Group } from './group.js';
import { apart, type RunningNode, Scratch, until } from './harness.js';
import { Load } from './load.js';
import { ModelFolder } from './repository.js';

const silent: ConnectionEvents = { away: () => {}, back: () => {}, closed: () => {} };
const leaseMs = 2000;
const largeBytes = 30_000_000;

describe('models that a cluster shares', { skip }, () => {
  const scratch = new Scratch();
  let servers: NatsServers;
  let group: Group;
  let core: RunningNode;
  let client: GrpcClient;
  let model: FileModel;

  const copies: ModelFolder[] = [];
  function ownModels(alphaMs: number): string {
    const copy = new ModelFolder(scratch).simulated('own', { alphaMs });
    copies.push(copy);
    return copy.folder;
  }

  before(async () => {
    servers = await NatsServers.start(executable);
    const models = ownModels(2);
    group = new Group(scratch, {
      ...apart(scratch, models),
      nats: servers.urls,
      'lease-ms': leaseMs,
      'watch-models': 'true',
      'watch-interval-ms': 200,
    });
    model = new FileModel(scratch.path('pushed'), 'shared', ['nodes: { replicas: 1 }']);
    model.version('1', bytesLike(1, 9_000_000));
    // As on another machine: the same models, in files of their own.
    core = group.start('router,scheduler,health', 'core', { models: ownModels(2) });
    await Promise.all([
      core.ready(),
      group.start('worker', 'one').ready(),
      group.start('worker', 'two').ready(),
    ]);
    client = new GrpcClient(core.grpcPort);
  });
  after(async () => {
    client?.close();
    await group?.dispose();
    await servers?.remove();
    scratch.remove();
  });

  async function command(...args: string[]): Promise<string> {
    const environment = { SIGNALBOX_NATS: servers.urls, SIGNALBOX_CLUSTER: String(group.flags['cluster']) };
    return (await modelsText(args, environment)).text;
  }

  /** Nodes that say of a version that its workers have it ready. */
  async function holders(version: string): Promise<string[]> {
    const { members } = (await core.get('/v2/signalbox/cluster')) as ClusterView;
    const ready = members.filter(({ node }) =>
      node?.holdings?.some(
        (one) => one.model === 'shared' && one.version === version && one.state === 'ready',
      ),
    );
    return ready.map(({ id }) => id.split('.')[0] ?? '');
  }

  /** What the node says of it. */
  async function stateAt(name: string, model: string): Promise<string> {
    const { members } = (await core.get('/v2/signalbox/cluster')) as ClusterView;
    const found = members.find(({ id }) => id.startsWith(`${name}.`));
    return found?.node?.holdings?.find((one) => one.model === model)?.state ?? 'none';
  }

  async function stateOf(name: string, version: string): Promise<string> {
    const index = (await (await fetch(`${core.url}/v2/repository/index`, { method: 'POST' })).json()) as {
      name: string;
      version: string;
      state: string;
    }[];
    return index.find((entry) => entry.name === name && entry.version === version)?.state ?? 'none';
  }

  /** Nobody had it for a while, as the router saw it. */
  function gapsOf(name: string, since: number): unknown[] {
    return core.lines
      .slice(since)
      .filter(({ event, reason }) => event === 'model.uncovered' && String(reason).includes(` ${name}`));
  }

  async function partsOfWeights(model: FileModel): Promise<readonly string[]> {
    const { files } = await manifestOf(model.wanted('1'));
    return files.find(({ path }) => path === '1/weights.bin')?.parts ?? [];
  }

  /** It has other bytes in the store than it is called by. */
  async function tear(part: string): Promise<void> {
    const connection = await connectNats({ ...nobody, servers: [servers.urls], name: 'vandal' }, silent);
    const parts = await connection.parts(`signalbox-${group.flags['cluster']}-models`);
    await parts.put(part, bytesLike(6, 1000));
    await connection.close();
  }

  /** The store tells of it, and whoever asks for it waits. */
  async function holdBack(part: string): Promise<void> {
    const raw = await connect({ servers: servers.urls });
    const bucket = `signalbox-${group.flags['cluster']}-models`;
    const { nuid = '' } = (await (await raw.jetstream().views.os(bucket)).info(part)) ?? {};
    const { streams } = await raw.jetstreamManager();
    const { purged } = await streams.purge(`OBJ_${bucket}`, { filter: `$O.${bucket}.C.${nuid}` });
    assert.ok(purged > 0);
    await raw.close();
  }

  async function answers(name: string): Promise<void> {
    const told = await client.infer({ ...rowOf(name, 7), deadlineMs: 20_000 });
    assert.equal(told.status, 'OK', told.message);
    assert.equal(told.values[0], 7);
  }

  test('what is pushed is served by as many nodes as are wanted, beside what each has of its own', async () => {
    assert.match(await command('push', model.folder), /^shared:1 is in the store/);
    await until('it serves', async () => (await stateOf('shared', '1')) === 'READY');
    await answers('shared');
    await answers('own');
    await until('one says so', async () => (await holders('1')).length === 1);
    const { text } = await modelsText(['list'], { SIGNALBOX_HTTP_PORT: String(core.httpPort) });
    assert.match(text, /^shared:1 {2}READY on cpu in 1 worker; ready at (one|two)\.[\w.]+ \[\w{10}\]$/m);
    assert.match(text, /^own:1 .*; of their own at (one|two)\.[\w.]+, (one|two)\.[\w.]+ \[\w{10}\]$/m);
  });

  test('what nodes have of their own changes on all of them, in files of their own, and they agree what it is', async () => {
    const load = new Load(client, { model: 'own', unary: 2 }).start();
    const before = core.lines.length;
    for (const copy of copies) copy.simulated('own', { alphaMs: 3 });
    await until('it has taken over', () =>
      core.lines.slice(before).some(({ event, model: name }) => event === 'model.tookOver' && name === 'own'),
    );
    const answered = load.answered;
    await until('it answers', () => load.answered > answered + 50);
    assert.deepEqual((await load.stop()).errors, []);
  });

  test('what some nodes have of their own can be pushed: they keep it, and those without get it', async () => {
    const bare = scratch.path('bare');
    new FileModel(bare, 'other', []).version('1', bytesLike(8, 10));
    const third = await group.start('worker', 'bare', { models: bare }).ready();
    const load = new Load(client, { model: 'own', unary: 2 }).start();
    await command('push', join(copies[0]?.folder ?? '', 'own'));
    const names = ['one', 'two', 'bare'];
    const states = () => Promise.all(names.map((name) => stateAt(name, 'own')));
    await until('all have it', async () => (await states()).join() === 'ready,ready,ready');
    assert.deepEqual((await load.stop()).errors, []);
    await command('remove', 'own');
    await third.dispose();
    await answers('own');
    await until(
      'others have what it may have been alone with',
      async () => (await stateOf('shared', '1')) === 'READY',
    );
  });

  test('a new version takes over under load, and the old one stays', async () => {
    const load = new Load(client, { model: 'shared', unary: 4 }).start();
    model.version('2', bytesLike(2, 1000));
    assert.match(await command('push', model.folder, '--version', '2'), /^shared:2 is in the store/);
    await until('it serves', async () => (await stateOf('shared', '2')) === 'READY');
    assert.equal(await stateOf('shared', '1'), 'READY');
    const { errors, sent } = await load.stop();
    assert.deepEqual(errors, []);
    assert.ok(sent > 0);
  });

  test('other content takes the place of a version under load, when it is asked for', async () => {
    const load = new Load(client, { model: 'shared', unary: 4 }).start();
    model.version('2', bytesLike(3, 2000));
    await assert.rejects(command('push', model.folder, '--version', '2'), /with other content/);
    const before = core.lines.length;
    assert.match(await command('push', model.folder, '--version', '2', '--replace'), /^shared:2 is replaced/);
    await until('it has taken over', () =>
      core.lines.slice(before).some((line) => line.event === 'model.tookOver' && line.version === '2'),
    );
    const answered = load.answered;
    await until('it answers', () => load.answered > answered + 50);
    assert.deepEqual((await load.stop()).errors, []);
  });

  test('a node that is drained by order passes on what it had, and takes it back, without a failed request', async () => {
    await until('one node has it', async () => (await holders('2')).length === 1);
    const [holder = ''] = await holders('2');
    const other = holder === 'one' ? 'two' : 'one';
    const since = core.lines.length;
    const load = new Load(client, { model: 'shared', unary: 4 }).start();
    const at = { SIGNALBOX_HTTP_PORT: String(core.httpPort) };
    await clusterText(['drain', holder], at);
    await until('the other one has it', async () => (await holders('2')).includes(other));
    await clusterText(['undrain', holder], at);
    await until('it has it back', async () => (await holders('2')).join() === holder);
    assert.deepEqual((await load.stop()).errors, []);
    assert.deepEqual(gapsOf('shared:2', since), [], 'somebody had it all the time');
  });

  test('who alone has what takes long to load goes on with it until another has it, drained or stopped', async () => {
    const slow = new FileModel(scratch.path('pushed'), 'slow', [
      'nodes: { replicas: 1 }',
      'simulated: { alphaMs: 150 }',
    ]);
    slow.version('1', bytesLike(9, 1000));
    await command('push', slow.folder);
    const names = ['one', 'two'];
    const at = { SIGNALBOX_HTTP_PORT: String(core.httpPort) };
    const holderOf = async (): Promise<string> => {
      const states = await Promise.all(names.map((name) => stateAt(name, 'slow')));
      return states.filter((state) => state !== 'none').length === 1
        ? (names[states.indexOf('ready')] ?? '')
        : '';
    };
    await until('one has it', async () => (await holderOf()) !== '');
    await answers('slow');
    const holder = await holderOf();
    const other = holder === 'one' ? 'two' : 'one';
    const since = core.lines.length;
    const load = new Load(client, { model: 'slow', unary: 1, deadlineMs: 1500 }).start();
    await clusterText(['drain', holder], at);
    assert.equal(await stateAt(other, 'slow'), 'ready', 'it is drained when the other one has it');
    await clusterText(['undrain', holder], at);
    await until('it has it back', async () => (await holderOf()) === holder);
    await group.node(holder).stop();
    await until('the other one has it', async () => (await stateAt(other, 'slow')) === 'ready');
    const answered = load.answered;
    await until('it answers', () => load.answered > answered + 3);
    assert.deepEqual((await load.stop()).errors, []);
    assert.deepEqual(gapsOf('slow:1', since), [], 'somebody had it all the time');
    assert.deepEqual(gapsOf('shared:2', since), []);
    await command('remove', 'slow');
    await group.start('worker', holder).ready();
  });

  test('when the node that has it dies another one loads it, and nobody hears of that', async () => {
    await until('one node has it', async () => (await holders('2')).length === 1);
    const [holder = ''] = await holders('2');
    const other = holder === 'one' ? 'two' : 'one';
    const load = new Load(client, { model: 'shared', unary: 4 }).start();
    await group.node(holder).dispose();
    await until('the other one has it', async () => (await holders('2')).includes(other), 40_000);
    const answered = load.answered;
    await until('it answers', () => load.answered > answered + 50);
    assert.deepEqual((await load.stop()).errors, []);
  });

  test('a node that is killed while it fetches goes on with what it has', async () => {
    const large = new FileModel(scratch.path('pushed'), 'large', ['nodes: { needs: [third] }']);
    large.version('1', bytesLike(4, largeBytes));
    await command('push', large.folder);
    await core.line(
      ({ event, model }) => event === 'model.fetched' && model === 'large',
      'the router has it',
    );
    const last = (await partsOfWeights(large)).at(-1) ?? '';
    await tear(last);
    const first = group.start('worker', 'third', { 'worker-tags': 'third' });
    // Three parts are under way at a time: when the last is found to be amiss, most are there.
    assert.equal((await first.event('part.amiss')).part, last);
    await first.dispose();
    await command('push', large.folder, '--replace');
    const again = await group.start('worker', 'third', { 'worker-tags': 'third' }).ready();
    const { parts, sent } = await again.line(
      ({ event, model }) => event === 'model.fetched' && model === 'large',
      'it has the rest',
    );
    assert.ok(Number(sent) > 0 && Number(sent) < Number(parts), `${sent} of ${parts} parts came anew`);
    await until('it serves', async () => (await client.infer(rowOf('large', 7))).status === 'OK');
  });

  test('why a model is nowhere is told; a router that knows no models yet is not ready before it has them', async () => {
    const far = new FileModel(scratch.path('pushed'), 'far', ['nodes: { needs: [nowhere] }']);
    far.version('1', bytesLike(7, 1000));
    await command('push', far.folder);
    await until('it is known', async () => (await stateOf('far', '1')) === 'LOADING');
    const { text } = await modelsText(['list'], { SIGNALBOX_HTTP_PORT: String(core.httpPort) });
    assert.match(
      text,
      /^far:1 +LOADING.*: no node of the cluster takes it: wanted is a worker with nowhere$/m,
    );
    const [part = ''] = await partsOfWeights(far);
    await holdBack(part);
    const second = group.start('router', 'second', { 'cache-folder': scratch.path('second') });
    await second.event('node.serving');
    await second.line(({ event, model }) => event === 'model.fetched' && model === 'shared', 'it fetches');
    const early = await fetch(`${second.url}/v2/health/ready`);
    assert.equal(early.status, 503);
    assert.match(await early.text(), /the node still fetches .*far/);
    await command('remove', 'far');
    await until('it is ready', () => second.isReady());
    const other = new GrpcClient(second.grpcPort);
    const told = await other.infer({ ...rowOf('shared', 7), deadlineMs: 20_000 });
    other.close();
    assert.equal(told.status, 'OK', told.message);
    await second.dispose();
  });

  test('what is corrupt in the store is told by name, harms nobody else, and is mended by another push', async () => {
    const torn = new FileModel(scratch.path('pushed'), 'torn', []);
    torn.version('1', bytesLike(5, 1000));
    const [part = ''] = await partsOfWeights(torn);
    await tear(part);
    await command('push', torn.folder);
    const { file, reason } = await core.line(({ event }) => event === 'part.amiss', 'it is told');
    assert.equal(file, '1/weights.bin');
    assert.equal(reason, `part ${part} is corrupt in the store`);
    const failed = await core.line(
      ({ event, model }) => event === 'model.unfetched' && model === 'torn',
      'it is given up',
    );
    assert.match(
      String(failed.reason),
      /a part of 1\/weights\.bin can't be had, tried 4 times: part \w+ is corrupt/,
    );
    await answers('shared');
    assert.match(await command('push', torn.folder, '--replace'), /^torn:1 is replaced .* sent$/);
    await until('it serves', async () => (await client.infer(rowOf('torn', 7))).status === 'OK');
  });

  test('without NATS, what was fetched is served on', async () => {
    const [server] = servers.servers;
    await server?.kill();
    await answers('shared');
    await server?.start();
    await answers('shared');
  });

  test('what is removed goes without failing what was taken', async () => {
    const load = new Load(client, { model: 'own', unary: 2 }).start();
    assert.equal(await command('remove', 'shared'), 'shared:1, 2 is taken out of the store');
    await until('it is gone', async () => (await stateOf('shared', '2')) === 'none');
    assert.equal((await client.infer(rowOf('shared', 7))).code, 'MODEL_UNKNOWN');
    assert.deepEqual((await load.stop()).errors, []);
  });

  test('a store that has lost what it had takes nothing away, and is told of', async () => {
    const [server] = servers.servers;
    await server?.kill();
    server?.loseData();
    await server?.start();
    const { keys } = await core.event('store.forgot');
    assert.ok((keys as string[]).includes('torn.1'), String(keys));
    await answers('torn');
    assert.equal(await command('stored'), 'the store has no models');
    const environment = { SIGNALBOX_HTTP_PORT: String(core.httpPort) };
    const { text, isGood } = await clusterText(['status', '--check'], environment);
    assert.match(text, /^ {2}lost {5}.*\btorn:1\b.*: served, no longer in the store, .*push it again$/m);
    assert.equal(isGood, false);
    assert.match(
      (await modelsText(['list'], environment)).text,
      /^torn:1 .*no longer in the store: push it again$/m,
    );
  });
});
