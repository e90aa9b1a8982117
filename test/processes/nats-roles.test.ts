// Nodes of each role with the rights that the sample configuration of NATS gives it: together they serve, and a worker's
// credentials change neither who owns a model nor which models there are.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { connect } from 'nats';
import { connectNats } from '../../cluster/nats.js';
import { writeRecord } from '../../cluster/record.js';
import type { PartsConnection } from '../../cluster/store.js';
import type { Role } from '../../proto/ids.js';
import { protocolVersion } from '../../proto/limits.js';
import { type Epoch, epochCountBelieved, noEpoch } from '../../proto/ownership.js';
import { Depot } from '../../runtime/distribution/depot.js';
import { nobody } from '../cluster/access.js';
import { executable, skip } from '../nats/at-hand.js';
import { NatsServers } from '../nats/servers.js';
import { GrpcClient, rowOf } from './client.js';
import { apart, RunningNode, root, Scratch, until } from './harness.js';
import { ModelFolder } from './repository.js';

const roles = ['router', 'scheduler', 'worker', 'operator'] as const;
type User = (typeof roles)[number];
const silent = { away: () => {}, back: () => {}, closed: () => {} };
const password = (user: User): string => `secret of ${user}`;

describe('the rights of roles in NATS', { skip }, () => {
  const scratch = new Scratch();
  const nodes: RunningNode[] = [];
  const open: PartsConnection[] = [];
  let servers: NatsServers;
  let flags: Record<string, string | number>;

  function start(
    user: User,
    given = password(user),
    more: Record<string, string | number> = {},
  ): RunningNode {
    const role = user === 'scheduler' ? 'scheduler,health' : user;
    const own = { role, name: user, endpoint: scratch.endpoint(), 'nats-user': user, ...more };
    const node = new RunningNode({
      flags: { ...flags, ...own },
      environment: { SIGNALBOX_NATS_PASSWORD: given },
    });
    nodes.push(node);
    return node;
  }

  async function as(user: User): Promise<PartsConnection> {
    const who = { ...nobody, servers: [servers.urls], name: user, user, password: password(user) };
    const connection = await connectNats(who, silent);
    open.push(connection);
    return connection;
  }

  before(async () => {
    let text = readFileSync(`${root}examples/cluster/nats/permissions.conf`, 'utf8');
    for (const user of roles) {
      text = text.replaceAll(`$NATS_${user.toUpperCase()}_PASSWORD`, JSON.stringify(password(user)));
    }
    servers = await NatsServers.start(executable, { lines: [text] });
    const models = new ModelFolder(scratch).simulated('steady').folder;
    flags = {
      ...apart(scratch, models),
      cluster: 'signalbox',
      nats: servers.urls,
      'worker-count': 1,
      'lease-ms': 3000,
    };
  });
  after(async () => {
    await Promise.all(open.map((connection) => connection.close()));
    await Promise.all(nodes.map((node) => node.dispose()));
    await servers?.remove();
    scratch.remove();
  });

  function push(user: User): Promise<{ text: string; code: number }> {
    const args = [
      'runtime',
      'models',
      'push',
      `${flags.models}/steady`,
      '--nats',
      servers.urls,
      '--nats-user',
      user,
    ];
    const env = { PATH: process.env.PATH ?? '', SIGNALBOX_NATS_PASSWORD: password(user) };
    return new Promise((resolve) => {
      const child = execFile(process.execPath, args, { cwd: root, env }, (_, stdout, stderr) =>
        resolve({ text: stdout + stderr, code: child.exitCode ?? -1 }),
      );
    });
  }

  test('a node that finds no buckets and may make none ends with what is to be started first', async () => {
    const early = start('worker', password('worker'), { 'nats-wait-ms': 3000 });
    assert.equal((await early.ended).code, 1, early.output);
    assert.match(
      early.output,
      /these credentials may not publish .*: a scheduler does, so start one first\.$/m,
    );
    nodes.pop();
  });

  test('nodes of all roles serve with what they may do, and schedulers share out the models', async () => {
    // The first makes the buckets; who comes before it tries until they are there.
    await start('scheduler').ready();
    await start('worker').ready();
    const router = await start('router').ready();
    const client = new GrpcClient(router.grpcPort);
    try {
      assert.equal((await client.infer(rowOf('steady', 7))).values[0], 7);
    } finally {
      client.close();
    }
    const connection = await as('worker');
    const owners = await connection.open({ name: 'signalbox-signalbox-owners', keepMs: 0 });
    await until('a worker may read who owns it', async () =>
      /steady/.test((await owners.read('owners'))?.text ?? ''),
    );
    for (const node of nodes) {
      assert.ok(!node.lines.some(({ event }) => /unreachable|unwritten/.test(event)), node.output);
    }
  });

  test('the credentials of a worker change no owners, and push no models', async () => {
    const connection = await as('worker');
    const owners = await connection.open({ name: 'signalbox-signalbox-owners', keepMs: 0 });
    const before = await owners.read('owners');
    assert.ok(before !== undefined);
    await assert.rejects(owners.write('owners', '{}', before.revision), /these credentials may not publish/);
    await assert.rejects(owners.erase('owners'), /these credentials may not publish/);
    assert.deepEqual(await owners.read('owners'), before);
    const pushed = await push('worker');
    assert.equal(pushed.code, 1, pushed.text);
    assert.match(
      pushed.text,
      /these credentials may not publish .*permissions\.conf has what each role may do\.$/m,
    );
  });

  test('the credentials of a worker list no scheduler, and their word of lists of owners moves none', async () => {
    const connection = await as('worker');
    const members = await connection.open({ name: 'signalbox-signalbox-members', keepMs: 3_600_000 });
    const owners = await connection.open({ name: 'signalbox-signalbox-owners', keepMs: 0 });
    const before = await owners.read('owners');
    const posing = (id: string, roles: readonly Role[], epoch: Epoch): string => {
      const about = {
        cluster: 'signalbox',
        protocol: protocolVersion,
        build: '',
        machine: '',
        beat: 1,
        jobs: 0,
      };
      const member = { id, roles, endpoint: '', host: '' };
      const lists = { models: [], labels: [], workers: [] };
      return writeRecord({ ...about, member, state: 'serving', ...lists, ownersEpoch: epoch });
    };
    for (const id of ['a.scheduler.1', 'a.router.1', 'a.1', 'a']) {
      await assert.rejects(members.put(id, posing(id, ['scheduler'], noEpoch)), /may not publish/, id);
    }
    const [ghost, liar] = ['a.worker.1', 'b.worker.1'];
    await members.put(ghost, posing(ghost, ['scheduler'], noEpoch));
    await members.put(liar, posing(liar, ['host'], [epochCountBelieved - 1, 'z']));
    const heard = (event: string, whose: string): Promise<unknown[]> =>
      Promise.all(
        nodes.map((node) =>
          node.line((line) => line.event === event && line.member === whose, `${event} of ${whose}`),
        ),
      );
    await heard('member.refused', ghost);
    await heard('member.joined', liar);
    // By then the first of the schedulers would have written.
    await heard('member.gone', liar);
    assert.deepEqual(await owners.read('owners'), before);
    await members.erase(ghost);
  });

  test('nobody hears what NATS answers another', async () => {
    const connection = await connect({ servers: servers.urls, user: 'worker', pass: password('worker') });
    const refused = async (subject: string): Promise<string> => {
      const heard = connection.subscribe(subject)[Symbol.asyncIterator]();
      return heard.next().then(
        () => 'heard',
        (fault: Error) => fault.message,
      );
    };
    try {
      for (const subject of ['_INBOX.>', '_INBOX.router.>', '_INBOX.scheduler.*', '>']) {
        assert.match(await refused(subject), /Permissions Violation for Subscription/, subject);
      }
    } finally {
      await connection.close();
    }
  });

  test('an operator pushes models, and changes no owners', async () => {
    const pushed = await push('operator');
    assert.equal(pushed.code, 0, pushed.text);
    const worker = await as('worker');
    const reader = await worker.parts('signalbox-signalbox-models');
    const [kept] = await (await Depot.open(worker, 'signalbox')).list();
    assert.ok(typeof kept?.manifest === 'object', 'a worker reads which there are');
    const [{ sizeBytes = 0, parts: [part = ''] = [] } = {}] = kept.manifest.files;
    assert.ok(sizeBytes > 0);
    const fetched = await reader.get(part, sizeBytes, new AbortController().signal);
    assert.ok(fetched instanceof Uint8Array, 'and fetches them');
    await assert.rejects(reader.remove(part), /these credentials may not publish/);
    const connection = await as('operator');
    const depot = await Depot.open(connection, 'signalbox');
    assert.deepEqual((await depot.remove('steady')).versions, ['1'], 'and takes them out');
    assert.equal(await depot.sweep(), 0);
    assert.equal((await reader.list()).size, 0);
    await assert.rejects(
      connection.open({ name: 'signalbox-signalbox-owners', keepMs: 0 }),
      /these credentials may not publish/,
    );
  });

  test('a wrong password, and the bucket of another cluster, end the start with what was tried again and again', async () => {
    const wrong = start('worker', 'guessed', { name: 'wrong', 'nats-wait-ms': 1000 });
    const other = start('worker', password('worker'), {
      name: 'other',
      cluster: 'else',
      'nats-wait-ms': 1000,
    });
    assert.deepEqual(
      (await Promise.all([wrong.ended, other.ended])).map(({ code }) => code),
      [1, 1],
    );
    assert.match(
      wrong.output,
      /NATS can't be used at nats:.*, tried \d+ times in 1 s: it refuses the credentials, or wants some/,
    );
    assert.ok(!wrong.output.includes('guessed'));
    assert.match(other.output, /these credentials may not publish to \S+signalbox-else-members/);
  });
});
