// Members with keys over real sockets: each is who it is by its key, whoever is not trusted is neither called nor heard, and
// a list that changes takes effect on links that are open.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach, describe, test } from 'node:test';
import { Dealer } from 'zeromq';
import type { Message } from '../../proto/messages.js';
import { makePair } from '../../runtime/keys/pair.js';
import { KeyRing, type Turned } from '../../runtime/keys/ring.js';
import { z85 } from '../../runtime/post/curve.js';
import { keyIn, withKey, withoutKey } from '../../runtime/post/endpoint.js';
import { soleDelivery } from '../../runtime/post/outbox.js';
import { routingIdFor } from '../../runtime/post/routing.js';
import { answerTo } from '../../runtime/post/zap.js';
import { zeromqTransport } from '../../runtime/post/zeromq.js';
import { until } from '../processes/harness.js';
import { announcement, Branch, beat } from './branch.js';
import { Waiting } from './witness.js';

class Ring extends KeyRing {
  readonly turned: Turned[];
  readonly news: Waiting;
  laterMs = 0;

  constructor() {
    const turned: Turned[] = [];
    const news = new (class extends Waiting {
      override changed(): void {
        super.changed();
      }
    })();
    super(
      (one) => {
        turned.push(one);
        news.changed();
      },
      () => this.laterMs,
    );
    this.turned = turned;
    this.news = news;
  }

  says(what: RegExp): Promise<void> {
    const told = (): boolean => this.turned.some(({ reason }) => what.test(reason));
    return this.news.until(told, `${what} is told`);
  }
}

describe('post office with keys', () => {
  const open: Branch[] = [];
  const dealers: Dealer[] = [];
  afterEach(async () => {
    for (const dealer of dealers.splice(0)) dealer.close();
    await Promise.all(open.splice(0).map(({ office }) => office.close(0)));
  });

  function member(id: string, pair = makePair()): { branch: Branch; ring: Ring; pair: typeof pair } {
    const ring = new Ring();
    ring.take({ pair, trusted: [] });
    const branch = new Branch(zeromqTransport({ keys: ring }), id, 'test', ['worker'], ring);
    open.push(branch);
    return { branch, ring, pair };
  }

  type One = ReturnType<typeof member>;
  const trust = ({ ring, pair }: One, ...others: One[]): void =>
    ring.take({ pair, trusted: others.map((other) => other.pair.publicKey) });

  async function bound(): Promise<{ host: One; guest: One; endpoint: string }> {
    const host = member('host.1');
    const guest = member('guest.1');
    trust(host, guest);
    trust(guest, host);
    const endpoint = await host.branch.office.bind('tcp://127.0.0.1:0');
    assert.equal(keyIn(endpoint), host.pair.publicKey);
    return { host, guest, endpoint };
  }

  /** A trusted member that says what it likes. */
  function rogue(
    id: string,
    { pair, ring }: One,
    endpoint: string,
    routingId = routingIdFor(id, keyIn(endpoint), ring),
  ): { say(...messages: Message[]): void } {
    const dealer = new Dealer({
      routingId,
      linger: 0,
      curveServerKey: z85(keyIn(endpoint)),
      curvePublicKey: z85(pair.publicKey),
      curveSecretKey: z85(pair.secretKey),
    });
    dealers.push(dealer);
    dealer.connect(withoutKey(endpoint));
    return {
      say: (...messages) => {
        for (const message of messages) void dealer.send(soleDelivery(message) as Buffer[]).catch(() => {});
      },
    };
  }

  function proved(id: string, { pair, ring }: One, endpoint: string): Message {
    return { type: 'member.proved', key: pair.publicKey, proof: ring.proofFor(keyIn(endpoint), id) };
  }

  test('who is trusted meets; who is struck off is cut off, and comes back when it is listed again', async () => {
    const { host, guest, endpoint } = await bound();
    guest.branch.office.dial(endpoint);
    await Promise.all([host.branch.opening(), guest.branch.opening()]);
    trust(host);
    assert.deepEqual(host.branch.losses, [{ member: 'guest.1', reason: 'its key is not listed any more' }]);
    assert.equal(host.branch.office.send('guest.1', beat(1)), false);
    guest.branch.office.send('host.1', beat(2));
    trust(host, guest);
    // What it says next has the host ask who it is.
    const again = setInterval(() => guest.branch.office.send('host.1', beat(3)), 5);
    await host.branch.opening(2).finally(() => clearInterval(again));
    assert.ok(
      !host.branch.deliveries.some(({ message }) => message.type === 'peer.beat' && message.sequence === 2),
    );
  });

  test('who is not trusted is not called, until it is', async () => {
    const { host, guest, endpoint } = await bound();
    trust(guest);
    guest.branch.office.dial(endpoint);
    await guest.ring.says(/its key is not listed here: `node runtime keys trust`/);
    trust(guest, host);
    await guest.branch.opening();
    trust(guest);
    assert.match(guest.branch.losses[0]?.reason ?? '', /not listed/);
    trust(guest, host);
    await guest.branch.opening(2);
  });

  test('a guest that the host does not list hears why its handshake fails, and gets in once it is listed', async () => {
    const { host, guest, endpoint } = await bound();
    trust(host);
    guest.branch.office.dial(endpoint);
    await guest.ring.says(/it does not list the key of this node/);
    await host.ring.says(/its key is not listed here/);
    assert.equal(host.ring.turned[0]?.key, guest.pair.publicKey);
    assert.deepEqual([host.branch.openings, guest.branch.refusals], [[], []]);
    trust(host, guest);
    await Promise.all([host.branch.opening(), guest.branch.opening()]);
  });

  test('who only knocks hears why it is not let in, is no member by it, and what it heard is gone once it is let in', async () => {
    const { host, guest, endpoint } = await bound();
    const at = withoutKey(endpoint);
    const barredThere = (): string[] =>
      guest.ring.barred().flatMap((one) => (one.at === at ? [one.kind] : []));
    trust(host);
    guest.branch.office.knock(endpoint);
    await guest.ring.says(/it does not list the key of this node/);
    assert.deepEqual(barredThere(), ['unlistedThere']);
    trust(host, guest);
    const again = setInterval(() => guest.branch.office.knock(endpoint), 5);
    await until('it is let in', () => barredThere().length === 0).finally(() => clearInterval(again));
    assert.equal(guest.ring.turned.length, 1, 'told once');
    trust(guest);
    guest.branch.office.knock(endpoint);
    await guest.ring.says(/its key is not listed here/);
    assert.deepEqual([host.branch.openings, guest.branch.openings, host.branch.drops], [[], [], []]);
  });

  test('a host with another key than it is called by is noticed on both sides', async () => {
    const { host, guest, endpoint } = await bound();
    const wrong = member('wrong.1');
    trust(guest, wrong);
    guest.branch.office.dial(withKey(withoutKey(endpoint), wrong.pair.publicKey));
    await Promise.all([host.ring.says(/another key than/), guest.ring.says(/another key than/)]);
    assert.deepEqual(guest.branch.openings, []);
  });

  test('a member that has not proved its key is not let in, nor one that shows the key of another', async () => {
    const { host, guest, endpoint } = await bound();
    const third = member('third.1');
    trust(host, guest, third);
    const mute = rogue('mute.1', guest, endpoint);
    mute.say(announcement('mute.1', 'test', ['worker']));
    await host.branch.refusal();
    assert.match(host.branch.refusals[0]?.reason ?? '', /it has not proved that its key is its own/);
    const liar = rogue('liar.1', guest, endpoint);
    liar.say(
      {
        type: 'member.proved',
        key: third.pair.publicKey,
        proof: guest.ring.proofFor(keyIn(endpoint), 'liar.1'),
      },
      announcement('liar.1', 'test', ['worker']),
    );
    await host.branch.refusal(2);
    assert.deepEqual(host.branch.openings, []);
  });

  test('a trusted member that calls itself by the id of another is not taken for it', async () => {
    const { host, guest, endpoint } = await bound();
    const third = member('third.1');
    trust(host, guest, third);
    guest.branch.office.dial(endpoint);
    await host.branch.opening();
    const thief = rogue('guest.1', third, endpoint);
    thief.say(proved('guest.1', third, endpoint), announcement('guest.1', 'test', ['router']), beat(1));
    await host.ring.says(/a member with another key has that id/);
    guest.branch.office.send('host.1', beat(2));
    await host.branch.delivery();
    assert.deepEqual(host.branch.deliveries[0]?.message, beat(2));
    assert.deepEqual([host.branch.losses, host.branch.openings.length], [[], 1]);
  });

  test('nobody speaks over the link of another: neither by its id alone nor with a proof of its own', async () => {
    const { host, guest, endpoint } = await bound();
    const third = member('third.1');
    trust(host, guest, third);
    guest.branch.office.dial(endpoint);
    await host.branch.opening();
    const [whole = '', key = '', proof = ''] = routingIdFor('guest.1', keyIn(endpoint), third.ring).split(
      '|',
    );
    const forged = [
      whole,
      `${whole}|${guest.pair.publicKey}|${proof}`,
      `${whole}|${key}|${'0'.repeat(64)}`,
      `${whole}|${key}|${proof}|`,
      `|${key}|${proof}`,
    ];
    for (const routingId of forged) rogue('guest.1', third, endpoint, routingId).say(beat(1), beat(2));
    const shown = (): number =>
      host.ring.turned.filter(({ reason }) => /no proof of a key/.test(reason)).length;
    // They say the same two things of themselves, and each is told once.
    await host.ring.news.until(() => shown() === 2, 'they are turned away');
    guest.branch.office.send('host.1', beat(3));
    await host.branch.delivery();
    assert.deepEqual(
      host.branch.deliveries.map(({ message }) => message),
      [beat(3)],
    );
    assert.deepEqual([host.branch.losses, host.branch.openings.length], [[], 1]);
  });

  test('who is struck off is heard no more, whatever it calls itself, and others go on', async () => {
    const { host, guest, endpoint } = await bound();
    const third = member('third.1');
    trust(host, guest, third);
    guest.branch.office.dial(endpoint);
    await host.branch.opening();
    const own = rogue('third.1', third, endpoint);
    own.say(proved('third.1', third, endpoint), announcement('third.1', 'test', ['worker']), beat(1));
    await host.branch.delivery();
    trust(host, guest);
    assert.deepEqual(
      host.branch.losses.map(({ member }) => member),
      ['third.1'],
    );
    const other = rogue('guest.1', third, endpoint);
    for (let sequence = 2; sequence < 10; sequence++) {
      own.say(beat(sequence));
      other.say(beat(sequence));
    }
    await host.ring.says(/no proof of a key that is listed here/);
    guest.branch.office.send('host.1', beat(10));
    await host.branch.delivery(2);
    assert.deepEqual(host.branch.deliveries[1]?.from, 'guest.1');
    assert.equal(host.branch.losses.length, 1);
  });

  test('a node without keys and one with them say so, both ways', async () => {
    const { host, endpoint } = await bound();
    const ring = new Ring();
    const plain = new Branch(zeromqTransport({ keys: ring }), 'plain.1', 'test', ['worker'], ring);
    open.push(plain);
    plain.office.dial(withoutKey(endpoint));
    await ring.says(/it has keys, and this node has none/);
    await host.ring.says(/it has no keys, and this node has/);
    plain.office.dial(endpoint);
    await ring.says(/it talks to nodes with keys only, and this node has none/);
    const theirs = await plain.office.bind('tcp://127.0.0.1:0');
    host.branch.office.dial(theirs);
    await host.ring.says(/it has no keys, and over tcp this node talks to nodes with keys only/);
    assert.deepEqual([plain.openings, host.branch.openings], [[], []]);
  });
});

test('only a listed key opens the door, and each other one is told once', () => {
  const ring = new Ring();
  const [own, listed, stranger] = [makePair(), makePair(), makePair()] as const;
  ring.take({ pair: own, trusted: [listed.publicKey] });
  const asked = (mechanism: string, credentials: Buffer): unknown => {
    const words = ['', '1.0', '7', 'post-1', '10.0.0.9', '', mechanism].map((word) => Buffer.from(word));
    return answerTo([Buffer.from('who'), ...words, credentials], new Map([['post-1', ring]]))[4];
  };
  const bytes = (key: string): Buffer => Buffer.from(key, 'hex');
  assert.equal(asked('CURVE', bytes(listed.publicKey)), '200');
  assert.equal(asked('CURVE', bytes(own.publicKey)), '200');
  assert.equal(asked('CURVE', bytes(stranger.publicKey)), '400');
  assert.equal(asked('CURVE', bytes(stranger.publicKey)), '400');
  assert.equal(asked('PLAIN', bytes(listed.publicKey)), '400');
  assert.equal(asked('CURVE', Buffer.alloc(0)), '400');
  assert.equal(ring.turned.length, 2);
  for (let count = 0; count < 5000; count++) asked('CURVE', randomBytes(32));
  assert.ok(ring.turned.length <= 1024, 'the log is bounded');
  const before = ring.turned.length;
  ring.laterMs = 601_000;
  asked('CURVE', bytes(stranger.publicKey));
  assert.equal(ring.turned.length, before + 1, 'and who comes later is told all the same');
});
