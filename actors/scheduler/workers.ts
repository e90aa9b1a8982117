// The workers that are registered at a scheduler: their epoch, what they can run, the credits they gave and the batches
// that hold them. A credit is out exactly while a batch is on record here.
import type { MemberId } from '../../proto/ids.js';
import type { Place, Said } from '../../proto/messages.js';
import { CostTable } from '../lane/cost.js';
import { Planner } from '../lane/policy.js';
import { CostShape } from '../lane/shape.js';
import { Numbered } from '../numbered.js';
import { isServing, type Share, Shares } from './shares.js';
import { Transport } from './transport.js';

const outlooksMax = 512;
const shapesMax = 4096;
/** So many are dropped in one go when there are too many. */
const outlooksDropped = 64;
/** So many runs that failed for its own fault, with no good one between, make a worker the last choice, for so long each. */
const failuresToDoubt = 2;
const failureMs = 5;
const failuresCounted = 100;
/** A run that is overdue for so long is not expected back any moment. */
const hangsMs = 250;

/** A batch that waits for its worker costs every later one its way: an overrun of fewer ways is put up with. */
const waysSpared = 10;

/** What runs of one model and shape cost on one worker, and what follows for batches there. */
export interface Outlook {
  readonly cost: CostTable;
  readonly planner: Planner;
  /** Runs that it was given, beside those that only measured it. */
  runs: number;
  /** Counts up with every use of any. */
  used: number;
}

export interface Batch {
  readonly batch: number;
  readonly router: MemberId;
  readonly lane: string;
  readonly cost: CostTable;
  readonly outlook: Outlook;
  readonly place: Place;
  readonly rows: number;
  readonly jobs: readonly number[];
  readonly attempts: readonly number[];
  readonly assignedAt: number;
  readonly costMs: number;
  /** Nothing was before it in its place. */
  readonly first: boolean;
  /** How many of the worker's reports did not know of it. */
  missing: number;
}

type Runs = Said<'costs.measured'>['runs'];

/** How costs rise with a batch's rows, by kind of worker, model and shape of the input. */
export class Shapes {
  private readonly known = new Map<string, CostShape>();

  of(device: string, model: string, shapeKey: string): CostShape {
    const key = `${device}\n${model}\n${shapeKey}`;
    let shape = this.known.get(key);
    if (shape === undefined) {
      // Who has one already goes on with it; what is dropped is learned again.
      if (this.known.size === shapesMax) this.known.clear();
      shape = new CostShape();
      this.known.set(key, shape);
    }
    return shape;
  }
}

export class WorkerRecord {
  readonly id: MemberId;
  readonly name: string;
  readonly epoch: number;
  readonly tags: ReadonlySet<string>;
  readonly credits: Record<Place, number>;
  readonly used: Record<Place, number> = { inline: 0, thread: 0 };
  readonly shares = new Shares();
  readonly transport = new Transport();
  readonly batches = new Numbered<Batch>();
  rowsHeld = 0;
  lastChosen = 0;
  leaving = false;
  /** Why it takes nothing; empty while it does. */
  confinedFor = '';
  private readonly freeAt: Record<Place, number> = { inline: 0, thread: 0 };
  private readonly idleSince: Record<Place, number> = { inline: 0, thread: 0 };
  private readonly mayOverrunMs: Record<Place, number> = { inline: 0, thread: 0 };
  private readonly outlooks = new Map<string, Map<string, Outlook>>();
  private readonly measured = new Map<string, Runs>();
  private outlookCount = 0;
  private uses = 0;
  private failures = 0;

  private readonly device: string;
  private readonly costShapes: Shapes;

  constructor(id: MemberId, epoch: number, register: Said<'worker.register'>, costShapes: Shapes) {
    this.id = id;
    this.device = register.device;
    this.costShapes = costShapes;
    this.name = register.name;
    this.epoch = epoch;
    this.tags = new Set([...register.tags, register.device]);
    this.credits = { inline: register.inlineCredits, thread: register.threadCredits };
  }

  get takesWork(): boolean {
    return !this.leaving && this.confinedFor === '';
  }

  /** The share, when the worker has it ready and takes work at all. */
  serving(model: string): Share | undefined {
    const share = this.shares.get(model);
    return share !== undefined && isServing(share) && this.takesWork ? share : undefined;
  }

  /** Whether a batch of the lane is there, or on its way. */
  holds(lane: string): boolean {
    for (const batch of this.batches.values()) if (batch.lane === lane) return true;
    return false;
  }

  /** Nothing more is sent there for it. */
  dismiss(model: string): void {
    const share = this.shares.get(model);
    if (share === undefined) return;
    const state = share.state === 'yielding' ? 'resting' : 'unloaded';
    this.shares.set(model, { ...share, state });
  }

  hasCredit(place: Place): boolean {
    return this.used[place] < this.credits[place];
  }

  isIdle(place: Place): boolean {
    return this.used[place] === 0;
  }

  /** How long it has had nothing to do; 0 while it has. */
  idleMs(place: Place, now: number): number {
    return this.isIdle(place) ? now - this.idleSince[place] : 0;
  }

  /** When what it has is done, at best: what is overdue may be done at any moment, unless it hangs. */
  freeAtBest(place: Place, now: number): number {
    const overdueMs = now - this.freeAt[place];
    return overdueMs > hangsMs ? this.freeFrom(place, now) : Math.max(now, this.freeAt[place]);
  }

  /** When what it has is done. What is overdue is expected to take as long again. */
  freeFrom(place: Place, now: number): number {
    const expected = this.freeAt[place];
    if (expected >= now) return expected;
    return this.used[place] === 0 ? now : now + (now - expected);
  }

  /** How much later it may well be done, where that is far longer than the way of its word; 0 when it has nothing. */
  overrunMs(place: Place, now: number): number {
    if (this.isIdle(place)) return 0;
    const overdueMs = Math.max(0, now - this.freeAt[place]);
    return Math.max(0, this.mayOverrunMs[place] - waysSpared * this.transport.highMs - overdueMs);
  }

  /** A worker that fails at once is not a fast one. */
  get handicapMs(): number {
    return this.failures < failuresToDoubt ? 0 : this.failures * failureMs;
  }

  outlook(model: string, shapeKey: string): Outlook {
    const known = this.outlooks.get(model)?.get(shapeKey);
    if (known !== undefined) {
      known.used = ++this.uses;
      return known;
    }
    if (this.outlookCount === outlooksMax) this.dropOutlooks();
    this.outlookCount++;
    const cost = new CostTable(this.costShapes.of(this.device, model, shapeKey));
    const outlook = { cost, planner: new Planner(), used: ++this.uses, runs: 0 };
    outlook.cost.seed(this.measured.get(model) ?? []);
    const shapes = this.outlooks.get(model) ?? new Map<string, Outlook>();
    this.outlooks.set(model, shapes.set(shapeKey, outlook));
    return outlook;
  }

  /** What is known of another shape of the model, the one that ran or was asked for last: better than nothing. */
  outlookLike(model: string): Outlook | undefined {
    let like: Outlook | undefined;
    for (const outlook of this.outlooks.get(model)?.values() ?? []) {
      if (outlook.cost.known && (like === undefined || outlook.used > like.used)) like = outlook;
    }
    return like;
  }

  /** Shapes without end would fill the memory; of those not seen for longest it is learned again. */
  private dropOutlooks(): void {
    const uses: number[] = [];
    for (const shapes of this.outlooks.values()) for (const { used } of shapes.values()) uses.push(used);
    const oldest = uses.sort((a, b) => a - b)[outlooksDropped - 1] ?? 0;
    for (const [model, shapes] of this.outlooks) {
      for (const [shapeKey, { used }] of shapes) {
        if (used > oldest) continue;
        shapes.delete(shapeKey);
        this.outlookCount--;
      }
      if (shapes.size === 0) this.outlooks.delete(model);
    }
  }

  /** What its own trials gave: where nothing better is known yet. */
  seed(model: string, runs: Runs): void {
    this.measured.set(model, runs);
    for (const { cost } of this.outlooks.get(model)?.values() ?? []) cost.seed(runs);
  }

  give(batch: Batch, now: number): void {
    this.batches.set(batch.batch, batch);
    this.used[batch.place]++;
    this.rowsHeld += batch.rows;
    this.freeAt[batch.place] = Math.max(this.freeAt[batch.place], now) + batch.costMs;
    this.mayOverrunMs[batch.place] = batch.costMs * (batch.cost.spread() - 1);
  }

  /** The credit of a batch comes back; undefined when it is not out. */
  release(number: number, now: number): Batch | undefined {
    const batch = this.batches.get(number);
    if (batch === undefined) return undefined;
    this.batches.delete(number);
    this.used[batch.place]--;
    this.idleSince[batch.place] = now;
    this.rowsHeld -= batch.rows;
    let remaining = 0;
    for (const other of this.batches.values()) if (other.place === batch.place) remaining += other.costMs;
    this.freeAt[batch.place] = now + remaining;
    return batch;
  }

  /** What the end of a batch teaches; `rows` is 0 when it had no good end. `awayMs`: for so long nobody listened here meanwhile. */
  learn(batch: Batch, { rows, computeMs, fault }: Said<'batch.released'>, now: number, awayMs: number): void {
    if (fault) this.failures = Math.min(this.failures + 1, failuresCounted);
    if (rows === 0) return;
    this.failures = 0;
    batch.cost.learn(rows, computeMs);
    batch.outlook.runs++;
    if (batch.first) this.transport.learn(now - batch.assignedAt - computeMs - awayMs, now);
  }
}
