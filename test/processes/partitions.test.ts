// A network that parts and heals, on real nodes: a worker cut off, a scheduler that reaches no worker, words that arrive in
// one direction only, and links that are slow or lose packets. No answer comes twice, no job is lost, and afterwards all is
// as it was.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { Clients, type Tally } from '../bench/cluster/clients.js';
import { Fleet, type Place } from '../bench/cluster/fleet.js';
import { Losses } from '../bench/cluster/losses.js';
import { NamespaceGround } from '../bench/cluster/namespaces.js';
import { skip as noNats } from '../nats/at-hand.js';
import type { Faults } from '../network/faults.js';
import { skip as noNamespaces } from '../network/ip.js';
import { skip as noFaults } from '../network/link.js';
import { type LogLine, until } from './harness.js';

const counts = { unary: 3, rest: 1, streamed: 3 };
/** Far above what it takes on a machine with nothing else to do. */
const healedMs = 15_000;
const lossyEnds = 30;

class Stage {
  readonly ground: NamespaceGround;
  readonly fleet: Fleet;
  private readonly losses = new Losses();
  private readonly clients: Clients;

  private constructor(ground: NamespaceGround, fleet: Fleet) {
    this.ground = ground;
    this.fleet = fleet;
    this.clients = new Clients(fleet.of('router'), {
      counts,
      forgives: () => 'nothing',
      told: (told) => this.losses.told(told),
    }).start();
  }

  static async set(): Promise<Stage> {
    const ground = new NamespaceGround((kind) => kind === 'worker' && noFaults === false);
    const fleet = await Fleet.start({ nats: 1, routers: 1, schedulers: 2, workers: 2 }, {}, ground);
    return new Stage(ground, fleet);
  }

  place(name: string): Place {
    return this.fleet.places.find((place) => place.name === name) as Place;
  }

  async answers(count: number): Promise<void> {
    const { answered } = this.clients.now();
    await until(`${count} answers`, () => this.clients.now().answered >= answered + count, 30_000);
  }

  async spoil(faults: Faults, places = this.fleet.of('worker')): Promise<void> {
    await Promise.all(places.map((place) => this.ground.spoil(place, faults)));
  }

  /** So many have been answered or refused. Resolves to how many were answered. */
  async ends(count: number): Promise<number> {
    const before = this.tally();
    const ended = (): number => this.clients.since(before).answered + this.clients.since(before).errors;
    await until(`${count} ends`, () => ended() >= count, 30_000);
    return this.clients.since(before).answered;
  }

  tally(): Tally {
    return this.clients.now();
  }

  errors(): readonly string[] {
    return this.clients.errors;
  }

  /** The worker has answered something that was asked after now. */
  async works(name: string): Promise<void> {
    const since = performance.now();
    await until(`${name} answers`, () => this.losses.lastAnswerOf(name) > since, healedMs);
  }

  async isWholeAgain(): Promise<void> {
    await this.fleet.whole(healedMs);
    await Promise.all([this.works('worker-1'), this.works('worker-2')]);
  }

  /** A line of its log that comes after now. */
  async says(name: string, event: string, member: string): Promise<void> {
    const { node } = this.place(name);
    const from = node.lines.length;
    const isIt = (line: LogLine): boolean =>
      line.event === event &&
      String(line.member).startsWith(`${member}-`) &&
      node.lines.indexOf(line) >= from;
    await node.line(isIt, `${name} says ${event} of ${member}`, healedMs);
  }

  isFlawless(): void {
    const { errors, lost, doubles } = this.clients.now();
    assert.deepEqual(
      { errors, lost, doubles },
      { errors: 0, lost: 0, doubles: 0 },
      this.clients.errors.join('\n'),
    );
  }

  async end(): Promise<void> {
    await this.clients.stop();
    await this.fleet.remove();
  }
}

/** Without it a network that parts is there in the simulator's clusters only. */
const skip = noNats || (noNamespaces && `${noNamespaces}: only the simulator parts networks here`);

describe('a network that parts', { skip }, () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.set();
  });
  after(() => stage?.end());

  test('a worker is cut off: its jobs run elsewhere, and it works again once it can be reached', async () => {
    const { ground } = stage;
    const cut = stage.place('worker-1');
    const lost = stage.says('router-1', 'link.lost', 'worker-1');
    ground.pull(cut);
    await stage.answers(50);
    await lost;
    ground.plug(cut);
    await stage.isWholeAgain();
    stage.isFlawless();
  });

  test('a scheduler reaches no worker any more, but NATS and the router: the other one takes its models', async () => {
    const { ground } = stage;
    const scheduler = stage.place('scheduler-1');
    const workers = stage.fleet.of('worker');
    const lost = Promise.all(workers.map(({ name }) => stage.says('scheduler-1', 'link.lost', name)));
    for (const worker of workers) {
      ground.deafen(scheduler, worker);
      ground.deafen(worker, scheduler);
    }
    await stage.answers(50);
    await lost;
    const found = Promise.all(workers.map(({ name }) => stage.says('scheduler-1', 'link.opened', name)));
    for (const worker of workers) {
      ground.mend(scheduler, worker);
      ground.mend(worker, scheduler);
    }
    await found;
    await stage.isWholeAgain();
    stage.isFlawless();
  });

  test('what the router says to a worker is lost, what it hears from it is not', async () => {
    const { ground } = stage;
    const [router, worker] = [stage.place('router-1'), stage.place('worker-2')];
    const lost = stage.says('router-1', 'link.lost', 'worker-2');
    ground.deafen(router, worker);
    await stage.answers(50);
    await lost;
    ground.mend(router, worker);
    await stage.isWholeAgain();
    stage.isFlawless();
  });

  describe('links that are bad', { skip: noFaults }, () => {
    afterEach(() => stage.spoil({}));

    test('one loses 30 % of its packets: all are answered, and its worker works again once it loses none', async () => {
      const one = [stage.place('worker-1')];
      await stage.spoil({ lossShare: 0.3 }, one);
      await stage.answers(100);
      await stage.spoil({}, one);
      await stage.isWholeAgain();
      stage.isFlawless();
    });

    test('nothing that a worker says arrives, though it hears all: its jobs run elsewhere', async () => {
      const one = [stage.place('worker-2')];
      const lost = stage.says('router-1', 'link.lost', 'worker-2');
      await stage.spoil({ lossShare: 1, only: 'out' }, one);
      await stage.answers(50);
      await lost;
      await stage.spoil({}, one);
      await stage.isWholeAgain();
      stage.isFlawless();
    });

    test('all are 200 ms late in each direction: all are answered, and afterwards all is as it was', async () => {
      await stage.spoil({ delayMs: 200 });
      await stage.answers(20);
      await stage.spoil({});
      await stage.isWholeAgain();
      stage.isFlawless();
    });

    test('all lose 30 % of their packets: whoever is not answered hears why, and afterwards all are answered', async (t) => {
      await stage.spoil({ lossShare: 0.3 });
      const answered = await stage.ends(lossyEnds);
      await stage.spoil({});
      t.diagnostic(`${answered} of ${lossyEnds} answered`);
      await stage.isWholeAgain();
      // What was asked before may have been too late by then.
      await stage.answers(50);
      const { errors } = stage.tally();
      await stage.answers(50);
      const { lost, doubles, errors: errorsNow } = stage.tally();
      assert.deepEqual({ lost, doubles, errors: errorsNow }, { lost: 0, doubles: 0, errors });
      assert.ok(
        stage.errors().every((error) => /deadline|OVERLOADED|WORKERS_LOST/i.test(error)),
        stage.errors().join('\n'),
      );
    });
  });
});
