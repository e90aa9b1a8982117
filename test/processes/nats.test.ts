// Real nodes that find each other by a real NATS: who joins takes load, who leaves is gone at once, who is killed after the
// lease, and without NATS all of them serve on with the list that they have.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import type { ClusterView } from '../../runtime/doors/cluster.js';
import { clusterText } from '../../runtime/membership/command.js';
import { executable, skip } from '../nats/at-hand.js';
import { NatsServers } from '../nats/servers.js';
import { GrpcClient, rowOf } from './client.js';
import { Group } from './group.js';
import { apart, type LogLine, type RunningNode, root, Scratch, until } from './harness.js';
import { ModelFolder } from './repository.js';

const leaseMs = 2000;

describe('nodes that find each other by NATS', { skip }, () => {
  const scratch = new Scratch();
  let servers: NatsServers;
  let group: Group;
  let core: RunningNode;
  let one: RunningNode;
  let client: GrpcClient;

  before(async () => {
    servers = await NatsServers.start(executable);
    const models = new ModelFolder(scratch).simulated('steady').folder;
    group = new Group(scratch, { ...apart(scratch, models), nats: servers.urls, 'lease-ms': leaseMs });
    one = group.start('worker', 'one');
    core = await group.start('router,scheduler,health', 'core').ready();
    await one.ready();
    client = new GrpcClient(core.grpcPort);
  });
  after(async () => {
    client?.close();
    await group?.dispose();
    await servers?.remove();
    scratch.remove();
  });

  async function answers(): Promise<void> {
    const told = await client.infer(rowOf('steady', 7));
    assert.equal(told.status, 'OK', told.message);
    assert.equal(told.values[0], 7);
  }

  async function get<T>(path: string): Promise<T> {
    return (await fetch(`http://127.0.0.1:${core.httpPort}${path}`)).json() as Promise<T>;
  }

  async function listed(): Promise<string[]> {
    const { members } = await get<ClusterView>('/v2/signalbox/cluster');
    return members.filter(({ roles }) => !roles.includes('worker')).map(({ id }) => id.split('.')[0] ?? '');
  }

  /** Those to whom the core has a link. */
  async function linked(): Promise<string[]> {
    const { members } = await get<ClusterView>('/v2/signalbox/cluster');
    return members.flatMap(({ id, linked: isLinked }) => (isLinked ? [id.split('.')[0] ?? ''] : []));
  }

  function gone(name: string): Promise<LogLine> {
    const isIt = ({ event, member }: LogLine): boolean =>
      event === 'member.gone' && String(member).startsWith(`${name}.`);
    return core.line(isIt, `${name} is gone`);
  }

  /** Its line that it follows its cluster again, after now. */
  function livesAgain(node: RunningNode): Promise<LogLine> {
    const from = node.lines.length;
    const isIt = (line: LogLine): boolean =>
      line.event === 'cluster.live' && node.lines.indexOf(line) >= from;
    return node.line(isIt, 'it lives again', 60_000);
  }

  function command(...words: string[]): Promise<{ readonly text: string; readonly code: number }> {
    const args = ['runtime', 'cluster', ...words, '--http-port', String(core.httpPort)];
    return new Promise((resolve) => {
      const child = execFile(process.execPath, args, { cwd: root }, (_, stdout, stderr) =>
        resolve({ text: stdout + stderr, code: child.exitCode ?? -1 }),
      );
    });
  }

  test('serve together, and say who is there', async () => {
    await answers();
    assert.deepEqual(await get('/v2/health/ready'), { ready: true });
    await until('both are listed', async () => (await listed()).sort().join() === 'core,one');
    const { members, by, state } = await get<ClusterView>('/v2/signalbox/cluster');
    assert.deepEqual([by, state], ['nats', 'live']);
    const worker = members.find(({ id }) => id.startsWith('one.'));
    assert.ok(worker?.linked);
    assert.deepEqual(worker?.node?.models, ['steady:1']);
    await until('the device of its worker is known', async () => {
      const view = await get<ClusterView>('/v2/signalbox/cluster');
      return view.members.some(({ node }) => node?.workers[0]?.device === 'cpu');
    });
  });

  test('node runtime cluster prints it', async () => {
    const environment = { SIGNALBOX_HTTP_PORT: String(core.httpPort) };
    const said = (...words: string[]) => clusterText(words, environment);
    assert.match((await said('status')).text, /list +kept by NATS\n +members +3: .*1 worker/);
    assert.equal((await said('status')).isGood, true);
    assert.match((await said('members')).text, /^one\.\S+ +host +serving .*workers on cpu; 1 model$/m);
    assert.equal((JSON.parse((await said('members', '--json')).text) as unknown[]).length, 3);
    await assert.rejects(said('statu'), /cluster statu is not known; did you mean status\?/);
    await assert.rejects(said('members', 'all'), /cluster members takes no words; all is too many/);
    await assert.rejects(said(), /cluster needs a verb; there are status, members, drain, undrain, remove/);
    assert.match((await said('--help')).text, /--url URL/);
  });

  test('a node that leaves is gone at once', async () => {
    const second = await group.start('worker', 'two').ready();
    await until('it is listed', async () => (await listed()).includes('two'));
    assert.equal((await second.stop()).code, 0);
    assert.match(String((await gone('two')).reason), /its entry was taken out/);
    assert.ok(!(await listed()).includes('two'));
    await answers();
  });

  test('a node that is killed is noticed at its link, and gone after the lease', async () => {
    const third = await group.start('worker', 'three').ready();
    await until('it is linked', async () => (await linked()).includes('three'));
    third.signal('SIGKILL');
    await core.line(
      ({ event, member }) => event === 'link.lost' && String(member).startsWith('three.'),
      'its link is lost',
    );
    assert.ok((await listed()).includes('three'), 'the lease still runs');
    await answers();
    assert.match(String((await gone('three')).reason), /nothing new of it for 2000 ms/);
    assert.ok(!(await listed()).includes('three'));
  });

  test('without NATS they serve on and say so; when it is back, without its data, all is as it was', async () => {
    const [server] = servers.servers;
    await server?.kill();
    await until('readiness says so', async () => {
      const told = await get<{ ready: boolean; membership?: string }>('/v2/health/ready');
      return told.ready && told.membership === 'frozen';
    });
    const told = await command('status');
    assert.match(told.text, /frozen: the connection to NATS at .* is lost; the last one stands/);
    assert.equal(told.code, 1);
    const frozenAt = performance.now();
    await until(
      'more than a lease has passed',
      () => performance.now() - frozenAt > 1.5 * leaseMs,
      60_000,
      100,
    );
    await answers();
    assert.deepEqual((await listed()).sort(), ['core', 'one']);
    server?.loseData();
    const lives = [core, one].map((node) => livesAgain(node));
    await server?.start();
    const [, oneLives] = await Promise.all(lives);
    await until(
      'its view lives',
      async () => (await get<ClusterView>('/v2/signalbox/cluster')).state === 'live',
    );
    await group.start('worker', 'four').ready();
    await until('who joins is seen', async () => (await listed()).includes('four'));
    await until('both have a link', async () => {
      const { members } = await get<ClusterView>('/v2/signalbox/cluster');
      return members.every(({ linked }) => linked) && members.length === 5;
    });
    // Who is back only a lease after the other is rightly gone until then, and whoever that is on a busy machine.
    const isWrong = ({ event, member, time }: LogLine): boolean =>
      event === 'member.gone' &&
      /^(one|four)\./.test(String(member)) &&
      String(time) > String(oneLives?.time);
    assert.deepEqual(core.lines.filter(isWrong), []);
    await answers();
  });

  test('a start without NATS ends in time with what was tried', async () => {
    const lost = group.start('worker', 'lost', { nats: 'nats://127.0.0.1:1', 'nats-wait-ms': 2000 });
    const waiting = group.start('worker', 'waiting', { nats: 'nats://127.0.0.1:1' });
    const both = group.start('worker', 'both', { join: 'ipc:///tmp/x' });
    assert.equal((await lost.ended).code, 1);
    assert.match(
      lost.output,
      /NATS can't be used at nats:\/\/127\.0\.0\.1:1, tried \d times in 2 s: nobody listens there/,
    );
    await waiting.event('nats.unreachable');
    assert.equal((await waiting.stop()).code, 0, 'whoever does not want to wait need not');
    assert.equal((await both.ended).code, 2);
    assert.match(both.output, /--nats and --join are two ways to find the other nodes/);
  });
});
