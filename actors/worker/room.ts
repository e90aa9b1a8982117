// Which models a worker has in memory where that is bounded: who is loaded next, and who makes room for it. Whoever was
// used least recently goes first, nobody before it has earned what its loading took, and nobody while it runs.
import type { WorkerShare } from './shares.js';

export interface RoomSettings {
  /** What models may take here together; 0: whatever they want. */
  readonly memoryMb?: number;
  /** A wish that is not said again for so long is over. */
  readonly wishKeptMs?: number;
  /** What was loaded and has not been used yet is kept for so long. */
  readonly firstUseMs?: number;
}

interface Wish {
  readonly must: boolean;
  readonly until: number;
}

export interface Plan {
  readonly load: readonly WorkerShare[];
  readonly yield: readonly WorkerShare[];
  readonly lookAt: number;
}

const wishKeptUsualMs = 1000;
const firstUseUsualMs = 200;
/** Between two batches of a model that is at work. */
const betweenMs = 10;
/** One that is at work is kept for so many times what its loading took, so that most of the time goes into work. */
const earnedTimes = 4;
const earnedMostMs = 2000;

const nothing: Plan = { load: [], yield: [], lookAt: Number.POSITIVE_INFINITY };

export class Room {
  private readonly memoryMb: number;
  private readonly wishKeptMs: number;
  private readonly firstUseMs: number;
  /** In the order in which they came. */
  private readonly wishes = new Map<WorkerShare, Wish>();

  constructor({ memoryMb = 0, wishKeptMs = wishKeptUsualMs, firstUseMs = firstUseUsualMs }: RoomSettings) {
    this.memoryMb = memoryMb;
    this.wishKeptMs = wishKeptMs;
    this.firstUseMs = firstUseMs;
  }

  /** Somebody waits for it, or it is to take over (`must`: others make room); else it only comes where there is room. */
  wish(share: WorkerShare, must: boolean, now: number): void {
    const before = this.wishes.get(share);
    const until = share.pinned ? Number.POSITIVE_INFINITY : now + this.wishKeptMs;
    this.wishes.set(share, {
      must: must || (before?.must === true && before.until >= now),
      until,
    });
  }

  /** Why it can never be loaded here; empty when it can. */
  lack({ memoryMb }: WorkerShare): string {
    if (this.memoryMb === 0 || memoryMb <= this.memoryMb) return '';
    return `it takes about ${memoryMb} MB, and models may take ${this.memoryMb} MB in a worker (modelMemoryMb)`;
  }

  fits(share: WorkerShare, shares: Iterable<WorkerShare>): boolean {
    return share.memoryMb <= this.freeMb(shares);
  }

  plan(shares: () => Iterable<WorkerShare>, uses: (share: WorkerShare) => boolean, now: number): Plan {
    if (this.wishes.size === 0) return nothing;
    const load: WorkerShare[] = [];
    let freeMb = this.freeMb(shares());
    for (const [share, { must, until }] of this.wishes) {
      if (until < now || !isWaiting(share)) this.wishes.delete(share);
      else if (isAway(share) && share.memoryMb <= freeMb) {
        this.wishes.delete(share);
        load.push(share);
        freeMb -= share.memoryMb;
      } else if (must) return { load, ...this.roomFor(share, freeMb, shares, uses, now) };
      else this.wishes.delete(share);
    }
    return { load, yield: [], lookAt: Number.POSITIVE_INFINITY };
  }

  /** Who yields for it. As long as too few may, nobody does. */
  private roomFor(
    wanted: WorkerShare,
    freeMb: number,
    shares: () => Iterable<WorkerShare>,
    uses: (share: WorkerShare) => boolean,
    now: number,
  ): Pick<Plan, 'yield' | 'lookAt'> {
    let lackMb = wanted.memoryMb - freeMb;
    const candidates: WorkerShare[] = [];
    for (const share of shares()) {
      const { state } = share.chart;
      if (state === 'ready' && !share.pinned && share !== wanted) candidates.push(share);
      else if (share.chart.has('held') && state !== 'ready' && state !== 'loading') lackMb -= share.memoryMb;
    }
    candidates.sort((one, other) => one.usedAt - other.usedAt);
    const yielding: WorkerShare[] = [];
    let lookAt = Number.POSITIVE_INFINITY;
    for (const share of candidates) {
      if (lackMb <= 0) break;
      const isUsed = uses(share);
      const at = this.freeFrom(share, isUsed);
      if (at > now) lookAt = Math.min(lookAt, isUsed ? Math.min(at, now + betweenMs) : at);
      else {
        yielding.push(share);
        lackMb -= share.memoryMb;
      }
    }
    return lackMb > 0 ? { yield: [], lookAt } : { yield: yielding, lookAt: Number.POSITIVE_INFINITY };
  }

  /** From when on it may be asked to yield. */
  private freeFrom({ readyAt, usedAt, loadMs }: WorkerShare, isUsed: boolean): number {
    if (usedAt <= readyAt && !isUsed) return readyAt + this.firstUseMs;
    const earnedAt = readyAt + Math.min(earnedMostMs, earnedTimes * loadMs);
    return isUsed ? earnedAt : Math.min(earnedAt, usedAt + betweenMs);
  }

  private freeMb(shares: Iterable<WorkerShare>): number {
    if (this.memoryMb === 0) return Number.POSITIVE_INFINITY;
    let freeMb = this.memoryMb;
    for (const share of shares) if (share.chart.has('held')) freeMb -= share.memoryMb;
    return freeMb;
  }
}

/** Not in memory at all. */
function isAway({ chart: { state } }: WorkerShare): boolean {
  return state === 'resting' || state === 'fading';
}

function isWaiting(share: WorkerShare): boolean {
  return isAway(share) || share.chart.state === 'yielding' || share.chart.state === 'clearing';
}
