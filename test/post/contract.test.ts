// What every transport promises, whichever carries the frames: order, integrity, news of who is gone, a freed endpoint.
import assert from 'node:assert/strict';
import { after, afterEach, describe, test } from 'node:test';
import { now } from '../../runtime/clock.js';
import type { Transport } from '../../runtime/post/transport.js';
import { memorySibling, ringWith, type Sibling, zeromqSibling } from './siblings.js';
import { Witness } from './witness.js';

for (const sibling of [
  memorySibling(),
  zeromqSibling('ipc'),
  zeromqSibling('tcp'),
  zeromqSibling('tcp', ringWith()),
]) {
  describe(`transport: ${sibling.name}`, () => contract(sibling));
}

function contract(sibling: Sibling): void {
  const open: Transport[] = [];
  const kills: (() => void)[] = [];
  afterEach(async () => {
    for (const kill of kills.splice(0)) kill();
    await Promise.all(open.splice(0).map((transport) => transport.close(0)));
  });
  after(() => sibling.end());

  function member(id: string): { transport: Transport; witness: Witness } {
    const witness = new Witness();
    const transport = sibling.factory(id, witness);
    open.push(transport);
    return { transport, witness };
  }

  async function pair() {
    const host = member('host.1');
    const guest = member('guest.1');
    const endpoint = await host.transport.bind(sibling.endpoint());
    const link = guest.transport.dial(endpoint);
    await guest.witness.opening();
    guest.transport.send(link, [Buffer.from('hello')]);
    await host.witness.delivery();
    return { host, guest, link, endpoint };
  }

  async function peer(direction: 'dial' | 'bind', endpoint: string, id: string, habit?: 'part') {
    const child = await sibling.peer(direction, endpoint, id, habit);
    kills.push(() => child.kill());
    return child;
  }

  test('a dialled link opens when it connects, a bound one with its first frame, named by the peer', async () => {
    const { host, guest, link } = await pair();
    assert.deepEqual(guest.witness.openings, [link]);
    assert.deepEqual(host.witness.openings, ['guest.1']);
    assert.equal(Buffer.from(host.witness.deliveries[0]?.frames[0] as Uint8Array).toString(), 'hello');
  });

  test('frames arrive in the order in which they were sent, both ways', async () => {
    const { host, guest, link } = await pair();
    host.witness.whenReceived = (from, frames) => host.transport.send(from, frames);
    for (let number = 0; number < 2000; number++) {
      assert.ok(guest.transport.send(link, [Buffer.from(String(number)), Buffer.from('x')]));
    }
    await guest.witness.delivery(2000);
    const got = guest.witness.deliveries.map(({ frames }) => Number(Buffer.from(frames[0] as Uint8Array)));
    assert.deepEqual(
      got,
      Array.from({ length: 2000 }, (_, number) => number),
    );
    assert.ok(guest.witness.deliveries.every(({ frames }) => frames.length === 2));
  });

  test('large and small frames arrive whole, and typed arrays can view them', async () => {
    const { host, guest, link } = await pair();
    const large = new Float64Array(1_000_000).map((_, index) => index * 0.5);
    const small = new Float64Array([1, 2, 3]);
    guest.transport.send(link, [
      Buffer.from('head'),
      bytes(large),
      bytes(small),
      new Uint8Array(0),
      bytes(large),
    ]);
    await host.witness.delivery(2);
    const frames = host.witness.deliveries[1]?.frames ?? [];
    assert.deepEqual(
      frames.map((frame) => frame.byteLength),
      [4, 8_000_000, 24, 0, 8_000_000],
    );
    assert.deepEqual(floats(frames[1]), large);
    assert.deepEqual(floats(frames[2]), small);
    assert.deepEqual(floats(frames[4]), large);
  });

  test('many peers are told apart', async () => {
    const host = member('host.1');
    const endpoint = await host.transport.bind(sibling.endpoint());
    host.witness.whenReceived = (from) => host.transport.send(from, [Buffer.from(`you are ${from}`)]);
    const guests = Array.from({ length: 40 }, (_, number) => ({
      id: `guest-${number}.1`,
      ...member(`guest-${number}.1`),
    }));
    await Promise.all(
      guests.map(async ({ id, transport, witness }) => {
        const link = transport.dial(endpoint);
        await witness.opening();
        transport.send(link, [Buffer.from('hello')]);
        await witness.delivery();
        assert.equal(Buffer.from(witness.deliveries[0]?.frames[0] as Uint8Array).toString(), `you are ${id}`);
      }),
    );
    assert.equal(new Set(host.witness.openings).size, 40);
  });

  test('a killed peer that dialled us is lost at once, and only that one', async () => {
    const host = member('host.1');
    const endpoint = await host.transport.bind(sibling.endpoint());
    const victim = await peer('dial', endpoint, 'victim.1');
    await peer('dial', endpoint, 'other.1');
    await host.witness.delivery(2);
    const killedAt = now();
    victim.kill();
    await host.witness.loss();
    assert.ok(now() - killedAt < 1000, `it took ${now() - killedAt} ms`);
    assert.equal(host.witness.losses[0]?.link, 'victim.1');
    assert.equal(host.transport.send('victim.1', [Buffer.from('x')]), false);
    assert.equal(host.transport.send('other.1', [Buffer.from('still there?')]), true);
    await host.witness.until(() => saw(host.witness, 'other.1', 'still there?'), 'the other peer answers');
    assert.equal(host.witness.losses.length, 1);
  });

  test('a killed peer that we dialled is lost at once, and found again when it comes back', async () => {
    const guest = member('guest.1');
    // A fixed endpoint, so that the second process can take the place of the first.
    const probe = member('probe.1');
    const endpoint = await probe.transport.bind(sibling.endpoint());
    await probe.transport.close(0);
    const first = await peer('bind', endpoint, 'server.1');
    const link = guest.transport.dial(endpoint);
    await guest.witness.opening();
    const killedAt = now();
    first.kill();
    await guest.witness.loss();
    assert.ok(now() - killedAt < 1000, `it took ${now() - killedAt} ms`);
    assert.equal(guest.transport.send(link, [Buffer.from('nobody hears this')]), false);
    await peer('bind', endpoint, 'server.2');
    await guest.witness.opening(2);
    guest.transport.send(link, [Buffer.from('again')]);
    await guest.witness.delivery();
    assert.ok(saw(guest.witness, link, 'again'), 'the first thing heard is what was sent after the loss');
  });

  test('what a peer said before it left in order is heard, and then its loss', async () => {
    const host = member('host.1');
    const endpoint = await host.transport.bind(sibling.endpoint());
    await peer('dial', endpoint, 'leaver.1', 'part');
    await host.witness.delivery();
    host.transport.send('leaver.1', [Buffer.from('go')]);
    await host.witness.loss();
    await host.witness.until(() => saw(host.witness, 'leaver.1', 'word 99'), 'the last word');
    assert.equal(host.witness.deliveries.length, 102);
    assert.deepEqual(host.witness.openings, ['leaver.1'], 'nothing came after the loss');
  });

  test('who dials before anybody listens is connected later', async () => {
    const probe = member('probe.1');
    const endpoint = await probe.transport.bind(sibling.endpoint());
    await probe.transport.close(0);
    const guest = member('guest.1');
    const link = guest.transport.dial(endpoint);
    assert.equal(guest.transport.send(link, [Buffer.from('too early')]), false);
    const host = member('host.1');
    await host.transport.bind(endpoint);
    await guest.witness.opening();
    assert.equal(guest.transport.send(link, [Buffer.from('now')]), true);
    await host.witness.delivery();
    assert.ok(saw(host.witness, 'guest.1', 'now'));
  });

  test('an endpoint is refused while somebody has it, and free once they closed', async () => {
    const { host, endpoint } = await pair();
    const late = member('late.1');
    await assert.rejects(late.transport.bind(endpoint), /is in use/);
    assert.equal(host.transport.send('guest.1', [Buffer.from('x')]), true, 'the first one is not disturbed');
    await host.transport.close(0);
    assert.equal(await member('next.1').transport.bind(endpoint), endpoint);
  });

  test('hanging up is seen by the other side, and not told as a loss to the own', async () => {
    const { host, guest, link } = await pair();
    guest.transport.hangUp(link);
    await host.witness.loss();
    assert.equal(guest.transport.send(link, [Buffer.from('x')]), false);
    assert.deepEqual(guest.witness.losses, []);
  });

  test('a bound link that was hung up opens anew with the next frame', async () => {
    const { host, guest, link } = await pair();
    host.transport.hangUp('guest.1');
    assert.equal(host.transport.send('guest.1', [Buffer.from('x')]), false);
    guest.transport.send(link, [Buffer.from('still here')]);
    await host.witness.opening(2);
    assert.equal(host.transport.send('guest.1', [Buffer.from('x')]), true);
  });

  test('nothing is sent to strangers, nor after closing', async () => {
    const { host, guest, link } = await pair();
    assert.equal(host.transport.send('stranger.1', [Buffer.from('x')]), false);
    assert.equal(guest.transport.send('tcp://127.0.0.1:1', [Buffer.from('x')]), false);
    await guest.transport.close(0);
    await host.transport.close(0);
    assert.equal(guest.transport.send(link, [Buffer.from('x')]), false);
    assert.equal(host.transport.send('guest.1', [Buffer.from('x')]), false);
  });

  test('an endpoint that is none is refused in a sentence', async () => {
    const { transport } = member('host.1');
    await assert.rejects(transport.bind('udp://127.0.0.1:1'), /write tcp:\/\/host:port or ipc:/);
    await assert.rejects(transport.bind('tcp://127.0.0.1:99999'), /is none/);
    await assert.rejects(transport.bind('ipc://relative'), /no absolute path/);
    await assert.rejects(transport.bind(`ipc:///${'x'.repeat(107)}`), /108 bytes, a unix socket takes 107/);
    assert.throws(() => transport.dial('nowhere'), /is none/);
  });
}

function saw(witness: Witness, link: string, text: string): boolean {
  return witness.deliveries.some((delivery) => {
    return delivery.link === link && Buffer.from(delivery.frames[0] as Uint8Array).toString() === text;
  });
}

function bytes(values: Float64Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function floats(frame: Uint8Array | undefined): Float64Array {
  assert.ok(frame !== undefined);
  return new Float64Array(frame.buffer, frame.byteOffset, frame.byteLength / 8);
}
