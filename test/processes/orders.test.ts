// Orders to nodes under load: each is drained, brought back and removed, and no client sees an error. Real processes that
// find each other by --join; with NATS the same is in nats.test.ts.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ClusterView, MemberView } from '../../runtime/doors/cluster.js';
import { clusterText } from '../../runtime/membership/command.js';
import { GrpcClient, rowOf } from './client.js';
import { apart, RunningNode, Scratch, until } from './harness.js';
import { Load } from './load.js';
import { ModelFolder } from './repository.js';

describe('orders to nodes', () => {
  const scratch = new Scratch();
  const nodes = new Map<string, RunningNode>();
  let client: GrpcClient;
  const loads: Load[] = [];
  let answered = 0;
  let flags: Record<string, string | number>;

  function start(role: string, name: string, more: { models?: string } = {}): RunningNode {
    const { endpoint, ...common } = flags;
    const place =
      name === 'front'
        ? { endpoint: String(endpoint) }
        : { join: String(endpoint), endpoint: scratch.endpoint() };
    const own = { ...place, role, name, 'worker-count': 1, 'cluster-control': 'on', ...more };
    const node = new RunningNode({ flags: { ...common, ...own } });
    nodes.set(name, node);
    return node;
  }

  before(async () => {
    const [models, rightModels] = [new ModelFolder(scratch), new ModelFolder(scratch).simulated('sole')];
    for (const folder of [models, rightModels]) {
      for (let n = 0; n < 3; n++) folder.simulated(`model${n}`);
      folder.simulated('slow', { alphaMs: 2500 });
    }
    flags = apart(scratch, models.folder);
    const front = start('router,scheduler,health', 'front');
    await front.event('node.serving');
    start('router,scheduler,health', 'back');
    start('worker', 'left');
    start('worker', 'right', { models: rightModels.folder });
    await Promise.all([...nodes.values()].map((node) => node.ready()));
    client = new GrpcClient(front.grpcPort);
    for (let n = 0; n < 3; n++)
      loads.push(new Load(client, { model: `model${n}`, unary: 3, answered: () => answered++ }).start());
  });
  after(async () => {
    await stopLoads();
    client?.close();
    await Promise.all([...nodes.values()].map((node) => node.dispose()));
    scratch.remove();
  });

  /** Errors that the clients saw. */
  async function stopLoads(): Promise<string[]> {
    const results = await Promise.all(loads.splice(0).map((load) => load.stop()));
    return results.flatMap(({ errors }) => errors);
  }

  const named = (name: string): RunningNode => nodes.get(name) as RunningNode;

  async function view(at = 'front'): Promise<ClusterView> {
    return (
      await fetch(`http://127.0.0.1:${named(at).httpPort}/v2/signalbox/cluster`)
    ).json() as Promise<ClusterView>;
  }

  async function seen(name: string, at = 'front'): Promise<MemberView | undefined> {
    return (await view(at)).members.find(
      ({ id, roles }) => id.startsWith(`${name}.`) && !roles.includes('worker'),
    );
  }

  function order(at: string, ...words: string[]): ReturnType<typeof clusterText> {
    return clusterText(words, { SIGNALBOX_HTTP_PORT: String(named(at).httpPort) });
  }

  async function moreAnswers(): Promise<void> {
    const reached = answered;
    await until('answers go on', () => answered > reached + 60);
  }

  test('a worker node that is drained takes nothing, and comes back', async () => {
    await moreAnswers();
    const drained = await order('back', 'drain', 'left');
    assert.match(drained.text, /^left\.\S+ is drained, after \d+\.\d s; `cluster undrain` brings it back$/);
    assert.equal(drained.isGood, true);
    assert.equal((await seen('left'))?.state, 'drained');
    assert.match((await order('front', 'members')).text, /^left\.\S+ +host +drained/m);
    await moreAnswers();
    await assert.rejects(
      order('front', 'drain', 'right'),
      /right\.\S+ is the last serving node that has workers: requests would find nobody \(left\.\S+ is drained\)\. Start another, or undrain/,
    );
    assert.match((await order('front', 'undrain', 'left')).text, /^left\.\S+ serves again/);
    await assert.rejects(
      order('front', 'drain', 'right'),
      /only workers of right\.\S+ have .*\bsole:1, and no other serving node can take it: .* Start a node that has or takes it/,
    );
    assert.match((await order('front', 'drain', 'right', '--force')).text, /is drained/);
    await moreAnswers();
    assert.match((await order('front', 'undrain', 'right')).text, /serves again/);
  });

  test('of two drains at one moment, given to two routers, one is refused', async () => {
    const given = await Promise.allSettled([
      order('front', 'drain', 'front', '--wait', '0'),
      order('back', 'drain', 'back', '--wait', '0'),
    ]);
    const refused = given.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
    assert.equal(refused.length, 1);
    assert.match(
      String(refused[0]?.reason),
      /is the last serving node that takes requests .*(moment|draining|drained)\)/,
    );
    for (const name of ['front', 'back']) await order('front', 'undrain', name);
    await until('ready', () => named('front').isReady());
  });

  test('a scheduler that is drained gives its jobs to the other', async () => {
    assert.match((await order('front', 'drain', 'back')).text, /is drained/);
    await moreAnswers();
    assert.equal((await order('front', 'undrain', 'back')).isGood, true);
  });

  test('a router that is drained says that it is not ready, and answers what comes', async () => {
    const slow = client.infer(rowOf('slow', 9));
    const given = await order('back', 'drain', 'front', '--wait', '0');
    assert.match(given.text, /^front\.\S+ has the order to drain; it is draining$/);
    assert.equal(await named('front').isReady(), false);
    const told = await fetch(`http://127.0.0.1:${named('front').httpPort}/v2/health/ready`);
    assert.match(await told.text(), /not ready: the node is drained by order; undrain it/);
    await moreAnswers();
    const late = await order('back', 'drain', 'front', '--wait', '0.3');
    assert.equal(late.isGood, false);
    assert.match(late.text, /is still draining .*left: .*clients still send requests there/);
    assert.equal((await slow).values[0], 9);
    assert.match((await order('back', 'undrain', 'front')).text, /serves again/);
    await until('ready', () => named('front').isReady());
  });

  test('a node that is frozen serves by its own last word, and is not heard', async () => {
    const { pid } = named('left');
    const row = /^left\.\S+ +host +serving +not heard for \d+\.\d s, suspected by \d/m;
    assert.equal((await order('front', 'status', '--check')).isGood, true);
    process.kill(pid, 'SIGSTOP');
    try {
      await until('it is not heard', async () => row.test((await order('front', 'members')).text));
      const status = await order('front', 'status', '--check');
      assert.match(status.text, /^ {2}in doubt left\.\S+: not heard for \d+\.\d s, suspected by \d/m);
      assert.equal(status.isGood, false);
      assert.equal((await order('front', 'status')).isGood, true);
      const { doubtedBy, silentMs = 0 } = (await seen('left')) as MemberView;
      assert.ok(doubtedBy?.some((watcher) => watcher.startsWith('front.')) && silentMs > 0);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await until('it is heard again', async () => !row.test((await order('front', 'members')).text));
    await assert.rejects(order('front', 'members', '--check'), /--check goes with status, not with members/);
  });

  test('errors say who there is and what to do', async () => {
    await assert.rejects(
      order('front', 'drain', 'lefty'),
      /no node is called "lefty"; there are front\.\S+, .*left\./,
    );
    await assert.rejects(order('front', 'drain'), /cluster drain needs a node; there are front\./);
    await assert.rejects(order('front', 'drain', 'left', 'right'), /takes one node; right is too many/);
    await assert.rejects(
      order('front', 'drain', 'left-worker-1'),
      /is a worker process, .*: that node is left\./,
    );
    await assert.rejects(
      order('front', 'drain', 'left', '--wait', 'long'),
      /--wait is "long"; allowed are seconds/,
    );
    await assert.rejects(order('front', 'undrain', 'left', '--force'), /undrain needs no --force/);
    await assert.rejects(order('front', 'status', '--force'), /--force goes with drain, undrain, remove/);
    await assert.rejects(
      order('front', 'drains', 'left'),
      /cluster drains is not known; did you mean drain\?/,
    );
    const refused = await order('front', 'drain', 'lefty', '--json');
    assert.equal(refused.isGood, false);
    const { code, error } = JSON.parse(refused.text);
    assert.deepEqual([code, /^no node is called "lefty"; there are/.test(error)], ['NODE_UNKNOWN', true]);
    const nobody = await clusterText(['status', '--json', '--http-port', '1'], {});
    assert.equal(nobody.isGood, false);
    assert.equal(JSON.parse(nobody.text).code, 'NODE_UNREACHABLE');
    const bad = await fetch(`http://127.0.0.1:${named('front').httpPort}/v2/signalbox/cluster/left/drain`, {
      method: 'POST',
      body: '{"froce": true}',
    });
    assert.match(await bad.text(), /the body has .*froce.*; all that it may have is/);
  });

  test('a node that is removed is drained and ends', async () => {
    const left = named('left');
    const removed = await order('front', 'remove', 'left', '--json');
    assert.deepEqual(JSON.parse(removed.text).state, 'gone');
    assert.equal(removed.isGood, true);
    assert.equal((await left.ended).code, 0);
    assert.equal(await seen('left'), undefined);
    await moreAnswers();
    assert.deepEqual(await stopLoads(), [], named('front').tail());
  });

  test('the last node is drained by force once it has done what there was', async () => {
    const given = await order('front', 'drain', 'right', '--force');
    assert.match(given.text, /is drained/);
    assert.equal((await order('front', 'undrain', 'right')).isGood, true);
  });
});
