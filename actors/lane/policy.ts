// When a lane sends its next batch, and how many rows: as its policy has it, within what the most urgent of those who
// wait allows. `auto` gathers no longer than the load needs, so that a lone request goes at once.
import type { BatchPolicy } from '../../proto/batching.js';
import { figure } from '../job/figure.js';
import type { CostTable } from './cost.js';
import { Sizes } from './sizes.js';

/** What a lane looks like to its policy. */
export interface LaneView {
  /** Rows that wait and may share a batch with the head. */
  readonly rows: number;
  readonly headRows: number;
  readonly headDeadline: number;
  readonly headArrivedAt: number;
  /** Workers that serve it; a part of one where other lanes want it too. */
  readonly workers: number;
  /** Of the model's rows, how many came lately. */
  readonly arrivalRowsPerMs: number;
  /** How long a typical job has from its arrival to its deadline. */
  readonly budgetMs: number;
  /** Of the worker that would get the batch. */
  readonly cost: CostTable;
  /** The most that the model takes. */
  readonly rowsMax: number;
  /** Sizes at which a batch is worth sending at once, ascending; empty for none. */
  readonly preferred: readonly number[];
  /** So long the head may wait for others. */
  readonly delayMostMs: number;
  /** There and back. */
  readonly transportMs: number;
  /** How much later than planned a batch may leave and come back. */
  readonly marginMs: number;
  /** How much later than planned the worker may be done with what it has; 0 when it has nothing. */
  readonly overrunMs: number;
  /** Workers that have nothing to do. */
  readonly idle: number;
}

export interface Plan {
  /** How many rows at most; 0: not even the head can be answered in time. */
  rowsMost: number;
  /** Now or before: send now. Later: look again then, or when anything changes. */
  at: number;
}

export interface Chosen {
  readonly policy: Exclude<BatchPolicy, 'auto'>;
  readonly why: string;
}

/** The part of a job's time that gathering leaves unused. */
const slackShare = 0.01;
/**
 * How much more than what arrives the chosen batches must be able to do. Whoever waits for that has an idle worker for the
 * time: the less batches half as large would lose, the less is it worth.
 */
const headroomLeast = 0.8;
const headroomMost = 1.1;
const headroomFrom = 1.1;
const headroomRise = 3;
/** How far from the mean cost to the high one a batch is filled up: a little risk makes larger batches. */
const caution = 0.6;
/** The same for a job that is not admitted yet: until it runs more may come in between, and a promise is a promise. */
export const promiseCaution = 1.5;
/** While the load is less than the workers can do, a queue that grew for a moment is worked off in batches so much larger. */
const stretchMost = 0.35;
const stretchUntil = 1;
const stretchFall = 4;
/** What a batch more costs in messages: for less, what came together is not parted. */
const partLeastMs = 0.1;
/** A batch that gains less is not waited for, says `choose`. */
const gainLeast = 1.25;
/** Under load a batch that can't have this part of what the load needs is not begun with: see `leastWorth`. */
const worthShare = 0.75;
/** Where far more comes than can be done, there are others for whom it pays: so many times that. */
const worthRise = 1.25;

/** One per lane. */
export class Planner {
  private readonly sizes = new Sizes();
  private readonly plan: Plan = { rowsMost: 0, at: 0 };

  /** The answer is overwritten by the next. */
  next(policy: BatchPolicy, view: LaneView, now: number): Plan {
    const { plan } = this;
    const { cost } = view;
    plan.at = now;
    plan.rowsMost = view.rowsMax;
    if (!cost.known) return plan;
    const leftMs = view.headDeadline - now - view.transportMs;
    this.review(view);
    // Whoever was taken is not left out for caution.
    const allowed =
      rowsWithin(cost, leftMs, view.rowsMax, view.headRows, caution) ||
      rowsWithin(cost, leftMs, view.rowsMax, view.headRows, 0);
    if (allowed === 0) plan.rowsMost = 0;
    else if (policy !== 'eager' && isTooEarly(view, allowed, leftMs)) plan.at = now + view.overrunMs;
    else if (policy === 'auto') this.auto(view, allowed, now);
    else if (policy === 'window') this.window(view, allowed, now);
    else if (policy === 'deferred') this.deferred(view, allowed, now);
    else if (policy === 'edf') plan.rowsMost = allowed;
    return plan;
  }

  /** Rows of the batch with which the workers do most while the first row can wait for it. */
  full(cost: CostTable, workers: number, budgetMs: number, rowsMax: number): number {
    if (!cost.known) return rowsMax;
    this.sizes.review(cost, workers, Math.max(0, budgetMs), rowsMax);
    return this.sizes.full;
  }

  /** A job that would begin a smaller batch costs the others more than it brings; 1 without load. After `full`. */
  leastWorth(rowsPerMs: number): number {
    const share = worthShare * Math.min(worthRise, Math.max(1, this.sizes.load(rowsPerMs)));
    return Math.max(1, Math.floor(share * this.sizes.wanted(rowsPerMs, this.sizes.full)));
  }

  /** One worker alone loses nothing by small batches while it is never idle: what comes meanwhile makes the next larger. */
  private get headroom(): number {
    if (this.sizes.crew < 2) return headroomLeast;
    const rise = (this.sizes.gain - headroomFrom) * headroomRise;
    return Math.min(headroomMost, Math.max(headroomLeast, headroomLeast + rise));
  }

  private review({ cost, workers, budgetMs, transportMs, rowsMax }: LaneView): void {
    this.sizes.review(cost, workers, Math.max(0, budgetMs - transportMs), rowsMax);
  }

  private auto(view: LaneView, allowed: number, now: number): void {
    const { plan, sizes } = this;
    const { rows } = view;
    const full = Math.round(sizes.full * this.stretch(view.arrivalRowsPerMs));
    const most = Math.min(allowed, Math.max(view.headRows, full, untried(view)));
    const wanted = sizes.wanted(view.arrivalRowsPerMs * this.headroom, most);
    plan.rowsMost = most;
    if (rows >= wanted)
      plan.rowsMost = Math.max(view.headRows, sizes.cut(Math.min(partOf(view, wanted), most)));
    else if (isPreferred(view, plan)) return;
    else plan.at = sendAt(view, view.budgetMs * slackShare, now);
  }

  /** What is larger than full makes the next batch wait: under lasting overload nothing is won by that. */
  private stretch(rowsPerMs: number): number {
    const over = Math.max(0, this.sizes.load(rowsPerMs) - stretchUntil);
    return 1 + Math.max(0, stretchMost * (1 - over * stretchFall));
  }

  private deferred(view: LaneView, allowed: number, now: number): void {
    this.plan.rowsMost = Math.min(allowed, Math.max(view.headRows, this.sizes.full));
    if (view.rows >= this.plan.rowsMost || isPreferred(view, this.plan)) return;
    this.plan.at = sendAt(view, view.budgetMs * slackShare, now);
  }

  private window(view: LaneView, allowed: number, now: number): void {
    this.plan.rowsMost = allowed;
    if (view.rows >= allowed || isPreferred(view, this.plan)) return;
    this.plan.at = sendAt(view, 0, now);
  }

  /** What `auto` amounts to there just now, in words. After `full`. */
  choose(cost: CostTable, workers: number, rowsPerMs: number): Chosen {
    if (!cost.known) return { policy: 'eager', why: 'no cost is known yet: what waits goes at once' };
    const { full } = this.sizes;
    const gain = (cost.mean(1) * full) / cost.mean(full);
    const costs = `a row alone takes ${figure(cost.mean(1))} ms, ${full} together ${figure(cost.mean(full))} ms`;
    if (gain < gainLeast) {
      return {
        policy: 'edf',
        why: `${costs}: batches gain little (${gain.toFixed(2)}x), none is waited for`,
      };
    }
    const wanted = this.sizes.wanted(rowsPerMs * this.headroom, full);
    if (wanted <= 1) return { policy: 'edf', why: `${costs}: the load needs no batches, none is waited for` };
    const crew = `${Number(workers.toFixed(1))} ${workers === 1 ? 'worker' : 'workers'}`;
    return { policy: 'deferred', why: `${costs}, on ${crew}: the load needs batches of ${wanted} rows` };
  }
}

/** Given before the worker is free a batch saves the way to it; but not where an overrun of what runs would make it late. */
function isTooEarly(view: LaneView, allowed: number, leftMs: number): boolean {
  const { cost, rows, rowsMax, headRows, overrunMs } = view;
  if (overrunMs === 0) return false;
  return rowsWithin(cost, leftMs - overrunMs, rowsMax, headRows, caution) < Math.min(allowed, rows);
}

/** What more rows cost is a guess until they were tried: with enough of them at hand twice as many as ever are. */
function untried({ cost, rows, rowsMax }: LaneView): number {
  const twice = Math.min(rowsMax, 2 * cost.rowsSeen);
  return cost.rowsSeen < rowsMax && rows >= twice ? twice : 0;
}

/**
 * All that wait; but where several workers have nothing to do, each gets a part, as long as the load allows it and the
 * part is done sooner by more than another batch costs.
 */
function partOf({ rows, idle, cost, rowsMax }: LaneView, wanted: number): number {
  if (idle < 2) return rows;
  const part = Math.max(wanted, Math.ceil(rows / idle));
  return cost.mean(Math.min(rows, rowsMax)) - cost.mean(part) < partLeastMs ? rows : part;
}

/** Until then more rows are waited for: no longer than the head can, nor than the owner has it. */
function sendAt(view: LaneView, slackMs: number, now: number): number {
  const longest = view.headArrivedAt + view.delayMostMs;
  return Math.max(now, Math.min(longest, latest(view, view.rows + 1, slackMs)));
}

/** When a batch of so many rows has to leave, so that its head is answered in time. */
function latest(view: LaneView, rows: number, slackMs: number): number {
  return (
    view.headDeadline -
    view.transportMs -
    view.marginMs -
    slackMs -
    view.cost.high(Math.min(rows, view.rowsMax))
  );
}

/** Whether a size that the owner prefers has come together: then the largest such goes. */
function isPreferred({ preferred, rows, headRows }: LaneView, plan: Plan): boolean {
  let most = 0;
  for (const size of preferred) {
    if (size <= rows && size >= headRows && size <= plan.rowsMost) most = Math.max(most, size);
  }
  if (most === 0) return false;
  plan.rowsMost = most;
  return true;
}

/**
 * The most rows, up to `most`, that take no longer than `ms`; 0 when `least` do not. `cautious` 0 goes by mean costs, 1 by
 * high ones.
 */
export function rowsWithin(
  cost: CostTable,
  ms: number,
  most: number,
  least: number,
  cautious: number,
): number {
  const meanMs = ms / (1 + (cost.spread() - 1) * cautious);
  if (cost.mean(least) > meanMs) return 0;
  if (cost.mean(most) <= meanMs) return most;
  let low = least;
  let high = most;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (cost.mean(middle) <= meanMs) low = middle;
    else high = middle;
  }
  return low;
}
