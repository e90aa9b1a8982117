// Gives out what can be given: whose turn it is, which of its jobs go together, to whom, and whether it is better to wait.
// Everything is decided as late as it can be; the time at which to look again comes back.
import type { BatchPolicy } from '../../proto/batching.js';
import { type Effect, send } from '../effects.js';
import { formBatch } from '../lane/batch.js';
import { CostTable } from '../lane/cost.js';
import type { Lane } from '../lane/lane.js';
import type { LaneView } from '../lane/policy.js';
import type { Waiting } from '../lane/queue.js';
import { type Candidate, chooseWorker } from './choice.js';
import type { Member } from './crew.js';
import type { Registry } from './registry.js';
import type { SchedulerSettings } from './scheduler.js';
import type { Share } from './shares.js';
import type { Transport } from './transport.js';
import type { Turns } from './turns.js';
import type { WorkerRecord } from './workers.js';

/** Of those who only wait to keep away from one worker so many are set aside in one go, for those behind them. */
const asideMax = 16;
/** A worker is given its next batch so long before it is expected to be free, that it need not wait for it. */
const leadLeastMs = 0.5;

/** While one that is free is passed over for another: so often it is thought over. */
const lookAgainLeastMs = 1;
const lookAgainMostMs = 50;
/** Where several would do, one gets so many batches in a row: what it needs for them is in the caches still. */
const warmMost = 4;
const tiredFrom = 8;
/** After so many runs its own word counts for more than what was measured when it started. */
const triesLeast = 3;
/** A timer may come so late. */
const timerMs = 1;
/** A way that nobody went yet may take so long. */
const unknownWayMs = 10;

/** A worker that nobody wants for what it is said to cost gets one job after so many times that, to prove it. */
const trialTimes = 20;

interface Option extends Candidate {
  readonly worker: WorkerRecord;
  readonly share: Share;
}

type Fate = 'sent' | 'waits' | 'held';

export class Dispatcher {
  private readonly registry: Registry;
  private readonly turns: Turns;
  private readonly settings: SchedulerSettings;
  /** Filled anew for each question. */
  private readonly view = {
    rows: 0,
    headRows: 0,
    headDeadline: 0,
    headArrivedAt: 0,
    workers: 0,
    arrivalRowsPerMs: 0,
    budgetMs: 0,
    cost: new CostTable(),
    rowsMax: 1,
    preferred: [] as readonly number[],
    delayMostMs: 0,
    transportMs: 0,
    idle: 0,
    overrunMs: 0,
    marginMs: 0,
  };
  private readonly aside: [Lane, Waiting][] = [];
  private batchNumber = 0;
  private chosen = 0;
  /** Who had the latest batch, and how many in a row. */
  private last: WorkerRecord | undefined;
  private inARow = 0;
  private wakeAt = Number.POSITIVE_INFINITY;
  private out: Effect[] = [];

  constructor(registry: Registry, turns: Turns, settings: SchedulerSettings) {
    this.registry = registry;
    this.turns = turns;
    this.settings = settings;
  }

  /** Adds what is to be said to `out`; when to look again if nothing changes until then. */
  run(lanes: Iterable<Lane>, out: Effect[], now: number): number {
    this.out = out;
    this.wakeAt = Number.POSITIVE_INFINITY;
    const order = this.turns.order(lanes);
    while (order.length > 0) {
      const lane = order[0] as Lane;
      const isSent = this.sendOne(lane, now);
      if (!isSent || lane.queue.count === 0) order.shift();
      else this.turns.reorder(order);
    }
    for (const [lane, entry] of this.aside.splice(0)) lane.queue.add(entry);
    return this.wakeAt;
  }

  /** False when nothing more of this lane can be sent now. */
  private sendOne(lane: Lane, now: number): boolean {
    for (const head of lane.queue.heads()) {
      const fate = this.consider(lane, head, now);
      if (fate === 'sent') return true;
      if (fate === 'waits' || head.avoid === '' || this.aside.length === asideMax) continue;
      lane.queue.remove(head);
      this.aside.push([lane, head]);
      return true;
    }
    return false;
  }

  private consider(lane: Lane, head: Waiting, now: number): Fate {
    const rowsWaiting = head.strand?.rows ?? head.rows;
    const options = this.options(lane, head, rowsWaiting, now);
    const { choice } = lane.batching;
    const rowsAtOnce = Math.max(1, Math.min(rowsWaiting, options[0]?.share.rowsMax ?? 1));
    const best = chooseWorker(options, choice || this.settings.choice, rowsWaiting, rowsAtOnce);
    if (best === undefined) {
      if (this.tryIdle(lane, head, options, now)) return 'sent';
      this.lookAgain(options, now);
      return 'held';
    }
    let rowsMost = head.rows;
    if (head.company === 'any') {
      const { planner } = best.worker.outlook(lane.key, head.shapeKey);
      const policy = this.policyOf(lane, now);
      const view = this.viewOf(lane, head, best, options, policy, now);
      const planned = planner.next(policy, view, now);
      if (planned.at > now) {
        this.wakeAt = Math.min(this.wakeAt, planned.at);
        return 'waits';
      }
      rowsMost = Math.max(planned.rowsMost, head.rows);
    }
    const waiting = lane.queue.count;
    this.send(lane, head, best, options, rowsMost, now);
    if (lane.queue.count < waiting) return 'sent';
    this.lookAgain(options, now);
    return 'held';
  }

  /** Somebody is free and another is waited for: that may look otherwise soon, also when nothing is heard meanwhile. */
  private lookAgain(options: readonly Option[], now: number): void {
    const open = options.find((option) => option.open);
    if (open === undefined) return;
    const pauseMs = Math.min(lookAgainMostMs, Math.max(lookAgainLeastMs, open.costMs / 4));
    this.wakeAt = Math.min(this.wakeAt, now + pauseMs);
  }

  /** An estimate that keeps all work away would never be proved wrong. */
  private tryIdle(lane: Lane, head: Waiting, options: readonly Option[], now: number): boolean {
    for (const option of options) {
      const { worker, share, open, detourMs } = option;
      // A long way is forgotten by itself.
      if (!open || detourMs > 0) continue;
      const longestMs = worker.outlook(lane.key, head.shapeKey).cost.high(head.rows);
      const isLongIdle = worker.idleMs(share.place, now) > trialTimes * longestMs;
      const isInTime = now + longestMs + worker.transport.highMs < head.deadline;
      if (!isLongIdle || !isInTime || head.company !== 'any') continue;
      this.send(lane, head, option, options, head.rows, now);
      return head.strand === undefined;
    }
    return false;
  }

  /** Where other lanes want the same workers, one that is kept free for a batch to come would soon be another's. */
  private policyOf(lane: Lane, now: number): BatchPolicy {
    const { policy } = lane.batching;
    return policy === 'auto' && this.turns.contended(lane, this.registry.crew(lane.key, lane.batching), now)
      ? 'edf'
      : policy;
  }

  private viewOf(
    lane: Lane,
    head: Waiting,
    { worker, share, freeAt }: Option,
    options: readonly Option[],
    policy: BatchPolicy,
    now: number,
  ): LaneView {
    const { view } = this;
    view.idle = 0;
    for (const other of options) {
      if (other.open && other.inTime && other.worker.isIdle(other.share.place)) view.idle++;
    }
    const crew = this.registry.crew(lane.key, lane.batching);
    view.rows = head.strand?.rows ?? head.rows;
    view.headRows = head.rows;
    view.headDeadline = head.deadline;
    view.headArrivedAt = head.arrivedAt;
    view.workers = crew.length * this.turns.shareOf(lane, crew, now);
    view.arrivalRowsPerMs = lane.demand.rowsPerMs(now);
    view.budgetMs = lane.demand.budgetMs;
    view.cost = worker.outlook(lane.key, head.shapeKey).cost;
    view.rowsMax = share.rowsMax;
    view.preferred = lane.batching.preferred;
    view.delayMostMs = lane.batching.delayMostMs;
    view.marginMs = marginMs(worker.transport, policy);
    view.overrunMs = worker.overrunMs(share.place, now);
    // It starts when the worker is done with what it has.
    view.transportMs = worker.transport.usualMs + Math.max(0, freeAt - now);
    return view;
  }

  private send(
    lane: Lane,
    head: Waiting,
    { worker, share, freeAt }: Option,
    options: readonly Option[],
    rowsMax: number,
    now: number,
  ): void {
    const outlook = worker.outlook(lane.key, head.shapeKey);
    const { cost } = outlook;
    let fastest = cost;
    for (const other of options) {
      const theirs = other.worker.outlook(lane.key, head.shapeKey).cost;
      if (theirs.mean(1) < fastest.mean(1)) fastest = theirs;
    }
    const isAlone = lane.queue.count === 1;
    const beginsAt = freeAt + worker.transport.usualMs;
    const coming = this.comingCost(lane, head.shapeKey);
    const seat = { worker: worker.id, rowsMax, cost, beginsAt, fastest, coming };
    const formed = formBatch(lane.queue, head, seat, now);
    // Nothing was to be done but this, and it wasn't for what a run is said to cost: were that wrong, who would know?
    if (isAlone && lane.queue.count === 0 && formed.members.length === 0 && head.deadline > now) cost.doubt();
    const first = formed.members[0];
    if (first === undefined) return;
    const batch = ++this.batchNumber;
    const jobs = formed.members.map((member) => member.job);
    const attempts = formed.members.map((member) => member.attempt);
    const { place } = share;
    const { rows } = formed;
    const costMs = cost.mean(rows);
    const assigned = {
      batch,
      router: first.router,
      lane: lane.key,
      cost,
      outlook,
      place,
      rows,
      jobs,
      attempts,
      assignedAt: now,
      costMs,
      first: worker.isIdle(place),
      missing: 0,
    };
    this.registry.give(worker, assigned, now);
    worker.lastChosen = ++this.chosen;
    this.inARow = worker === this.last ? this.inARow + 1 : 1;
    this.last = worker;
    this.turns.charge(lane, { worker, share }, costMs, now);
    this.out.push(
      send(first.router, {
        type: 'batch.assign',
        batch,
        worker: worker.id,
        epoch: worker.epoch,
        solo: first.company === 'solo',
        jobs,
        attempts,
        costMs: cost.high(rows),
        transportMs: worker.transport.highMs,
      }),
    );
  }

  /** What it costs where its model is being loaded: where that is fastest, and nothing where nobody knows. */
  private comingCost({ key, batching }: Lane, shapeKey: string): CostTable | undefined {
    let least: CostTable | undefined;
    for (const worker of this.registry.loaders(key, batching)) {
      const { cost } = worker.outlook(key, shapeKey);
      if (least === undefined || cost.mean(1) < least.mean(1)) least = cost;
    }
    return least;
  }

  private options(lane: Lane, head: Waiting, rowsWaiting: number, now: number): Option[] {
    const options: Option[] = [];
    let avoided: Option | undefined;
    const crew = this.registry.crew(lane.key, lane.batching);
    const nearestMs = nearestOf(crew, now);
    for (const { worker, share, preferred } of crew) {
      const { place, rowsMax } = share;
      const freeAt = worker.freeFrom(place, now);
      const leadMs = Math.max(leadLeastMs, worker.transport.usualMs);
      const isSoonFree = worker.isIdle(place) || freeAt - leadMs <= now;
      const hasCredit = worker.hasCredit(place);
      if (hasCredit && !isSoonFree) this.wakeAt = Math.min(this.wakeAt, freeAt - leadMs);
      const rows = Math.min(rowsWaiting, rowsMax);
      const { cost, runs } = worker.outlook(lane.key, head.shapeKey);
      const runMs = cost.mean(rows);
      const option: Option = {
        worker,
        share,
        open: hasCredit && isSoonFree,
        inTime: freeAt + worker.transport.usualMs + cost.high(head.rows) <= head.deadline,
        preferred,
        rowsHeld: worker.rowsHeld,
        freeAt,
        costMs: runMs + worker.handicapMs,
        detourMs: detourMs(worker.transport.latestMs(now), nearestMs, worker.credits[place] * runMs),
        warm: worker === this.last && this.inARow < warmMost,
        tired: worker === this.last && this.inARow >= tiredFrom,
        untried: runs < triesLeast,
        lastChosen: worker.lastChosen,
      };
      if (worker.id === head.avoid) avoided = option;
      else options.push(option);
    }
    if (avoided !== undefined && options.length === 0) options.push(avoided);
    return options;
  }
}

function nearestOf(crew: readonly Member[], now: number): number {
  let nearestMs = Infinity;
  for (const { worker } of crew) nearestMs = Math.min(nearestMs, worker.transport.latestMs(now));
  return nearestMs;
}

/** `heldMs`: it may have waited there for what another scheduler had given the worker, which is no matter of the way. */
function detourMs(wayMs: number, nearestMs: number, heldMs: number): number {
  const moreMs = wayMs - nearestMs - heldMs;
  return moreMs < nearestMs ? 0 : moreMs;
}

/**
 * Its deadline was told a way ago, no way is always the usual one, and timers are late: the more to be reckoned with the
 * more of its jobs a policy lets wait until the last moment.
 */
function marginMs({ known, usualMs, highMs }: Transport, policy: BatchPolicy): number {
  const always = policy === 'deferred';
  if (!known) return always ? Number.POSITIVE_INFINITY : unknownWayMs;
  return (always ? timerMs * 2 : timerMs) + highMs * 1.5 - usualMs;
}
