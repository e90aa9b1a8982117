// A bucket that was made with one copy, as it is while servers of a cluster are missing: it gets the others once they are
// there, so that the loss of any one server can be borne from then on.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { connect } from 'nats';
import { connectNats } from '../../cluster/nats.js';
import { executable, skip } from '../nats/at-hand.js';
import { NatsServers } from '../nats/servers.js';
import { until } from '../processes/harness.js';

const nobody = { user: '', password: '', token: '', credentials: '', nkeySeed: '', tls: undefined };
const silent = { away: () => {}, back: () => {}, closed: () => {} };

describe('the copies of a bucket', { skip }, () => {
  let servers: NatsServers;
  before(async () => {
    servers = await NatsServers.start(executable, { nodes: 3 });
  });
  after(() => servers.remove());

  test('are three once three servers are there', async () => {
    const asking = await connect({ servers: servers.urls.split(',') });
    const ours = await connectNats({ ...nobody, servers: servers.urls.split(','), name: 'few' }, silent);
    try {
      const manager = await asking.jetstreamManager();
      const copies = async (): Promise<number> => {
        const { cluster } = await manager.streams.info('KV_few');
        return 1 + (cluster?.replicas?.filter(({ current }) => current).length ?? 0);
      };
      await asking.jetstream().views.kv('few', { replicas: 1 });
      assert.equal(await copies(), 1);
      const store = await ours.open({ name: 'few', keepMs: 60_000 });
      const put = async (text: string): Promise<unknown> => store.put('a', text).catch(() => {});
      await until(
        'it has three',
        async () => {
          await put('1');
          return (await copies()) === 3;
        },
        20_000,
        50,
      );
      assert.equal((await store.read('a'))?.text, '1');
    } finally {
      await ours.close();
      await asking.close();
    }
  });
});
