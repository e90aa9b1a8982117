// A link with faults has just those that it was given, as a network namespace behind it sees them.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { pause, until } from '../processes/harness.js';
import type { Faults } from './faults.js';
import { ip, prefix, quietly } from './ip.js';
import { type Link, lay, skip, way } from './link.js';

const near = `${prefix}l`;
const subnet = `198.19.${process.pid % 250}`;
const echoAddress = `${subnet}.2`;
const echo = fileURLToPath(new URL('echo.js', import.meta.url));
const settledMs = 100;
const together = 25;

interface Came {
  /** At the other side, and back from there. */
  readonly there: number;
  readonly back: number;
  readonly roundTripsMs: readonly number[];
}

class Probe {
  private readonly socket: Socket;
  private readonly echo: ChildProcess;
  private readonly port: number;
  private readonly sentAt: number[] = [];
  private roundTripsMs: number[] = [];
  private heard = 0;

  constructor(socket: Socket, echo: ChildProcess, port: number) {
    this.socket = socket;
    this.echo = echo;
    this.port = port;
    socket.on('message', (answer) => {
      this.heard = answer.readUInt32LE(4);
      this.roundTripsMs.push(performance.now() - (this.sentAt[answer.readUInt32LE(0)] as number));
    });
  }

  /** What comes of so many datagrams under those faults. */
  async send(link: Link, count: number, faults: Faults): Promise<Came> {
    const heardBefore = await this.total();
    await link.set(faults);
    this.roundTripsMs = [];
    for (let n = 0; n < count; n++) {
      this.say();
      if (n % together === together - 1) await this.keepUp(link, faults);
    }
    await pause(2 * (faults.delayMs ?? 0) + settledMs);
    const { roundTripsMs } = this;
    await link.set({});
    return { there: (await this.total()) - heardBefore - 1, back: roundTripsMs.length, roundTripsMs };
  }

  /** How many it had heard before the one that asks, over a link without faults. */
  private async total(): Promise<number> {
    this.roundTripsMs = [];
    this.say();
    await until('an answer', () => this.roundTripsMs.length > 0);
    return this.heard;
  }

  /** Queues on the way lose what is too much for them: nobody may fall far behind. */
  private async keepUp(link: Link, faults: Faults): Promise<void> {
    this.echo.send('there?');
    await Promise.all([once(this.echo, 'message'), link.set(faults), pause(2)]);
  }

  private say(): void {
    const datagram = Buffer.alloc(64);
    datagram.writeUInt32LE(this.sentAt.push(performance.now()) - 1);
    this.socket.send(datagram, this.port, echoAddress);
  }
}

/** A million honest links have less than one that is outside. */
function isShareOf(count: number, of: number, share: number): void {
  const bound = 5 * Math.sqrt((share * (1 - share)) / of);
  const found = count / of;
  assert.ok(Math.abs(found - share) <= bound, `${found} of ${of}, wanted ${share} within ${bound}`);
}

/** What its faults do to packets is looked at in any case. */
const skipped = skip && `${skip}: only test/network/faults.test.ts tells of faults here`;

describe(`a link with faults (${way})`, { skip: skipped }, () => {
  let link: Link;
  let child: ChildProcess;
  let probe: Probe;
  const socket = createSocket('udp4');

  before(async () => {
    ip('netns', 'add', near);
    link = await lay({ near, space: near });
    ip('addr', 'add', `${subnet}.1/24`, 'dev', near);
    ip('link', 'set', near, 'up');
    ip('-n', near, 'addr', 'add', `${echoAddress}/24`, 'dev', 'eth0');
    ip('-n', near, 'link', 'set', 'eth0', 'up');
    child = spawn('ip', ['netns', 'exec', near, process.execPath, echo, echoAddress], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const [port] = await once(child, 'message');
    socket.bind();
    probe = new Probe(socket, child, port);
  });

  after(() => {
    socket.close();
    child?.kill('SIGKILL');
    link?.remove();
    quietly(ip, 'netns', 'del', near);
  });

  test('without any all comes, and soon', async () => {
    const { there, back } = await probe.send(link, 500, {});
    assert.deepEqual({ there, back }, { there: 500, back: 500 });
  });

  test('loses packets in both directions, each for itself', async () => {
    const { there, back } = await probe.send(link, 3000, { lossShare: 0.3 });
    isShareOf(there, 3000, 0.7);
    isShareOf(back, there, 0.7);
  });

  for (const only of ['in', 'out'] as const) {
    test(`loses packets ${only === 'in' ? 'to' : 'from'} the other side only`, async () => {
      const { there, back } = await probe.send(link, 1000, { lossShare: 0.3, only });
      isShareOf(only === 'in' ? there : back, 1000, 0.7);
      assert.equal(only === 'in' ? back : there, only === 'in' ? there : 1000);
    });
  }

  test('loses everything in one direction', async () => {
    const { there, back } = await probe.send(link, 100, { lossShare: 1, only: 'out' });
    assert.deepEqual({ there, back }, { there: 100, back: 0 });
  });

  test('is late in each direction, by no less than it was told', async () => {
    const { back, roundTripsMs } = await probe.send(link, 200, { delayMs: 40 });
    assert.equal(back, 200);
    assert.ok(Math.min(...roundTripsMs) >= 80, `${Math.min(...roundTripsMs)}`);
    const once = await probe.send(link, 200, { delayMs: 40, only: 'in' });
    const soonest = Math.min(...once.roundTripsMs);
    assert.ok(soonest >= 40 && soonest < 80, `${soonest}`);
  });
});
