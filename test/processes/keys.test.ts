// Real nodes with keys: who is listed takes load over encrypted links, who is struck off is cut off while all others go
// on, and who is not listed hears nothing and changes nothing.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { Dealer } from 'zeromq';
import { keysText } from '../../runtime/keys/command.js';
import { makePair, pairOf } from '../../runtime/keys/pair.js';
import { clusterText } from '../../runtime/membership/command.js';
import { z85 } from '../../runtime/post/curve.js';
import { freePort } from '../nats/server.js';
import { GrpcClient, rowOf } from './client.js';
import { apart, type LogLine, RunningNode, Scratch, until } from './harness.js';
import { argumentsOf } from './proc.js';
import { ModelFolder } from './repository.js';

describe('nodes with keys', () => {
  const scratch = new Scratch();
  const nodes: RunningNode[] = [];
  const keys = new Map<string, string>();
  let core: RunningNode;
  let second: RunningNode;
  let client: GrpcClient;
  let flags: Record<string, string | number>;
  let address: string;

  const command = (...words: string[]): string => keysText(words, {});
  const keyFile = (name: string): string => scratch.path(`${name}/node.key`);
  const trustFile = (name: string): string => scratch.path(`${name}/trusted`);
  const key = (name: string): string => keys.get(name) as string;
  const trust = (name: string, other: string): string =>
    command('trust', key(other), '--name', other, '--trust-file', trustFile(name));

  function start(name: string, more: Record<string, string | number>, hasKeys = true): RunningNode {
    const own = hasKeys ? { 'key-file': keyFile(name) } : {};
    const node = new RunningNode({ flags: { ...flags, name, 'worker-count': 1, ...own, ...more } });
    nodes.push(node);
    return node;
  }

  /** What the core said of those whom it does not let in. */
  function barred(node: RunningNode): LogLine[] {
    return node.lines.filter(({ event }) => event === 'link.barred');
  }

  before(async () => {
    for (const name of ['core', 'second', 'third']) {
      command('new', '--out', scratch.path(name));
      keys.set(name, command('show', '--key-file', keyFile(name)));
    }
    trust('core', 'second');
    trust('second', 'core');
    const models = new ModelFolder(scratch).simulated('steady').folder;
    const { endpoint: _, ...rest } = apart(scratch, models);
    flags = rest;
    address = `127.0.0.1:${await freePort()}`;
    core = start('core', { role: 'all', endpoint: `tcp://${address}` });
    second = start('second', { role: 'worker', join: `tcp://${key('core')}@${address}` });
    await Promise.all([core.ready(), second.ready()]);
    client = new GrpcClient(core.grpcPort);
  });
  after(async () => {
    client?.close();
    await Promise.all(nodes.map((node) => node.dispose()));
    scratch.remove();
  });

  async function answers(): Promise<void> {
    const told = await client.infer(rowOf('steady', 7));
    assert.equal(told.status, 'OK', told.message);
    assert.equal(told.values[0], 7);
  }

  /** Workers of the second node that the core has a link to. */
  async function workersOfSecond(): Promise<number> {
    const answer = await fetch(`http://127.0.0.1:${core.httpPort}/v2/signalbox/cluster`);
    const { members } = (await answer.json()) as { members: { id: string; linked: boolean }[] };
    return members.filter(({ id, linked }) => linked && id.startsWith('second-worker-')).length;
  }

  test('serve together, and the secret stands in no command line', async () => {
    await until('the worker of the other node is there', async () => (await workersOfSecond()) === 1);
    await answers();
    const secret = readFileSync(keyFile('core'), 'utf8').split('\n')[1] as string;
    assert.equal(pairOf(secret).publicKey, key('core'));
    const [worker] = core.workers();
    assert.ok(worker !== undefined);
    assert.ok(!argumentsOf(worker.pid).join(' ').includes(secret));
    const environment = `/proc/${worker.pid}/environ`;
    if (existsSync(environment)) assert.ok(!readFileSync(environment, 'latin1').includes(secret));
    assert.ok(!core.output.includes(secret), 'nor in the log');
  });

  test('whoever is not listed hears nothing, changes nothing, and is named once in the log', async () => {
    const stranger = makePair();
    const members = core.lines.length;
    const known = {
      curveServerKey: z85(key('core')),
      curvePublicKey: z85(stranger.publicKey),
      curveSecretKey: z85(stranger.secretKey),
    };
    const heard: Buffer[][] = [];
    for (let time = 0; time < 3; time++) {
      const dealer = new Dealer({ routingId: 'second.evil', linger: 0, ...known });
      const turned = new Promise<void>((resolve) =>
        dealer.events.on('handshake:error:auth', () => resolve()),
      );
      dealer.connect(`tcp://${address}`);
      void dealer.receive().then(
        (frames) => heard.push(frames),
        () => {},
      );
      void dealer.send('hello').catch(() => {});
      await turned;
      dealer.close();
    }
    await core.line(({ event }) => event === 'link.barred', 'it is named');
    assert.deepEqual(
      barred(core).map(({ at, key: shown }) => [at, shown]),
      [['127.0.0.1', stranger.publicKey]],
    );
    assert.deepEqual(heard, []);
    const env = { SIGNALBOX_HTTP_PORT: String(core.httpPort) };
    const status = await clusterText(['status'], env);
    const mend = 'if it is a node of yours, list the key that `keys show` prints there$';
    assert.match(
      status.text,
      new RegExp(`^  no key   127\\.0\\.0\\.1: its key is not listed here; ${mend}`, 'm'),
    );
    assert.equal(status.isGood, true);
    const checked = await clusterText(['status', '--check', '--json'], env);
    assert.equal(checked.isGood, true, 'anybody may call');
    assert.equal(JSON.parse(checked.text).barred[0].key, stranger.publicKey);
    const ofLinks = core.lines
      .slice(members)
      .filter(
        ({ event, member }) => /^link\.(opened|lost|refused)$/.test(event) && /evil/.test(String(member)),
      );
    assert.deepEqual(ofLinks, []);
    await answers();
  });

  test('with keys on one side only both say so', async () => {
    const plain = start('plain', { role: 'worker', join: `tcp://${address}` }, false);
    const said = await plain.event('link.barred');
    assert.match(String(said.reason), /it has keys, and this node has none: --key-file/);
    const here = ({ event, reason }: LogLine): boolean =>
      event === 'link.barred' && /it has no keys, and this node has/.test(String(reason));
    await core.line(here, 'the core says so too');
    await plain.dispose();
  });

  test('who waits to be called by one that does not list it learns so, and which command on which node mends it', async () => {
    const names = ['alder', 'willow'] as const;
    for (const name of names) {
      command('new', '--out', scratch.path(name));
      keys.set(name, command('show', '--key-file', keyFile(name)));
      trust(name, 'core');
      trust('core', name);
    }
    trust('willow', 'alder');
    const join = `tcp://${key('core')}@${address}`;
    const [alder, willow] = await Promise.all(
      names.map(async (name) =>
        start(name, { role: 'router', join, endpoint: `tcp://127.0.0.1:${await freePort()}` }).ready(),
      ),
    );
    const env = { SIGNALBOX_HTTP_PORT: String(willow?.httpPort) };
    const mend = `on alder\\.\\S+: node runtime keys trust ${key('willow')} --name willow`;
    const said = new RegExp(`^  no key   alder\\.\\S+: it does not list the key of this node; ${mend}$`, 'm');
    await until('it says so', async () => said.test((await clusterText(['status'], env)).text));
    const lines = (): LogLine[] =>
      barred(willow as RunningNode).filter(({ key: whose }) => whose === key('alder'));
    assert.deepEqual(
      lines().map(({ kind }) => kind),
      ['unlistedThere'],
    );
    trust('alder', 'willow');
    await until(
      'nothing is said of it',
      async () => !/alder/.test((await clusterText(['status'], env)).text),
    );
    assert.equal(lines().length, 1);
    await Promise.all([alder?.dispose(), willow?.dispose()]);
  });

  test('who is struck off is cut off at once, nobody else is, and who is listed again is back', async () => {
    command('untrust', 'second', '--trust-file', trustFile('core'));
    const isStruck = ({ event, member, reason }: LogLine): boolean =>
      event === 'link.lost' &&
      /^second-worker/.test(String(member)) &&
      /not listed any more/.test(String(reason));
    await core.line(isStruck, 'its worker is cut off');
    await until('none is linked', async () => (await workersOfSecond()) === 0);
    await answers();
    assert.ok(
      !core.lines.some(({ event, member }) => event === 'link.lost' && /^worker-1/.test(String(member))),
    );
    trust('core', 'second');
    await until('its worker is back', async () => (await workersOfSecond()) === 1);
    await answers();
  });

  test('a node tells its worker processes whom it trusts no more; a list that is gone or no good changes nothing', async () => {
    const list = readFileSync(trustFile('second'), 'utf8');
    const unread = (what: RegExp): Promise<LogLine> =>
      second.line(({ event, reason }) => event === 'keys.unread' && what.test(String(reason)), String(what));
    writeFileSync(trustFile('second'), 'nobody\n');
    await unread(/line 1 has "nobody" where a key is wanted: .*; the list as it was before stands/);
    rmSync(trustFile('second'));
    await unread(/it is not there any more, .*; the list as it was before stands/);
    assert.equal(await workersOfSecond(), 1);
    writeFileSync(trustFile('second'), '# nobody\n');
    await until('its worker has hung up', async () => (await workersOfSecond()) === 0);
    writeFileSync(trustFile('second'), list);
    await until('its worker calls again', async () => (await workersOfSecond()) === 1);
    await answers();
  });
});
