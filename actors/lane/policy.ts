// When a lane sends its next batch, and how many rows: as its policy has it, within what the most urgent of those who
// wait allows. `auto` gathers no longer than the load needs, so that a lone request goes at once.
import type { BatchPolicy } from '../../proto/batching.js';
import type { CostTable } from './cost.js';

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
  readonly delayMostMs: number;
  /** There and back. */
  readonly transportMs: number;
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

/** The part of a job's time that batches gathered by `auto` leave for noise of all kinds. */
const slackShare = 0.01;
/** How much faster than the arrivals the chosen batches must run. */
const headroom = 1.1;

/** One per lane: remembers the full batch from one plan to the next. */
export class Planner {
  private readonly plan: Plan = { rowsMost: 0, at: 0 };
  private fullRows = 1;
  private fullFor: CostTable | undefined;
  private fullVersion = 0;
  private fullWorkers = 0;
  private fullBudget = 0;
  private fullMax = 0;

  /** The answer is overwritten by the next. */
  next(policy: BatchPolicy, view: LaneView, now: number): Plan {
    const { plan } = this;
    plan.at = now;
    if (!view.cost.known) {
      plan.rowsMost = view.rowsMax;
      return plan;
    }
    const leftMs = view.headDeadline - now - view.transportMs;
    const allowed = rowsWithin(view.cost, leftMs, view.rowsMax, view.headRows);
    plan.rowsMost = allowed;
    if (allowed === 0) return plan;
    if (policy === 'auto') this.auto(view, allowed, now);
    else if (policy === 'window') this.window(view, allowed, now);
    else if (policy === 'deferred') this.deferred(view, allowed, now);
    else if (policy === 'eager') plan.rowsMost = view.rowsMax;
    return plan;
  }

  /** The batch size at which the workers do most while each batch can still be waited for by its first row. */
  full(cost: CostTable, workers: number, budgetMs: number, rowsMax: number): number {
    if (
      cost !== this.fullFor ||
      Math.abs(cost.version - this.fullVersion) >= 16 ||
      workers !== this.fullWorkers ||
      rowsMax !== this.fullMax ||
      Math.abs(budgetMs - this.fullBudget) > 0.02 * this.fullBudget
    ) {
      this.fullRows = fullBatch(cost, workers, budgetMs, rowsMax);
      this.fullFor = cost;
      this.fullVersion = cost.version;
      this.fullWorkers = workers;
      this.fullBudget = budgetMs;
      this.fullMax = rowsMax;
    }
    return this.fullRows;
  }

  private auto(view: LaneView, allowed: number, now: number): void {
    const { plan } = this;
    const { cost, rows, workers, rowsMax } = view;
    const full = this.full(cost, workers, view.budgetMs - view.transportMs, rowsMax);
    plan.rowsMost = Math.max(view.headRows, Math.min(allowed, full));
    const wanted = wantedBatch(cost, workers, view.arrivalRowsPerMs * headroom, plan.rowsMost);
    if (rows >= wanted) return;
    plan.at = Math.max(now, latest(view, rows + 1, view.budgetMs * slackShare));
  }

  private deferred(view: LaneView, allowed: number, now: number): void {
    const full = this.full(view.cost, view.workers, view.budgetMs - view.transportMs, view.rowsMax);
    this.plan.rowsMost = Math.max(view.headRows, Math.min(allowed, full));
    if (view.rows >= this.plan.rowsMost || isPreferred(view)) return;
    this.plan.at = Math.max(now, latest(view, view.rows + 1, view.budgetMs * slackShare));
  }

  private window(view: LaneView, allowed: number, now: number): void {
    if (view.rows >= allowed || isPreferred(view)) return;
    const sendAt = Math.min(view.headArrivedAt + view.delayMostMs, latest(view, view.rows + 1, 0));
    this.plan.at = Math.max(now, sendAt);
  }
}

/** What `auto` amounts to there, in words. */
export function choosePolicy(
  view: Pick<LaneView, 'cost' | 'workers' | 'arrivalRowsPerMs'>,
  full: number,
): Chosen {
  const { cost, workers } = view;
  if (!cost.known) return { policy: 'eager', why: 'no cost is known yet: what waits goes at once' };
  const one = cost.mean(1);
  const gain = (one * full) / cost.mean(full);
  const costs = `a row alone takes ${one.toFixed(1)} ms, a batch of ${full} ${cost.mean(full).toFixed(1)} ms`;
  if (gain < 1.25) {
    return { policy: 'edf', why: `${costs}: batches gain ${gain.toFixed(2)}x, so none is waited for` };
  }
  const wanted = wantedBatch(cost, workers, view.arrivalRowsPerMs * headroom, full);
  if (wanted <= 1)
    return { policy: 'edf', why: `${costs}; the load needs no batches, so none is waited for` };
  return {
    policy: 'deferred',
    why: `${costs} on ${Number(workers.toFixed(1))} workers: batches gather up to ${wanted} rows, as the load needs`,
  };
}

/** When a batch of so many rows has to leave, so that its head is answered in time. */
function latest(view: LaneView, rows: number, slackMs: number): number {
  return view.headDeadline - view.transportMs - slackMs - view.cost.high(Math.min(rows, view.rowsMax));
}

function isPreferred({ preferred, rows }: LaneView): boolean {
  for (const size of preferred) if (size === rows) return true;
  return false;
}

/** The most rows, up to `most`, that take no longer than `ms`; 0 when `least` do not. */
export function rowsWithin(cost: CostTable, ms: number, most: number, least: number): number {
  const spread = cost.spread();
  if (cost.mean(least) * spread > ms) return 0;
  if (cost.mean(most) * spread <= ms) return most;
  let low = least;
  let high = most;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (cost.mean(middle) * spread <= ms) low = middle;
    else high = middle;
  }
  return low;
}

/** Of staggered workers the one that is free next is so after 1/workers of a batch: so long, and a batch, a row may take. */
function fullBatch(cost: CostTable, workers: number, budgetMs: number, rowsMax: number): number {
  const spread = cost.spread();
  const most = budgetMs / (spread + 1 / Math.max(1, workers));
  let best = 1;
  let bestRate = 0;
  for (let rows = 1; rows <= rowsMax; rows++) {
    const ms = cost.mean(rows);
    if (ms > most) break;
    if (rows / ms >= bestRate) {
      best = rows;
      bestRate = rows / ms;
    }
  }
  return best;
}

/** The smallest batch with which the workers keep up with so many rows per millisecond; `most` when none does. */
function wantedBatch(cost: CostTable, workers: number, rowsPerMs: number, most: number): number {
  const perWorker = rowsPerMs / workers;
  const keepsUp = (rows: number) => rows >= perWorker * cost.mean(rows);
  if (keepsUp(1)) return 1;
  if (!keepsUp(most)) return most;
  let low = 1;
  let high = most;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (keepsUp(middle)) high = middle;
    else low = middle;
  }
  return high;
}
