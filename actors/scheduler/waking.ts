// Models at rest: one that somebody waits for is loaded by the worker that can spare the room best, and by the others where
// they have room to spare, or where whoever has it is held up for too long, also for those who are refused for that; and a
// worker that makes room for others hears when nothing of a model is on its way there.
import { type Effect, send } from '../effects.js';
import type { Lane } from '../lane/lane.js';
import type { Waiting } from '../lane/queue.js';
import type { Registry } from './registry.js';
import { isAtRest } from './shares.js';
import type { WorkerRecord } from './workers.js';

type Crew = ReturnType<Registry['crew']>;

/** A wish is said again, for it may have been lost, and the worker forgets it. */
const againUsualMs = 200;
/** A model that is served already is offered to others so many times as seldom. */
const spareTimes = 5;

interface Wish {
  /** Who is to make room; undefined where others serve. */
  worker: WorkerRecord | undefined;
  at: number;
  /** Until then it is kept though nobody waits: it was said for somebody who was refused. */
  until: number;
}

export class Waking {
  private readonly registry: Registry;
  private readonly againMs: number;
  private readonly wishes = new Map<Lane, Wish>();

  constructor(registry: Registry, againMs = againUsualMs) {
    this.registry = registry;
    this.againMs = againMs;
  }

  review(lanes: ReadonlyMap<string, Lane>, out: Effect[], now: number): void {
    for (const [lane, { until }] of this.wishes)
      if (lane.queue.count === 0 && now >= until) this.wishes.delete(lane);
    if (!this.registry.hasRest) return;
    const { hasYielding } = this.registry;
    for (const lane of lanes.values()) {
      if (lane.queue.count > 0) this.consider(lane, lanes, out, now);
      if (hasYielding) this.letGo(lane, out);
    }
  }

  forget(lane: Lane): void {
    this.wishes.delete(lane);
  }

  /**
   * Those who have its model can't answer it in time: an idle worker is asked to load it. Whether it may wait for that:
   * where nobody waits yet, all that is at stake is its own.
   */
  missed(lane: Lane, entry: Waiting, lanes: ReadonlyMap<string, Lane>, out: Effect[], now: number): boolean {
    const wish = this.wishes.get(lane);
    if (wish !== undefined && now - wish.at < this.againMs) return false;
    const idle = this.restingFor(lane).filter(({ rowsHeld }) => rowsHeld === 0);
    if (idle.length === 0 || this.isComing(lane)) return false;
    if (isHopeless(lane, this.registry.crew(lane.key, lane.batching), entry, now)) return false;
    const worker = this.chosen(settledOf(idle, lane), lanes);
    this.ask(lane, idle, { worker, at: now, until: now + this.againMs }, out);
    return lane.queue.count === 0;
  }

  private consider(lane: Lane, lanes: ReadonlyMap<string, Lane>, out: Effect[], now: number): void {
    const resting = this.restingFor(lane);
    if (resting.length === 0) return;
    const isServed = this.isServed(lane, now) || this.isComing(lane);
    const wish = this.wishes.get(lane);
    const pauseMs = isServed ? this.againMs * spareTimes : this.againMs;
    const settled = settledOf(resting, lane);
    const isKept = isServed || (wish?.worker !== undefined && settled.includes(wish.worker));
    if (wish !== undefined && isKept && now - wish.at < pauseMs) return;
    const worker = isServed ? undefined : isKept ? wish?.worker : this.chosen(settled, lanes);
    this.ask(lane, resting, { worker, at: now, until: now }, out);
  }

  private ask(lane: Lane, resting: readonly WorkerRecord[], wish: Wish, out: Effect[]): void {
    this.wishes.set(lane, wish);
    const { model, version } = lane;
    for (const worker of resting) {
      const must = worker === wish.worker;
      out.push(send(worker.id, { type: 'share.wake', epoch: worker.epoch, model, version, must }));
    }
  }

  /** Who has been asked for least already; of those the one with the model that nobody has asked for longest. */
  private chosen(
    workers: readonly WorkerRecord[],
    lanes: ReadonlyMap<string, Lane>,
  ): WorkerRecord | undefined {
    let best: WorkerRecord | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    let oldest = Number.POSITIVE_INFINITY;
    for (const worker of workers) {
      let asked = 0;
      for (const wish of this.wishes.values()) if (wish.worker === worker) asked++;
      let since = Number.POSITIVE_INFINITY;
      for (const [key, { state }] of worker.shares)
        if (state === 'ready') since = Math.min(since, lanes.get(key)?.askedAt ?? Number.NEGATIVE_INFINITY);
      if (asked > fewest || (asked === fewest && since >= oldest && best !== undefined)) continue;
      best = worker;
      fewest = asked;
      oldest = since;
    }
    return best;
  }

  private restingFor({ key, batching }: Lane): WorkerRecord[] {
    const resting: WorkerRecord[] = [];
    for (const worker of this.registry.trusted()) {
      const share = worker.shares.get(key);
      if (share === undefined || !isAtRest(share) || !worker.takesWork) continue;
      if (batching.needs.every((tag) => worker.tags.has(tag))) resting.push(worker);
    }
    return resting;
  }

  /** Somebody has it, and the first that waits is not late only for what keeps them all from it. */
  private isServed(lane: Lane, now: number): boolean {
    const { key, batching, queue } = lane;
    const crew = this.registry.crew(key, batching);
    const head = queue.first();
    if (crew.length === 0 || head === undefined) return crew.length > 0;
    const isInTime = crew.some(({ worker, share }) => {
      const { cost } = worker.outlook(key, head.shapeKey);
      const beginsAt = worker.freeFrom(share.place, now) + worker.transport.usualMs;
      return beginsAt + cost.high(head.rows) <= head.deadline;
    });
    return isInTime || isHopeless(lane, crew, head, now);
  }

  private isComing({ key, batching }: Lane): boolean {
    return this.registry.loaders(key, batching).length > 0;
  }

  /** Nothing more is sent to who yields; when the last has come back it may unload. */
  private letGo({ key, model, version }: Lane, out: Effect[]): void {
    for (const worker of this.registry.all()) {
      if (worker.shares.get(key)?.state !== 'yielding' || worker.holds(key)) continue;
      worker.dismiss(key);
      out.push(send(worker.id, { type: 'share.dismissed', epoch: worker.epoch, model, version }));
    }
  }
}

/** Its run alone would be late wherever it is known. */
function isHopeless({ key }: Lane, crew: Crew, { shapeKey, rows, deadline }: Waiting, now: number): boolean {
  return crew.every(({ worker }) => now + worker.outlook(key, shapeKey).cost.mean(rows) > deadline);
}

/** Without those who just give the model up, for there others want the room; but where nobody else has it. */
function settledOf(workers: readonly WorkerRecord[], { key }: Lane): readonly WorkerRecord[] {
  const settled = workers.filter(({ shares }) => shares.get(key)?.state !== 'yielding');
  return settled.length > 0 ? settled : workers;
}
