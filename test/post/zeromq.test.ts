// What only the ZeroMQ transport can get wrong: sockets in the file system, queues that fill, frames without measure, and
// the library's own traps.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Dealer, Router } from 'zeromq';
import { zeromqTransport } from '../../runtime/post/zeromq.js';
import { Relay } from './relay.js';
import { zeromqSibling } from './siblings.js';
import { Witness } from './witness.js';

/** More often than a link is looked at in quick succession. */
const patienceTurns = 11;

describe('zeromq transport', () => {
  const folder = mkdtempSync(join(tmpdir(), 'post-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  let count = 0;
  const fresh = (): string => `ipc://${folder}/${++count}/socket`;

  test('the folder of a socket is made for this user alone, and the socket goes with its owner', async () => {
    const transport = zeromqTransport()('host.1', new Witness());
    const endpoint = await transport.bind(fresh());
    const path = endpoint.slice('ipc://'.length);
    assert.equal(statSync(dirname(path)).mode & 0o777, 0o700);
    assert.ok(existsSync(path));
    await transport.close(0);
    assert.ok(!existsSync(path));
  });

  test('the socket of an owner that was killed is taken over', async () => {
    const sibling = zeromqSibling('ipc');
    const endpoint = sibling.endpoint();
    const witness = new Witness();
    const guest = zeromqTransport()('guest.1', witness);
    const owner = await sibling.peer('bind', endpoint, 'owner.1');
    guest.dial(endpoint);
    await witness.opening();
    const next = zeromqTransport()('next.1', new Witness());
    await assert.rejects(next.bind(endpoint), /is in use: another process listens there/);
    owner.kill();
    await witness.loss();
    assert.ok(existsSync(endpoint.slice('ipc://'.length)), 'it left its socket behind');
    assert.equal(await next.bind(endpoint), endpoint);
    await witness.opening(2);
    await Promise.all([guest.close(0), next.close(0)]);
    sibling.end();
  });

  test('a file that is no socket is left alone', async () => {
    const transport = zeromqTransport()('host.1', new Witness());
    const path = join(folder, 'notes.txt');
    writeFileSync(path, 'not to be lost');
    await assert.rejects(transport.bind(`ipc://${path}`), /a file of another kind is there/);
    assert.equal(readFileSync(path, 'utf8'), 'not to be lost');
    await transport.close(0);
  });

  test('a peer that does not read is lost when its queue is full, and nobody else', async () => {
    const witness = new Witness();
    const host = zeromqTransport({ queuedMax: 8 })('host.1', witness);
    const endpoint = await host.bind(fresh());
    const deaf = new Dealer({ routingId: 'deaf.1', linger: 0, receiveHighWaterMark: 1 });
    const good = new Dealer({ routingId: 'good.1', linger: 0 });
    for (const dealer of [deaf, good]) {
      dealer.connect(endpoint);
      await dealer.send('hello');
    }
    await witness.delivery(2);
    const large = new Uint8Array(4_000_000);
    for (let sent = 0; sent < 100 && witness.losses.length === 0; sent++) {
      host.send('deaf.1', [large]);
      await Promise.resolve();
    }
    await witness.loss();
    assert.deepEqual(witness.losses, [{ link: 'deaf.1', reason: 'it does not read: its queue is full' }]);
    assert.equal(host.send('deaf.1', [large]), false);
    assert.equal(host.send('good.1', [Buffer.from('x')]), true);
    assert.equal((await good.receive()).toString(), 'x');
    deaf.close();
    good.close();
    await host.close(0);
  });

  test('a connection that the socket takes long to notice is waited for', async (t) => {
    const [atHost, atGuest] = [new Witness(), new Witness()];
    const host = zeromqTransport()('host.1', atHost);
    const guest = zeromqTransport()('guest.1', atGuest);
    t.after(() => Promise.all([guest.close(0), host.close(0)]));
    let looks = 0;
    Object.defineProperty(Dealer.prototype, 'writable', {
      configurable: true,
      get(this: Dealer) {
        looks += 1;
        return (
          looks > patienceTurns && Reflect.get(Object.getPrototypeOf(Dealer.prototype), 'writable', this)
        );
      },
    });
    t.after(() => Reflect.deleteProperty(Dealer.prototype, 'writable'));
    guest.dial(await host.bind(fresh()));
    await atGuest.opening();
    assert.ok(looks > patienceTurns);
  });

  test('an ended connection that the socket takes long to notice is looked for', async (t) => {
    const witness = new Witness();
    const host = zeromqTransport()('host.1', witness);
    t.after(() => host.close(0));
    const dealer = new Dealer({ routingId: 'guest.1', linger: 0 });
    dealer.connect(await host.bind(fresh()));
    await dealer.send('hello');
    await witness.delivery();
    const send = Router.prototype.send;
    let probes = 0;
    t.mock.method(Router.prototype, 'send', function (this: Router, ...words: Parameters<typeof send>) {
      probes += 1;
      return probes > patienceTurns ? send.apply(this, words) : Promise.resolve();
    });
    dealer.close();
    await witness.loss();
    assert.ok(probes > patienceTurns);
  });

  test('who sends a frame over the bound is disconnected', async () => {
    const witness = new Witness();
    const host = zeromqTransport({ frameBytesMax: 1000 })('host.1', witness);
    const endpoint = await host.bind(fresh());
    const dealer = new Dealer({ routingId: 'large.1', linger: 0 });
    dealer.connect(endpoint);
    await dealer.send(Buffer.alloc(1000));
    await witness.delivery();
    await dealer.send(Buffer.alloc(1001));
    await witness.loss();
    assert.equal(witness.deliveries.length, 1);
    dealer.close();
    await host.close(0);
  });

  test('a connection over which nothing comes any more is given up at both ends, and made anew once it can be', async () => {
    const [atHost, atGuest] = [new Witness(), new Witness()];
    const options = { silentMs: 300, connectMs: 200 };
    const host = zeromqTransport(options)('host.1', atHost);
    const guest = zeromqTransport(options)('guest.1', atGuest);
    const port = Number((await host.bind('tcp://127.0.0.1:0')).split(':').at(-1));
    const relay = await Relay.to({ host: '127.0.0.1', port });
    try {
      const link = guest.dial(relay.endpoint);
      await atGuest.opening();
      guest.send(link, [Buffer.from('hello')]);
      await atHost.delivery();
      // One way is enough: who hears nothing does not know whether it is heard.
      relay.sever('back');
      await Promise.all([atGuest.loss(), atHost.loss()]);
      relay.heal();
      await atGuest.opening(2);
      guest.send(link, [Buffer.from('again')]);
      await atHost.delivery(2);
      assert.equal(atHost.deliveries.length, 2);
    } finally {
      await Promise.all([host.close(0), guest.close(0)]);
      await relay.close();
    }
  });

  test('peers that leave while their host closes do no harm', async () => {
    for (let round = 0; round < 40; round++) {
      const [atHost, atGuest] = [new Witness(), new Witness()];
      const host = zeromqTransport()('host.1', atHost);
      const guest = zeromqTransport()('guest.1', atGuest);
      const link = guest.dial(await host.bind('tcp://127.0.0.1:0'));
      await atGuest.opening();
      guest.send(link, [Buffer.from('hello')]);
      await atHost.delivery();
      guest.hangUp(link);
      if (round % 2 === 0) await atHost.loss();
      await Promise.all([host.close(0), guest.close(0)]);
    }
  });
});
