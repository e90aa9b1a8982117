// A node that is asked to stop while it starts waits for no NATS that does not answer, whatever of its company is there by then.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { Router } from '../../actors/router/router.js';
import { loadConfig } from '../../runtime/config/load.js';
import type { Log } from '../../runtime/log.js';
import { Shelf } from '../../runtime/models/shelf.js';
import { Catalogue } from '../../runtime/node/catalogue.js';
import { Company } from '../../runtime/node/company.js';
import { NodeEngine } from '../../runtime/node/engine.js';
import { Keeper } from '../../runtime/node/keeper.js';
import { planOf } from '../../runtime/node/plan.js';
import { routerLimits } from '../../runtime/node/wiring.js';
import { Children } from '../../runtime/supervise/children.js';
import { Scratch } from '../processes/harness.js';

/** For longer than any test may take. */
const natsWaitMs = 600_000;
/** Less than a node gives the store of models at its start. */
const atOnceMs = 4000;
const log = { debug() {}, info() {}, warn() {}, error() {} } as unknown as Log;

describe('a node is asked to stop while NATS does not answer', () => {
  const scratch = new Scratch();
  const sockets = new Set<Socket>();
  let silent: Server;

  before(async () => {
    silent = createServer((socket) => void sockets.add(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
  });
  after(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
    scratch.remove();
  });

  /** What a start does with its company; `hurry` is asked before that step. */
  async function begin(hurryBefore: 'enter' | 'share' | 'start' | 'meanwhile'): Promise<void> {
    const { port } = silent.address() as { port: number };
    const args = ['--role', 'router,scheduler,worker', '--nats', `nats://127.0.0.1:${port}`];
    args.push('--nats-wait-ms', String(natsWaitMs), '--endpoint', scratch.endpoint());
    args.push('--cache-folder', scratch.path('cache'));
    const { config } = loadConfig(args, {});
    const plan = planOf(config);
    const shelf = new Shelf(scratch.path('none'), log);
    const catalogue = new Catalogue([]);
    const router = new Router(routerLimits(config), 0);
    const engine = new NodeEngine(plan.self.id, router, catalogue);
    const conditionOf = router.condition.bind(router);
    const keeper = new Keeper(catalogue, { shelf, log, atOnce: false, conditionOf, announce() {} });
    const children = new Children(
      () => {},
      () => {},
    );
    const around = { config, plan, log, children, shelf };
    const company = new Company({ ...around, state: () => 'starting', member: () => undefined });
    if (hurryBefore === 'enter') company.hurry();
    company.enter(catalogue, engine);
    if (hurryBefore === 'share') company.hurry();
    await company.share(catalogue, keeper, engine);
    if (hurryBefore === 'start') company.hurry();
    const started = company.start();
    if (hurryBefore === 'meanwhile') company.hurry();
    await started;
    await company.stop();
  }

  for (const step of ['enter', 'share', 'start', 'meanwhile'] as const) {
    test(`its start ends at once where that comes ${step === 'meanwhile' ? step : `before "${step}"`}`, async () => {
      const startedAt = performance.now();
      await begin(step);
      assert.ok(performance.now() - startedAt < atOnceMs);
    });
  }
});
