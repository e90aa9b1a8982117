// Our own policy in the light simulator: the cost table, the plan and the projection of actors/, without the scheduler
// around them.

import { Backlog } from '../../../actors/lane/backlog.js';
import { CostTable } from '../../../actors/lane/cost.js';
import { Demand } from '../../../actors/lane/demand.js';
import { Planner } from '../../../actors/lane/policy.js';
import { Projection } from '../../../actors/lane/projection.js';
import { type Cell, rowsMax } from './cells.js';
import type { Engine, Strategy } from './engine.js';

export function ours({ model, workers, sloMs }: Cell): Strategy {
  const cost = new CostTable();
  cost.seed([1, 2, 4, 8, 16, 32, 64, 128].map((rows) => [rows, model.meanMs[rows] as number]));
  const planner = new Planner();
  const projection = new Projection();
  const backlog = new Backlog();
  const newcomer = { priority: 0, deadline: 0, rows: 1 };
  const demand = new Demand();
  const view = {
    rows: 0,
    headRows: 1,
    headDeadline: 0,
    headArrivedAt: 0,
    workers,
    arrivalRowsPerMs: 0,
    budgetMs: sloMs,
    cost,
    rowsMax,
    preferred: [],
    delayMostMs: 60_000,
    transportMs: 0,
    idle: 0,
    overrunMs: 0,
    marginMs: 0,
  };
  const take = (engine: Engine, rows: number) => {
    for (let at = engine.head; at < engine.head + rows; at++) {
      backlog.remove(0, (engine.arrivals[at] as number) + sloMs, 1);
    }
    return rows;
  };
  return {
    admit(engine: Engine) {
      demand.arrive(1, sloMs, engine.now);
      view.arrivalRowsPerMs = demand.rowsPerMs(engine.now);
      projection.full = planner.full(cost, workers, sloMs, rowsMax);
      projection.leastWorth = planner.leastWorth(view.arrivalRowsPerMs);
      projection.clear();
      for (let worker = 0; worker < workers; worker++) {
        projection.add(engine.expectedAt[worker] as number, cost);
      }
      newcomer.deadline = engine.now + sloMs;
      if (!projection.fits(newcomer, backlog, engine.now)) return false;
      backlog.add(0, newcomer.deadline, 1);
      return true;
    },
    decide(engine: Engine) {
      view.rows = engine.waiting;
      view.headArrivedAt = engine.oldest;
      view.headDeadline = engine.oldest + sloMs;
      view.arrivalRowsPerMs = demand.rowsPerMs(engine.now);
      const plan = planner.next('auto', view, engine.now);
      if (plan.rowsMost === 0) {
        backlog.remove(0, view.headDeadline, 1);
        engine.head++;
        return engine.waiting > 0 ? this.decide(engine) : 0;
      }
      if (plan.at <= engine.now) return take(engine, Math.min(plan.rowsMost, engine.waiting));
      engine.lookAt = plan.at;
      return 0;
    },
    learn: (rows, ms) => cost.learn(rows, ms),
  };
}
