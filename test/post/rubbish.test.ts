// Whatever arrives that should not: it is dropped and counted, changes nothing, and the office goes on (I12).
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Packr } from 'msgpackr';
import { Dealer } from 'zeromq';
import { decodeMessage, encodeMessage, invalid } from '../../proto/codec.js';
import { joinEnvelopes } from '../../proto/frame.js';
import { protocolVersion } from '../../proto/limits.js';
import type { Message } from '../../proto/messages.js';
import { PostOffice } from '../../runtime/post/office.js';
import type { Transport, TransportEvents } from '../../runtime/post/transport.js';
import { announcement, Branch, beat } from './branch.js';
import { zeromqSibling } from './siblings.js';

const packer = new Packr({ useRecords: false });

describe('rubbish over ZeroMQ', () => {
  /** A stranger with a bare socket, a member with good manners, and the office between them. */
  async function scene(
    routingId: string | undefined,
    play: (stranger: Dealer, host: Branch) => Promise<void>,
  ) {
    const sibling = zeromqSibling('ipc');
    const host = new Branch(sibling.factory, 'host.1');
    const guest = new Branch(sibling.factory, 'guest.1');
    const endpoint = await host.office.bind(sibling.endpoint());
    guest.office.dial(endpoint);
    await Promise.all([host.opening(), guest.opening()]);
    const stranger = new Dealer({ linger: 0, ...(routingId === undefined ? {} : { routingId }) });
    stranger.connect(endpoint);
    await play(stranger, host);
    assert.deepEqual(
      host.deliveries.filter(({ from }) => from !== 'guest.1'),
      [],
      'nothing of it was delivered',
    );
    guest.office.send('host.1', beat(1));
    await host.delivery();
    assert.deepEqual(host.losses, [], 'the others are not disturbed');
    stranger.close();
    await Promise.all([host.office.close(0), guest.office.close(0)]);
    sibling.end();
  }

  const plain = envelope(beat(1));
  const cases: [name: string, frames: Uint8Array[], drop: string][] = [
    ['random bytes', [Buffer.from('GET / HTTP/1.1\r\n\r\n')], 'rubbish'],
    ['an empty frame', [new Uint8Array(0)], 'rubbish'],
    ['random MessagePack', [joinEnvelopes([packer.pack({ what: 'is', this: 7 })])], 'undecodable'],
    ['an unknown number', [joinEnvelopes([packer.pack([9999, 0, 1])])], 'undecodable'],
    ['fields of wrong kinds', [joinEnvelopes([packer.pack([10, 0, 'many', -1])])], 'undecodable'],
    ['too many fields', [joinEnvelopes([packer.pack([10, 0, 1, 1, 1])])], 'undecodable'],
    [
      'an endless envelope',
      [Buffer.from([0x53, 0x42, protocolVersion, 0xff, 0xff, 0xff, 0x7f, 1])],
      'rubbish',
    ],
    ['a truncated frame', [plain.subarray(0, plain.length - 1)], 'rubbish'],
    ['too few tensor frames', [joinEnvelopes([encodeMessage(beat(1), 2)]), new Uint8Array(8)], 'frameCount'],
    ['too many tensor frames', [plain, new Uint8Array(8)], 'frameCount'],
    ['a good message of a stranger', [plain], 'unannounced'],
  ];

  for (const [name, frames, drop] of cases) {
    test(`${name} is dropped as ${drop}`, () =>
      scene(undefined, async (stranger, host) => {
        await stranger.send(frames as Buffer[]);
        await host.drop();
        assert.equal(host.drops[0]?.drop, drop);
        assert.ok((host.drops[0]?.reason ?? '').length > 10);
        assert.equal(host.office.drops()[drop as 'rubbish'], 1);
      }));
  }

  test('who calls itself by the name of another is refused', () =>
    scene('thief.1', async (stranger, host) => {
      await stranger.send(envelope(announcement('guest.1', 'test', ['worker'])));
      await host.refusal();
      assert.match(
        host.refusals[0]?.reason ?? '',
        /says that it is guest\.1, its connection says "thief\.1"/,
      );
      const [answer] = await stranger.receive();
      assert.ok(answer?.includes('its connection says'), 'it is told why');
      await stranger.send(plain);
      await host.drop();
      assert.equal(host.drops[0]?.drop, 'unannounced');
    }));

  test('who calls itself by an endpoint is not heard', () =>
    scene('ipc:///somewhere', async (stranger, host) => {
      await stranger.send(envelope(announcement('ipc:///somewhere', 'test', ['worker'])));
      // A second stranger, heard after the first, shows that the first was passed over.
      const second = new Dealer({ linger: 0 });
      second.connect(stranger.lastEndpoint as string);
      await second.send(Buffer.from('x'));
      await host.drop();
      second.close();
      assert.equal(host.openings.length, 1);
      assert.deepEqual(host.refusals, []);
    }));

  test('who announces itself twice has connected anew: what was on its way may be lost, and it is there once', () =>
    scene('twice.1', async (stranger, host) => {
      await stranger.send(envelope(announcement('twice.1', 'test', ['worker'])));
      await stranger.send(envelope(announcement('twice.1', 'test', ['worker', 'router'])));
      await host.opening(3);
      assert.equal(host.drops[0]?.drop, 'announcedAgain');
      assert.deepEqual(host.losses.splice(0), [{ member: 'twice.1', reason: 'it connected anew' }]);
      assert.deepEqual(
        host.openings.map(({ id, roles }) => [id, roles]),
        [
          ['guest.1', ['worker']],
          ['twice.1', ['worker']],
          ['twice.1', ['worker', 'router']],
        ],
      );
      assert.equal(host.office.members().length, 2);
    }));
});

describe('rubbish in memory', () => {
  test('ten thousand mutations of valid deliveries never throw and never deliver what is invalid', () => {
    const random = generator(20_240_607);
    const heard: { message: Message; frames: readonly Uint8Array[] }[] = [];
    let events: TransportEvents | undefined;
    const transport: Transport = {
      bind: async (endpoint) => endpoint,
      dial: (endpoint) => endpoint,
      knock: () => {},
      hangUp: () => {},
      send: () => true,
      close: async () => {},
    };
    const office = new PostOffice({
      self: 'host.1',
      announcement: () => announcement('host.1', 'test', ['router']),
      transport: (_self, given) => {
        events = given;
        return transport;
      },
      events: {
        delivered: (_from, message, frames) => heard.push({ message, frames }),
        opened: () => {},
        lost: () => {},
        refused: () => {},
        dropped: () => {},
        failed: (what, error) => {
          throw new Error(what, { cause: error });
        },
      },
    });
    const hello = envelope(announcement('guest.1', 'test', ['worker']));
    let rounds = 0;
    for (; rounds < 10_000; rounds++) {
      if (!office.knows('guest.1')) {
        events?.opened('guest.1');
        events?.received('guest.1', [hello]);
      }
      events?.received('guest.1', mutate(samples[random(samples.length)] as Uint8Array[], random));
    }
    assert.ok(heard.length > 100, 'some mutations hit nothing that matters');
    const drops = office.drops();
    assert.ok(
      drops.rubbish > 100 && drops.undecodable > 100 && drops.frameCount > 100,
      JSON.stringify(drops),
    );
    for (const { message, frames } of heard) {
      assert.equal(invalid(message), undefined);
      assert.deepEqual(decodeMessage(encodeMessage(message, frames.length)), {
        message,
        frames: frames.length,
      });
    }
    assert.equal(rounds, 10_000);
  });
});

const samples: Uint8Array[][] = [
  [joinEnvelopes([beat(1), beat(2 ** 40), beat(3)].map((message) => encodeMessage(message, 0)))],
  [
    joinEnvelopes([
      encodeMessage(
        {
          type: 'worker.register',
          name: 'worker-1',
          device: 'cpu',
          tags: [],
          inlineCredits: 4,
          threadCredits: 2,
        },
        1,
      ),
      encodeMessage({ type: 'worker.reported', epoch: 3, held: [1, 2, 3, 4] }, 1),
    ]),
    new Uint8Array(16),
    new Uint8Array(16),
  ],
  [envelope({ type: 'job.withdraw', job: 12, attempt: 1 })],
  [
    envelope({
      type: 'batch.assign',
      batch: 1,
      worker: 'w.1',
      epoch: 2,
      solo: false,
      jobs: [1, 2],
      attempts: [1, 1],
      costMs: 1.5,
      transportMs: 0.25,
    }),
  ],
];

function envelope(message: Message): Uint8Array {
  return joinEnvelopes([encodeMessage(message, 0)]);
}

/** A copy with a few bytes changed, cut off, repeated or put in, or a frame too many or too few. */
function mutate(frames: readonly Uint8Array[], random: (bound: number) => number): Uint8Array[] {
  const copies: Uint8Array[] = frames.map((frame) => Uint8Array.from(frame));
  const head = copies[0] as Uint8Array;
  const at = random(head.length);
  switch (random(7)) {
    case 0:
      head[at] = random(256);
      break;
    case 1:
      for (let time = 0; time < 4; time++) head[random(head.length)] = random(256);
      break;
    case 2:
      copies[0] = head.subarray(0, at);
      break;
    case 3:
      copies[0] = Buffer.concat([head, head.subarray(at)]);
      break;
    case 4:
      copies[0] = Buffer.concat([head.subarray(0, at), Buffer.from([random(256)]), head.subarray(at)]);
      break;
    case 5:
      copies.push(new Uint8Array(8));
      break;
    default:
      if (copies.length > 1) copies.pop();
      else head[at] = (head[at] as number) ^ (1 << random(8));
  }
  return copies;
}

/** Whole numbers below a bound, the same in each run (mulberry32). */
function generator(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * bound);
  };
}
