// Whether a job that comes can be answered in time beside those that wait already, and who gives way when it is more
// urgent than they. Nothing is taken that could only be late, and every refusal says the numbers behind it.
import type { Said } from '../../proto/messages.js';
import type { Lane } from '../lane/lane.js';
import { Projection } from '../lane/projection.js';
import type { Waiting } from '../lane/queue.js';
import type { Member } from './crew.js';
import type { Registry } from './registry.js';
import type { Turns } from './turns.js';
import type { Outlook } from './workers.js';

export type Refusal = Omit<Said<'job.refused'>, 'type' | 'job' | 'attempt'>;

const retryLeastMs = 1;
const retryMostMs = 60_000;
const fullRetryMs = 100;
/** A job that has less than this part of the usual time is a tight one; so much of the workers' time is theirs. */
const tightPart = 0.8;
const tightShare = 0.1;
/** A projection is made anew after this, even when nothing happened. */
const freshMs = 1;
/** So many kinds of jobs of one lane are kept a projection for. */
const outlinesMost = 16;
/** A shorter wait for a worker is not worth a word. */
const shownFromMs = 1;
/** Many may be refused in one moment: together they doubt an estimate once. */
const doubtMs = 100;
/** So many give way in one go at most. */
const displacedMost = 256;

/** What can be expected of one kind of jobs: of whom it was made, and when. */
class Outline {
  readonly projection = new Projection();
  stamp = -1;
  madeAt = 0;
  doubtedAt = Number.NEGATIVE_INFINITY;
  /** False while there is nobody, or nothing is known of what a run costs. */
  isKnown = false;
  /** Nobody has run such a job yet: its costs are those of other shapes of the model. */
  isGuess = false;
  leastWorth = 1;
  /** When the next tight job may begin a batch however small. */
  tightFrom = Number.NEGATIVE_INFINITY;
}

export class Admission {
  private readonly registry: Registry;
  private readonly turns: Turns;
  private readonly outlines = new Map<Lane, Map<string, Outline>>();

  constructor(registry: Registry, turns: Turns) {
    this.registry = registry;
    this.turns = turns;
  }

  forget(lane: Lane): void {
    this.outlines.delete(lane);
  }

  /** Why it is not taken; undefined when it can be answered in time, or when nothing is known against it. */
  refusalOf(lane: Lane, entry: Waiting, now: number): Refusal | undefined {
    if (entry.company === 'solo') return undefined;
    const outline = this.outlineOf(lane, entry, now);
    // Of what nobody has run yet one is tried.
    if (!outline.isKnown || (outline.isGuess && lane.queue.count === 0)) return undefined;
    const { projection } = outline;
    const { backlog } = lane.queue;
    // Where each runs by itself, there are as many sorts as jobs.
    projection.sorts = Math.max(1, entry.company === 'alone' ? lane.queue.count + 1 : lane.queue.sorts);
    // Who goes before all that waits is not kept from it by what they need.
    projection.leastWorth = backlog.isAllBelow(entry.priority) ? 1 : outline.leastWorth;
    if (projection.fits(entry, backlog, now)) return undefined;
    if (projection.cause === 'worth' && this.mayBeSmall(outline, lane, entry, now)) return undefined;
    if (backlog.hasBelow(entry.priority) && projection.fits(entry, backlog, now, 'equals')) return undefined;
    if (this.hasFreeWorker(lane, entry, now)) return undefined;
    const refusal = refused(projection, lane, entry, now);
    this.doubt(outline, lane, entry, now);
    return refusal;
  }

  /** Jobs with much less time than the others can't wait for a batch that is worth it: a part of the time is theirs. */
  private mayBeSmall(outline: Outline, lane: Lane, entry: Waiting, now: number): boolean {
    const { projection } = outline;
    if (now < outline.tightFrom || entry.deadline - now > tightPart * lane.demand.budgetMs) return false;
    projection.leastWorth = 1;
    const fits = projection.fits(entry, lane.queue.backlog, now);
    projection.leastWorth = outline.leastWorth;
    if (!fits) return false;
    const everyMs = projection.aloneMs(entry.rows) / (tightShare * projection.share * projection.workers);
    outline.tightFrom = now + everyMs;
    return true;
  }

  /** Those who can't be answered in time any more since others of higher priority came. They leave the queue. */
  displaced(lane: Lane, now: number): Waiting[] {
    const first = lane.queue.first();
    const leaving: Waiting[] = [];
    if (first === undefined) return leaving;
    const { isKnown, projection } = this.outlineOf(lane, first, now);
    if (!isKnown) return leaving;
    const { backlog } = lane.queue;
    projection.sorts = Math.max(1, lane.queue.sorts);
    while (leaving.length < displacedMost && !projection.holds(first.priority, backlog, now)) {
      // The walk stands where it met somebody who would be late.
      const entry = lane.queue.firstFrom(backlog.priorityHere, backlog.deadlineHere, mayLeave);
      if (entry === undefined) break;
      lane.queue.remove(entry);
      leaving.push(entry);
    }
    return leaving;
  }

  displacement(lane: Lane, entry: Waiting, now: number): Refusal {
    const leftMs = Math.max(0, entry.deadline - now);
    return {
      code: 'DISPLACED',
      reason:
        `requests of higher priority for ${lane.key} came: beside them it could not be answered in the ` +
        `${shown(leftMs)} ms that it had left (${lane.queue.count} jobs wait)`,
      retryAfterMs: retryAfter(leftMs),
    };
  }

  fullLane(lane: Lane): Refusal {
    const { count, bytes } = lane.queue;
    const reason = `the queue for ${lane.key} holds ${count} jobs and ${bytes} bytes, its bound`;
    return { code: 'QUEUE_FULL', reason, retryAfterMs: fullRetryMs };
  }

  /** With nothing before it the job was refused for what its run alone is said to cost. Were that wrong, who would know? */
  private doubt(outline: Outline, lane: Lane, entry: Waiting, now: number): void {
    if (lane.queue.count > 0 || now - outline.doubtedAt < doubtMs) return;
    outline.doubtedAt = now;
    outline.stamp = -1;
    for (const { worker, share } of this.registry.crew(lane.key, lane.batching)) {
      if (!worker.isIdle(share.place)) continue;
      worker.outlook(lane.key, entry.shapeKey).cost.doubt();
      worker.transport.doubt();
    }
  }

  /** Nobody waits and somebody is idle who would usually be in time: then all that is at stake is the job's own. */
  private hasFreeWorker(lane: Lane, { rows, shapeKey, deadline }: Waiting, now: number): boolean {
    if (lane.queue.count > 0) return false;
    return this.registry.crew(lane.key, lane.batching).some(({ worker, share }) => {
      const hopedMs = worker.outlook(lane.key, shapeKey).cost.hoped(rows) + worker.transport.hopedMs;
      return worker.isIdle(share.place) && now + hopedMs <= deadline;
    });
  }

  private outlineOf(lane: Lane, { shapeKey }: Waiting, now: number): Outline {
    let kinds = this.outlines.get(lane);
    if (kinds === undefined) {
      kinds = new Map();
      this.outlines.set(lane, kinds);
    }
    let outline = kinds.get(shapeKey);
    if (outline === undefined) {
      if (kinds.size === outlinesMost) kinds.clear();
      outline = new Outline();
      kinds.set(shapeKey, outline);
    }
    const { stamp } = this.registry;
    if (outline.stamp !== stamp || now - outline.madeAt >= freshMs) {
      outline.stamp = stamp;
      outline.madeAt = now;
      this.project(outline, lane, shapeKey, now);
    }
    return outline;
  }

  private project(outline: Outline, lane: Lane, shapeKey: string, now: number): void {
    const { projection } = outline;
    const crew = this.registry.crew(lane.key, lane.batching);
    const part = this.turns.shareOf(lane, crew, now);
    const { budgetMs } = lane.demand;
    const rowsPerMs = lane.demand.rowsPerMs(now);
    outline.isKnown = false;
    outline.isGuess = false;
    projection.clear();
    projection.share = part;
    // A longer way than the shortest keeps only its own worker from being done, not the others.
    const wayMs = crew.reduce((least, { worker }) => Math.min(least, worker.transport.highMs), Infinity);
    projection.transportMs = crew.length === 0 ? 0 : wayMs;
    projection.full = 1;
    outline.leastWorth = 1;
    let standIn: Outlook | undefined;
    for (const { worker, share } of crew) {
      let outlook = worker.outlook(lane.key, shapeKey);
      if (!outlook.cost.known) {
        standIn ??= this.standIn(outline, crew, lane, shapeKey);
        if (standIn === undefined) return;
        outlook = standIn;
      }
      const { cost, planner } = outlook;
      const { highMs } = worker.transport;
      const full = planner.full(cost, crew.length * part, budgetMs - highMs, share.rowsMax);
      projection.full = Math.max(projection.full, full);
      outline.leastWorth = Math.max(outline.leastWorth, planner.leastWorth(rowsPerMs));
      projection.add(worker.freeAtBest(share.place, now) + highMs - wayMs, cost);
    }
    outline.isKnown = crew.length > 0;
  }

  /** For a worker of whom nothing is known: the median of the others, or of what other shapes of the model cost. */
  private standIn(
    outline: Outline,
    crew: readonly Member[],
    lane: Lane,
    shapeKey: string,
  ): Outlook | undefined {
    const own = crew.map(({ worker }) => worker.outlook(lane.key, shapeKey));
    const known = own.filter(({ cost }) => cost.known);
    outline.isGuess = known.length === 0;
    if (outline.isGuess) {
      for (const { worker } of crew) {
        const like = worker.outlookLike(lane.key);
        if (like !== undefined) known.push(like);
      }
    }
    known.sort((a, b) => a.cost.mean(1) - b.cost.mean(1));
    return known[known.length >> 1];
  }
}

function refused(projection: Projection, lane: Lane, entry: Waiting, now: number): Refusal {
  const { backlog, count } = lane.queue;
  const before = backlog.ahead(entry.priority, entry.deadline);
  const busyMs = projection.freeInMs(now);
  const busy = busyMs < shownFromMs ? '' : `, of which none is free for ${shown(busyMs)} ms`;
  const crew = `${projection.workers} worker${projection.workers === 1 ? '' : 's'}${busy}`;
  return {
    code: 'OVERLOADED',
    reason:
      `an answer of ${lane.key} would ${against(projection, entry, now)}: ` +
      `${count} jobs wait, ${before} rows of them first, for ${crew}${alone(projection, entry, now)}`,
    retryAfterMs: Math.max(
      retryAfter(projection.drainMs(backlog.rows, now)),
      hopelessMs(projection, entry, now),
    ),
  };
}

function against(projection: Projection, entry: Waiting, now: number): string {
  const takesMs = projection.finishAt - now;
  const budgetMs = entry.deadline - now;
  const deadline = `its deadline is in ${shown(budgetMs)} ms`;
  switch (projection.cause) {
    case 'late':
      return `take about ${shown(Math.max(takesMs, budgetMs + 0.1))} ms and ${deadline}`;
    case 'others': {
      const due = shown(Math.max(0, projection.othersDue - now));
      return (
        `take about ${shown(takesMs)} ms and ${deadline}, but others who were promised theirs would be late for it, ` +
        `the first is due in ${due} ms`
      );
    }
    case 'worth':
      return (
        `take about ${shown(takesMs)} ms and ${deadline}, but that leaves time only for a batch of ${projection.begun}, ` +
        `and the load needs batches of ${projection.leastWorth}`
      );
  }
}

function alone(projection: Projection, entry: Waiting, now: number): string {
  const aloneMs = hopelessMs(projection, entry, now);
  return aloneMs === 0 ? '' : `; by itself it takes ${shown(aloneMs)} ms: come again with a longer deadline`;
}

/** What its run alone takes, where that is longer than it has even if nobody else were there; else 0. */
function hopelessMs(projection: Projection, { rows, deadline }: Waiting, now: number): number {
  const aloneMs = projection.aloneMs(rows);
  return now + aloneMs <= deadline ? 0 : Math.ceil(aloneMs);
}

function retryAfter(ms: number): number {
  return Math.min(retryMostMs, Math.max(retryLeastMs, Math.ceil(ms)));
}

/** Who comes again may have run already. */
function mayLeave({ attempt }: Waiting): boolean {
  return attempt === 1;
}

function shown(value: number): string {
  return String(Math.round(value * 10) / 10);
}
