// Two routers, two schedulers and two workers that find each other by a real NATS: models are shared out among the schedulers,
// and whoever of these comes, goes, is killed, or whose router is cut off from NATS, no client notices.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ClusterView, OwnersView } from '../../runtime/doors/cluster.js';
import { clusterText } from '../../runtime/membership/command.js';
import { executable, skip } from '../nats/at-hand.js';
import { NatsServers } from '../nats/servers.js';
import { GrpcClient } from './client.js';
import { Gate } from './gate.js';
import { Group } from './group.js';
import { apart, type LogLine, type RunningNode, Scratch, until } from './harness.js';
import { Load } from './load.js';
import { ModelFolder } from './repository.js';

const leaseMs = 2000;
const models = Array.from({ length: 6 }, (_, at) => `model${at}`);

describe('schedulers that own models, by NATS', { skip }, () => {
  const scratch = new Scratch();
  const clients: GrpcClient[] = [];
  let servers: NatsServers;
  let gate: Gate;
  let group: Group;

  const node = (name: string): RunningNode => group.node(name);

  before(async () => {
    servers = await NatsServers.start(executable);
    gate = await new Gate(Number(new URL(servers.urls).port)).open();
    const folder = new ModelFolder(scratch);
    for (const model of models) folder.simulated(model);
    group = new Group(scratch, {
      ...apart(scratch, folder.folder),
      nats: servers.urls,
      'lease-ms': leaseMs,
    });
    const cutting = { nats: `nats://127.0.0.1:${gate.port}` };
    const all = [
      group.start('router,health', 'front'),
      group.start('router', 'side', cutting),
      group.start('scheduler', 'plan-a'),
      group.start('scheduler', 'plan-b'),
      group.start('worker', 'left'),
      group.start('worker', 'right'),
    ];
    await Promise.all(all.map((one) => one.ready()));
    for (const name of ['front', 'side']) clients.push(new GrpcClient(node(name).grpcPort));
  });
  after(async () => {
    for (const client of clients) client.close();
    await group?.dispose();
    gate?.close();
    await servers?.remove();
    scratch.remove();
  });

  async function view(name: string): Promise<ClusterView> {
    return (await node(name).get('/v2/signalbox/cluster')) as ClusterView;
  }

  async function ownersAt(name: string): Promise<OwnersView> {
    return (await view(name)).owners ?? { epoch: [0, ''], models: [] };
  }

  /** The names of those who own something, each once. */
  function holders({ models: owned }: OwnersView): string[] {
    return [...new Set(owned.map(({ owner }) => owner.split('.')[0] ?? ''))].sort();
  }

  async function heldBy(...names: string[]): Promise<void> {
    await until(
      `${names.join(' and ')} own all of it`,
      async () => {
        const [front, side] = [await ownersAt('front'), await ownersAt('side')];
        const isAll = front.models.length === models.length && side.epoch.join() === front.epoch.join();
        return isAll && holders(front).join() === names.join();
      },
      30_000,
      50,
    );
  }

  /** Both routers are asked for all models while it happens; nobody may notice, and it goes on after it. */
  async function unnoticed(happens: () => Promise<void>): Promise<void> {
    let answers = 0;
    const loads = clients.flatMap((client) =>
      models.map((model) => new Load(client, { model, unary: 1, answered: () => answers++ }).start()),
    );
    const more = async (): Promise<void> => {
      const reached = answers;
      await until('it goes on', () => answers > reached + 100);
    };
    await more();
    await happens();
    await more();
    for (const load of loads) assert.deepEqual((await load.stop()).errors, [], node('front').tail());
  }

  let epoch = 0;
  async function risen(): Promise<void> {
    const { epoch: now, models: owned } = await ownersAt('front');
    assert.ok(now[0] > epoch, `epoch ${now.join(' of ')} after ${epoch}`);
    epoch = now[0];
    assert.equal(new Set(owned.map(({ model }) => model)).size, models.length);
    for (const { epoch: since } of owned) assert.ok(since[0] <= now[0]);
  }

  test('share all models, and every router says who has which', async () => {
    await heldBy('plan-a', 'plan-b');
    await risen();
    const { models: owned } = await ownersAt('front');
    for (const name of ['plan-a', 'plan-b']) {
      const count = owned.filter(({ owner }) => owner.startsWith(`${name}.`)).length;
      assert.ok(count >= 2 && count <= 4, `${name} owns ${count} of ${models.length}`);
    }
    assert.deepEqual((await ownersAt('side')).models, owned);
    const environment = { SIGNALBOX_HTTP_PORT: String(node('side').httpPort) };
    const { text } = await clusterText(['status'], environment);
    assert.match(text, /^ {2}owners {3}epoch \d+ of plan-[ab]\.\S+$/m);
    assert.match(text, /^ {4}model0:1 {2}plan-[ab]\.\S+ {2}since \d+ of plan-[ab]\.\S+$/m);
    const told = JSON.parse((await clusterText(['status', '--json'], environment)).text) as ClusterView;
    assert.deepEqual(told.owners?.models, owned);
  });

  test('a scheduler that joins under load takes its share', async () => {
    await unnoticed(async () => {
      await group.start('scheduler', 'plan-c').ready();
      await heldBy('plan-a', 'plan-b', 'plan-c');
    });
    await risen();
  });

  test('one that is drained by order owns nothing, and has its share again when it comes back', async () => {
    const environment = { SIGNALBOX_HTTP_PORT: String(node('front').httpPort) };
    await unnoticed(async () => {
      assert.equal((await clusterText(['drain', 'plan-c'], environment)).isGood, true);
      await heldBy('plan-a', 'plan-b');
      assert.equal((await clusterText(['undrain', 'plan-c'], environment)).isGood, true);
      await heldBy('plan-a', 'plan-b', 'plan-c');
    });
    await risen();
  });

  test('one that leaves gives its models away first, and a router without NATS hears of it from the others', async () => {
    gate.shut();
    await until('its view stands still', async () => (await view('side')).state === 'frozen');
    const before = (await ownersAt('side')).epoch;
    await unnoticed(async () => {
      const ended = node('plan-c').stop();
      await heldBy('plan-a', 'plan-b');
      assert.equal((await ended).code, 0);
    });
    const { lines } = node('front');
    const isOf = ({ member }: LogLine): boolean => String(member).startsWith('plan-c.');
    const turned = lines.findIndex((line) => line.event === 'member.turned' && isOf(line));
    const lost = lines.findIndex((line) => line.event === 'link.lost' && isOf(line));
    const given = lines.slice(turned, lost).some(({ event }) => event === 'owners.changed');
    assert.ok(turned >= 0 && lost > turned && given, 'it gives its models away before it goes');
    assert.equal((await node('plan-c').event('owners.handedOver')).models, 2);
    assert.equal((await view('side')).state, 'frozen');
    assert.notDeepEqual((await ownersAt('side')).epoch, before);
    await risen();
    gate.unshut();
    await until('it hears again', async () => (await view('side')).state === 'live');
  });

  test('one that is killed under load: the other has all, at once for routers and after the lease for all', async () => {
    await unnoticed(async () => {
      node('plan-a').signal('SIGKILL');
      await until('it is not asked any more', async () => {
        const { models: owned } = await ownersAt('front');
        return owned.every(({ owner, asked }) => (asked ?? owner).startsWith('plan-b.'));
      });
      await heldBy('plan-b');
    });
    await risen();
    for (const one of group.all())
      assert.ok(!one.lines.some(({ event }) => event === 'owners.clashed'), 'one list for each epoch');
  });
});
