// What members may rely on when they write to each other, over both transports.
import assert from 'node:assert/strict';
import { after, afterEach, describe, test } from 'node:test';
import { splitEnvelopes } from '../../proto/frame.js';
import type { Said } from '../../proto/messages.js';
import { settle } from '../../runtime/clock.js';
import type { Transport } from '../../runtime/post/transport.js';
import { Branch, beat } from './branch.js';
import { memorySibling, type Sibling, zeromqSibling } from './siblings.js';
import { Witness } from './witness.js';

for (const sibling of [memorySibling(), zeromqSibling('ipc')]) {
  describe(`post office: ${sibling.name}`, () => {
    const open: Branch[] = [];
    afterEach(async () => {
      await Promise.all(open.splice(0).map(({ office }) => office.close(0)));
    });
    after(() => sibling.end());

    const branch = (id: string, cluster?: string): Branch => {
      const made = new Branch(sibling.factory, id, cluster);
      open.push(made);
      return made;
    };
    talking(sibling, branch);
    parting(sibling, branch);
    refusing(sibling, branch);
  });
}

type Make = (id: string, cluster?: string) => Branch;

async function pair(sibling: Sibling, branch: Make) {
  const host = branch('host.1');
  const guest = branch('guest.1');
  const endpoint = await host.office.bind(sibling.endpoint());
  guest.office.dial(endpoint);
  await Promise.all([host.opening(), guest.opening()]);
  return { host, guest, endpoint };
}

function talking(sibling: Sibling, branch: Make): void {
  test('both sides learn who the other is', async () => {
    const { host, guest } = await pair(sibling, branch);
    const expected = { roles: ['worker'], host: 'a host', build: '0.1.0' };
    assert.deepEqual(host.openings, [{ id: 'guest.1', endpoint: 'ipc:///of/guest.1', ...expected }]);
    assert.deepEqual(guest.openings, [{ id: 'host.1', endpoint: 'ipc:///of/host.1', ...expected }]);
    assert.deepEqual(host.office.members(), host.openings);
    assert.ok(host.office.knows('guest.1') && !host.office.knows('host.1'));
  });

  test('the messages of one tick leave together, and arrive in their order', async () => {
    const { host, guest } = await pair(sibling, branch);
    const before = host.sent.length;
    for (let number = 0; number < 100; number++) assert.ok(host.office.send('guest.1', beat(number)));
    await guest.delivery(100);
    assert.equal(host.sent.length - before, 1);
    assert.deepEqual(
      guest.deliveries.map(({ message }) => message),
      Array.from({ length: 100 }, (_, number) => beat(number)),
    );
    assert.ok(guest.deliveries.every(({ from, frames }) => from === 'host.1' && frames.length === 0));
  });

  test('a message that its hearer throws at is told as a fault, and those after it are heard', async () => {
    const { host, guest } = await pair(sibling, branch);
    guest.whenDelivered = (message) => {
      if ((message as Said<'peer.beat'>).sequence === 1) throw new Error('can not bear it');
    };
    for (const number of [1, 2]) host.office.send('guest.1', beat(number));
    await guest.delivery(2);
    assert.deepEqual(guest.faults, ['peer.beat from host.1: can not bear it']);
    host.office.send('guest.1', beat(3));
    await guest.delivery(3);
  });

  test('a flood within one tick leaves in bounded pieces', async () => {
    const { host, guest } = await pair(sibling, branch);
    const before = host.sent.length;
    for (let number = 0; number < 5000; number++) host.office.send('guest.1', beat(number));
    await guest.delivery(5000);
    const pieces = host.sent.slice(before).map(({ frames }) => envelopesIn(frames[0] as Uint8Array));
    assert.ok(pieces.length > 1 && Math.max(...pieces) <= 1024, String(pieces));
    assert.ok(
      guest.deliveries.every(({ message }, number) => (message as Said<'peer.beat'>).sequence === number),
    );
  });

  test('every message gets the tensor frames that were sent with it', async () => {
    const { host, guest } = await pair(sibling, branch);
    for (let number = 0; number < 20; number++) {
      const frames = Array.from({ length: number % 4 }, (_, index) =>
        new Uint8Array(1000 * index + 8).fill(number),
      );
      host.office.send('guest.1', beat(number), frames);
    }
    await guest.delivery(20);
    guest.deliveries.forEach(({ frames }, number) => {
      assert.deepEqual(
        frames.map((frame) => frame.byteLength),
        Array.from({ length: number % 4 }, (_, index) => 1000 * index + 8),
      );
      assert.ok(
        frames.every((frame) => frame.byteOffset % 8 === 0 && frame.every((byte) => byte === number)),
      );
    });
  });

  test('flush sends at once, without waiting for the tick to end', async () => {
    const { host } = await pair(sibling, branch);
    const before = host.sent.length;
    host.office.send('guest.1', beat(1));
    assert.equal(host.sent.length, before);
    host.office.flush();
    assert.equal(host.sent.length, before + 1);
    await new Promise<void>((resolve) => settle(resolve));
    assert.equal(host.sent.length, before + 1, 'nothing is sent twice');
  });

  test('what is over the bounds of the protocol is not sent, and the rest goes on', async () => {
    const { host, guest } = await pair(sibling, branch);
    const jobs = Array.from({ length: 700_000 }, (_, job) => job + 2 ** 32);
    assert.equal(host.office.send('guest.1', { type: 'worker.reported', epoch: 1, held: jobs }), false);
    assert.equal(host.office.drops().oversized, 1);
    host.office.send('guest.1', beat(1));
    await guest.delivery();
    assert.deepEqual(guest.deliveries[0]?.message, beat(1));
  });

  test('members that dial each other meet once', async () => {
    const one = branch('one.1');
    const two = branch('two.1');
    const [atOne, atTwo] = [
      await one.office.bind(sibling.endpoint()),
      await two.office.bind(sibling.endpoint()),
    ];
    one.office.dial(atTwo);
    two.office.dial(atOne);
    await Promise.all([one.opening(), two.opening()]);
    one.office.send('two.1', beat(1));
    two.office.send('one.1', beat(2));
    await Promise.all([one.delivery(), two.delivery()]);
    await two.until(
      () => two.sent.some(({ link }) => link === 'one.1'),
      'the link that one dialled is announced',
    );
    await one.until(
      () => one.sent.some(({ link }) => link === 'two.1'),
      'the link that two dialled is announced',
    );
    one.office.hangUp(atTwo);
    one.office.send('two.1', beat(3));
    await two.delivery(2);
    assert.equal(one.openings.length + two.openings.length, 2);
    assert.equal(one.losses.length + two.losses.length, 0, 'the other link serves');
    two.office.hangUp(atOne);
    await Promise.all([one.loss(), two.loss()]);
    assert.deepEqual([one.losses.length, two.losses.length], [1, 1]);
  });
}

function parting(sibling: Sibling, branch: Make): void {
  test('nothing can be sent to strangers, to the lost, nor after closing', async () => {
    const { host, guest } = await pair(sibling, branch);
    assert.equal(host.office.send('stranger.1', beat(1)), false);
    await guest.office.close(0);
    assert.equal(guest.office.send('host.1', beat(1)), false);
    await host.loss();
    assert.equal(host.office.send('guest.1', beat(1)), false);
    assert.equal(host.losses[0]?.member, 'guest.1');
  });

  test('what was said before closing is heard', async () => {
    const { host, guest } = await pair(sibling, branch);
    for (let number = 0; number < 50; number++) guest.office.send('host.1', beat(number));
    await guest.office.close(500);
    await host.loss();
    assert.equal(host.deliveries.length, 50);
  });

  test('a member that comes back under another incarnation is another member', async () => {
    const { host, guest, endpoint } = await pair(sibling, branch);
    await host.office.close(0);
    await guest.loss();
    const next = branch('host.2');
    await next.office.bind(endpoint);
    await Promise.all([guest.opening(2), next.opening()]);
    assert.equal(guest.openings[1]?.id, 'host.2');
    assert.equal(guest.losses[0]?.member, 'host.1');
    guest.office.send('host.2', beat(1));
    await next.delivery();
  });

  test('a member that connects again is announced again', async () => {
    const { host, guest, endpoint } = await pair(sibling, branch);
    guest.office.hangUp(endpoint);
    assert.equal(guest.losses.length, 1);
    await host.loss();
    guest.office.dial(endpoint);
    await Promise.all([host.opening(2), guest.opening(2)]);
    host.office.send('guest.1', beat(1));
    guest.office.send('host.1', beat(2));
    await Promise.all([host.delivery(), guest.delivery()]);
  });

  test('a side that no longer knows the other makes both begin again', async () => {
    const { host, guest } = await pair(sibling, branch);
    // As if its queue had been full.
    host.office.hangUp('guest.1');
    guest.office.send('host.1', beat(1));
    await Promise.all([host.opening(2), guest.opening(2)]);
    assert.equal(guest.losses.length, 1);
    assert.match(guest.losses[0]?.reason ?? '', /member\.announced/);
    assert.equal(host.deliveries.length, 0);
    guest.office.send('host.1', beat(2));
    await host.delivery();
    assert.deepEqual(host.deliveries[0]?.message, beat(2));
  });
}

function refusing(sibling: Sibling, branch: Make): void {
  test('members of two clusters refuse each other, and both say why', async () => {
    const host = branch('host.1', 'red');
    const guest = branch('guest.1', 'blue');
    const endpoint = await host.office.bind(sibling.endpoint());
    guest.office.dial(endpoint);
    await Promise.all([host.refusal(), guest.refusal()]);
    assert.match(
      host.refusals[0]?.reason ?? '',
      /guest\.1 belongs to the cluster "blue", this node to "red"/,
    );
    assert.match(guest.refusals[0]?.reason ?? '', /"blue".*"red"/);
    assert.equal(host.openings.length + guest.openings.length, 0);
    assert.equal(guest.office.send('host.1', beat(1)), false);
  });

  test('a node that speaks another version is refused on both sides', async () => {
    const host = branch('host.1');
    const endpoint = await host.office.bind(sibling.endpoint());
    const old = new Witness();
    const transport: Transport = sibling.factory('old.1', old);
    const link = transport.dial(endpoint);
    await old.opening();
    transport.send(link, [Buffer.from([0x53, 0x42, 99, 1, 0, 0, 0, 0xc0])]);
    await Promise.all([host.refusal(), old.delivery()]);
    assert.match(host.refusals[0]?.reason ?? '', /speaks protocol version 99, this node speaks \d+$/);
    const refusal = Buffer.from(old.deliveries[0]?.frames[0] as Uint8Array);
    assert.ok(refusal.includes('speaks protocol version 99'));
    await transport.close(0);

    // And the other way round: a refusal can be read whatever the version around it.
    const other = new Witness();
    const foreign: Transport = sibling.factory('foreign.1', other);
    const theirs = await foreign.bind(sibling.endpoint());
    const guest = branch('guest.1');
    guest.office.dial(theirs);
    await other.delivery();
    const changed = Uint8Array.from(refusal);
    changed[2] = 99;
    foreign.send('guest.1', [changed]);
    await guest.refusal();
    assert.match(guest.refusals[0]?.reason ?? '', /the other side refuses: .*version 99/);
    await foreign.close(0);
  });

  test('a node does not meet itself', async () => {
    const host = branch('host.1');
    host.office.dial(await host.office.bind(sibling.endpoint()));
    await host.refusal();
    assert.match(host.refusals[0]?.reason ?? '', /this node itself/);
    assert.equal(host.openings.length, 0);
  });
}

function envelopesIn(frame: Uint8Array): number {
  const envelopes = splitEnvelopes(frame);
  assert.ok(Array.isArray(envelopes));
  return envelopes.length;
}
