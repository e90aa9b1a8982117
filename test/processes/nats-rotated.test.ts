// A password of NATS that is changed while a node runs: it serves on, says why its list stands still, tries ever more rarely,
// and is back when it is let in again.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ClusterView } from '../../runtime/doors/cluster.js';
import { executable, skip } from '../nats/at-hand.js';
import { NatsServers } from '../nats/servers.js';
import { GrpcClient, rowOf } from './client.js';
import { apart, RunningNode, Scratch, until } from './harness.js';
import { ModelFolder } from './repository.js';

const lines = (password: string): string[] => [
  `authorization { users = [ { user: node, password: ${password} } ] }`,
];
const refused = /it refuses the credentials, or wants some/;

describe('credentials that are changed while a node runs', { skip }, () => {
  const scratch = new Scratch();
  let servers: NatsServers;
  let node: RunningNode;
  let client: GrpcClient;

  before(async () => {
    servers = await NatsServers.start(executable, { nodes: 3, lines: lines('first') });
    const models = new ModelFolder(scratch).simulated('steady').folder;
    const flags = { ...apart(scratch, models), nats: servers.urls, 'nats-user': 'node', 'lease-ms': 2000 };
    node = await new RunningNode({ flags, environment: { SIGNALBOX_NATS_PASSWORD: 'first' } }).ready();
    client = new GrpcClient(node.grpcPort);
  });
  after(async () => {
    client?.close();
    await node?.dispose();
    await servers?.remove();
    scratch.remove();
  });

  async function reload(password: string): Promise<void> {
    await Promise.all(servers.servers.map((server) => server.reload(lines(password))));
  }
  const get = async <T>(path: string): Promise<T> =>
    (await fetch(`http://127.0.0.1:${node.httpPort}${path}`)).json() as Promise<T>;

  test('it says who refuses it, in its log, its readiness and its status, and serves on', async () => {
    await reload('second');
    const tried = await node.event('nats.unreachable');
    assert.match(String(tried.reason), refused);
    await node.line(
      ({ event, reason }) => event === 'store.away' && refused.test(String(reason)),
      'the store of models is away for the same reason',
    );
    const ready = await get<{ ready: boolean; reason?: string }>('/v2/health/ready');
    assert.equal(ready.ready, true);
    assert.match(JSON.stringify(ready), refused);
    const { state, reason } = await get<ClusterView>('/v2/signalbox/cluster');
    assert.equal(state, 'frozen');
    assert.match(String(reason), refused);
    assert.equal((await client.infer(rowOf('steady', 7))).status, 'OK');
  });

  test('it waits longer from try to try, and is back once it is let in', async () => {
    await node.line(
      ({ event, againMs }) => event === 'nats.unreachable' && Number(againMs) >= 2000,
      'two tries lie two seconds apart',
    );
    await reload('first');
    await until(
      'it lives again',
      async () => (await get<ClusterView>('/v2/signalbox/cluster')).state === 'live',
      30_000,
    );
  });
});
