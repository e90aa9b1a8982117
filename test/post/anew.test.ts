// A member that connects anew before anybody here has noticed the end of its earlier connection, as to a process that was
// frozen: what is told of it, what is left of the earlier one, and that its key is still looked at.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Message } from '../../proto/messages.js';
import { makePair } from '../../runtime/keys/pair.js';
import { KeyRing } from '../../runtime/keys/ring.js';
import { soleDelivery } from '../../runtime/post/outbox.js';
import { Routes } from '../../runtime/post/routing.js';
import type { TransportEvents } from '../../runtime/post/transport.js';
import { announcement, Branch, beat } from './branch.js';

const hello = announcement('guest.1', 'test', ['worker']);

/** An office whose transport carries what the test says. */
class Desk {
  readonly branch: Branch;
  private events: TransportEvents | undefined;

  constructor(ring?: KeyRing) {
    this.branch = new Branch(
      (_self, events) => {
        this.events = events;
        return {
          bind: async (endpoint) => endpoint,
          dial: (endpoint) => endpoint,
          knock: () => {},
          hangUp: () => {},
          send: () => true,
          close: async () => {},
        };
      },
      'host.1',
      'test',
      ['router'],
      ring,
    );
  }

  opens(link: string): void {
    this.events?.opened(link);
  }

  loses(link: string): void {
    this.events?.lost(link, 'its connection ended');
  }

  hears(link: string, ...messages: Message[]): void {
    for (const message of messages) this.events?.received(link, soleDelivery(message));
  }
}

test('it is lost and met again, and what waited for its earlier connection is not said over the new one', async () => {
  const desk = new Desk();
  const { branch } = desk;
  desk.opens('guest.1');
  desk.hears('guest.1', hello);
  branch.office.send('guest.1', beat(1));
  desk.hears('guest.1', hello, beat(2));
  assert.deepEqual(branch.losses, [{ member: 'guest.1', reason: 'it connected anew' }]);
  assert.equal(branch.openings.length, 2);
  assert.deepEqual(
    branch.deliveries.map(({ message }) => message),
    [beat(2)],
  );
  branch.sent.length = 0;
  branch.office.send('guest.1', beat(3));
  branch.office.flush();
  assert.deepEqual(branch.sent, [{ link: 'guest.1', frames: soleDelivery(beat(3)) }]);
  await branch.office.close();
});

test('what is left of the earlier connection is counted, and is no refusal each time', async () => {
  const desk = new Desk();
  // ZeroMQ gives what is left an id of its own, at which nobody can be answered.
  for (let sequence = 0; sequence < 50; sequence++) {
    desk.opens('left');
    desk.hears('left', beat(sequence));
    desk.loses('left');
  }
  assert.equal(desk.branch.office.drops().unannounced, 50);
  assert.deepEqual(desk.branch.refusals, []);
  await desk.branch.office.close();
});

test('who is struck off is cut off, also after it has connected anew', async () => {
  const [host, guest] = [makePair(), makePair()];
  const [ring, its] = [new KeyRing(), new KeyRing()];
  ring.take({ pair: host, trusted: [guest.publicKey] });
  its.take({ pair: guest, trusted: [host.publicKey] });
  const desk = new Desk(ring);
  const proof = its.proofFor(host.publicKey, 'guest.1');
  await desk.branch.office.bind('tcp://127.0.0.1:1');
  desk.opens('guest.1');
  for (let time = 0; time < 2; time++)
    desk.hears('guest.1', { type: 'member.proved', key: guest.publicKey, proof }, hello);
  assert.equal(desk.branch.openings.length, 2, JSON.stringify(desk.branch.refusals));
  ring.take({ pair: host, trusted: [] });
  assert.equal(desk.branch.losses.at(-1)?.reason, 'its key is not listed any more');
  assert.equal(desk.branch.office.send('guest.1', beat(1)), false);
  await desk.branch.office.close();
});

test('with keys what is left of the earlier connection is nobody, and no stranger', () => {
  const told: string[] = [];
  const ring = new KeyRing(({ at }) => told.push(at));
  ring.take({ pair: makePair(), trusted: [] });
  const routes = new Routes(ring);
  assert.equal(routes.memberAt('\0\x6b\x8b\x45\x69'), undefined);
  assert.equal(routes.memberAt('guest.1'), undefined);
  assert.deepEqual(told, ['guest.1']);
});
