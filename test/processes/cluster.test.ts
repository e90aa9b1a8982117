// The bench `cluster` in small: a router, a scheduler and a worker are killed under load, others are frozen, a node is
// restarted and NATS goes away and comes back, and no client that knows both routers is failed.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Clients } from '../bench/cluster/clients.js';
import { Fleet, type Place } from '../bench/cluster/fleet.js';
import { Losses } from '../bench/cluster/losses.js';
import { freeze, kill, restart, type Stage } from '../bench/cluster/rounds.js';
import { skip } from '../nats/at-hand.js';
import { until } from './harness.js';

describe('a cluster of two routers, two schedulers and two workers under load', { skip }, () => {
  let stage: Stage;
  before(async () => {
    const fleet = await Fleet.start({ nats: 1, routers: 2, schedulers: 2, workers: 2 });
    const losses = new Losses();
    const struck: Stage['struck'] = new Map();
    const clients = new Clients(fleet.of('router'), {
      counts: { unary: 2, rest: 1, streamed: 2 },
      forgives: (router) => struck.get(router) ?? 'nothing',
      told: (told) => losses.told(told),
    }).start();
    stage = { fleet, clients, losses, struck, say: () => {} };
  });
  after(async () => {
    await stage?.clients.stop();
    await stage?.fleet.remove();
  });

  function first(kind: Place['kind']): Place {
    return stage.fleet.of(kind)[0] as Place;
  }

  /** All is answered rightly so far, and goes on being answered. */
  async function serves(): Promise<void> {
    const { clients } = stage;
    const { answered } = clients.now();
    await until('answers', () => clients.now().answered >= answered + 30);
    const { errors, lost, doubles } = clients.now();
    assert.deepEqual(
      { errors, lost, doubles },
      { errors: 0, lost: 0, doubles: 0 },
      clients.errors.join('\n'),
    );
  }

  for (const kind of ['router', 'scheduler', 'worker'] as const) {
    test(`a ${kind} is killed and comes back`, async () => {
      await kill(stage, first(kind));
      await serves();
    });
  }

  for (const kind of ['scheduler', 'worker'] as const) {
    test(`a ${kind} is frozen and thaws`, async () => {
      await freeze(stage, first(kind));
      await stage.fleet.whole();
      await serves();
    });
  }

  test('a router and a worker are restarted', async () => {
    await restart(stage, stage.fleet.of('router')[1] as Place);
    await restart(stage, first('worker'));
    await serves();
  });

  test('NATS is killed, loses what it had and comes back', async () => {
    const [server] = stage.fleet.nats.servers;
    await server?.kill();
    await serves();
    server?.loseData();
    const before = await stage.fleet.beats();
    await server?.start();
    await stage.fleet.whole(undefined, before);
    await serves();
  });
});
