// How a lane forms its batches at present: its owner's word, or what the costs, the workers and the load make of `auto`.
import type { Lane } from '../lane/lane.js';
import type { Registry } from './registry.js';
import type { Turns } from './turns.js';

/** A choice stands for so long at least: whoever watches is not to be dizzied. */
const standsMs = 500;

const contended = {
  policy: 'edf',
  why: 'other models want the same workers: none is kept free for a batch',
} as const;

/** True when it changed in name, and others should hear of it. */
export function reviewManner(lane: Lane, registry: Registry, turns: Turns, now: number): boolean {
  if (lane.batching.policy !== 'auto') return false;
  const before = lane.manner;
  if (now - lane.mannerSince < standsMs) return false;
  lane.mannerSince = now;
  const head = lane.queue.first();
  const crew = registry.crew(lane.key, lane.batching);
  const first = crew[0];
  if (head === undefined || first === undefined) return false;
  const { cost, planner } = first.worker.outlook(lane.key, head.shapeKey);
  const workers = crew.length * turns.shareOf(lane, crew, now);
  const { rowsMax } = first.share;
  planner.full(cost, workers, lane.demand.budgetMs, rowsMax);
  const chosen = turns.contended(lane, crew, now)
    ? contended
    : planner.choose(cost, workers, lane.demand.rowsPerMs(now));
  lane.manner = chosen;
  return chosen.policy !== before.policy;
}
