// The models of one worker: each with its chart, where it runs, what its runs cost and what schedulers are told of it.
// One that is listed no more goes once every scheduler has let it go. One that is listed again before that stays; after it,
// or where it is to take over, it goes first and is loaded anew.
import { type MemberId, modelKey } from '../../proto/ids.js';
import type { Place, Said, ShareState } from '../../proto/messages.js';
import { type Chart, startChart } from '../chart.js';
import type { Fact, Golden, ListedModel } from '../facts.js';
import { shareMachine } from '../share/share.machine.js';

type Told = Said<'model.described'> | Said<'costs.measured'> | Said<'share.changed'>;

/** Conditions that schedulers need not tell apart. */
const toldStates: Readonly<Record<string, ShareState>> = {
  leaving: 'unloaded',
  emptying: 'unloaded',
  clearing: 'yielding',
  recalled: 'loading',
};

export class WorkerShare {
  readonly listed: ListedModel;
  readonly chart: Chart = startChart(shareMachine);
  place: Place = 'thread';
  rowsMax = 1;
  runMs = 0;
  reason = '';
  golden: Golden = 'none';
  /** In words. */
  runsOn = '';
  /** Rows and milliseconds of the runs that were made to find out what they cost. */
  costs: readonly (readonly [number, number])[] = [];
  /** It is to take over from another: it is not asked to make room. */
  pinned: boolean;
  /** Listed no more, while it makes room for others. */
  isDelisted = false;
  /** Its files are others by now: it can't be loaded any more. */
  isStale = false;
  /** It was ready, and was not asked to make room since. */
  hasServed = false;
  loadingSince = 0;
  loadMs = 0;
  readyAt = 0;
  /** When a batch of it came last, or was over. */
  usedAt = 0;
  /** The schedulers from which nothing more comes for it. */
  readonly dismissedBy = new Set<MemberId>();

  constructor(listed: ListedModel) {
    this.listed = listed;
    this.pinned = listed.load === 'now';
  }

  get memoryMb(): number {
    return this.listed.memoryMb ?? 0;
  }

  get ready(): boolean {
    return this.chart.has('ready');
  }

  get runMaxMs(): number {
    return this.listed.runMaxMs;
  }

  /** Everything that a scheduler is to know of it; its state comes last, so that a ready one is known in full. */
  toldAs(epoch: number): Told[] {
    const { model, version } = this.listed;
    const { place, rowsMax, runMs, reason, costs, runsOn } = this;
    const of = { epoch, model, version };
    const told: Told[] = [{ type: 'model.described', ...of, ...this.listed.batching }];
    if (costs.length > 0) told.push({ type: 'costs.measured', ...of, runs: costs });
    const { state: own } = this.chart;
    const state = toldStates[own] ?? (own as ShareState);
    told.push({ type: 'share.changed', ...of, state, place, rowsMax, runMs, reason, runsOn });
    return told;
  }
}

export class Shares {
  private readonly shares = new Map<string, WorkerShare>();
  /** Listed anew while what they are called by still goes. */
  private readonly returning = new Map<string, ListedModel>();

  all(): IterableIterator<WorkerShare> {
    return this.shares.values();
  }

  get(model: string, version: string): WorkerShare | undefined {
    return this.shares.get(modelKey(model, version));
  }

  /** The shares that are new, those that are to take over and are there already, and those that stay or go other than was told. */
  list(models: readonly ListedModel[]): {
    readonly fresh: WorkerShare[];
    readonly wanted: WorkerShare[];
    readonly changed: WorkerShare[];
  } {
    const fresh: WorkerShare[] = [];
    const again: WorkerShare[] = [];
    const changed: WorkerShare[] = [];
    const wanted = new Set<string>();
    this.returning.clear();
    for (const model of models) {
      if (model.broken !== '') continue;
      const key = modelKey(model.model, model.version);
      wanted.add(key);
      const share = this.shares.get(key);
      if (share === undefined) fresh.push(this.add(key, model));
      else if (model.load !== 'now' && this.stay(share)) changed.push(share);
      else if (share.chart.has('going')) this.returning.set(key, model);
      else {
        share.isDelisted = false;
        share.isStale = false;
        share.pinned = model.load === 'now';
        if (share.chart.state === 'fading') share.chart.move('rest');
        if (share.pinned) again.push(share);
      }
    }
    for (const [key, share] of this.shares) if (!wanted.has(key) && this.retire(share)) changed.push(share);
    return { fresh, wanted: again, changed };
  }

  /** What can be used and is to stay, and what goes for good, as its node knows them. */
  listed(): { readonly has: string[]; readonly leaving: string[] } {
    const has: string[] = [];
    const leaving: string[] = [];
    for (const [key, { chart }] of this.shares) {
      if (chart.has('going')) leaving.push(key);
      else if (chart.has('ready')) has.push(key);
    }
    return { has, leaving };
  }

  loaded(fact: Extract<Fact, { type: 'model.loaded' }>, now: number): WorkerShare | undefined {
    const share = this.get(fact.model, fact.version);
    if (share === undefined) return undefined;
    share.loadMs = now - share.loadingSince;
    share.readyAt = now;
    share.hasServed = true;
    share.usedAt = now;
    share.place = fact.place;
    share.rowsMax = fact.rowsMax;
    share.runMs = fact.runMs;
    share.costs = fact.costs;
    share.golden = fact.golden ?? 'none';
    share.runsOn = fact.runsOn ?? '';
    share.chart.move('ready');
    return share;
  }

  failed(fact: Extract<Fact, { type: 'model.failed' }>): WorkerShare | undefined {
    const share = this.get(fact.model, fact.version);
    if (share === undefined) return undefined;
    share.reason = fact.reason;
    // What it takes over from serves until it can be loaded; what serves waits for what takes over.
    share.isStale = fact.stale === true && !share.pinned && share.chart.can('rest');
    share.chart.move(share.isStale ? 'rest' : 'fail');
    this.dropStale(share);
    return share;
  }

  /** Those that wait for the schedulers' word. */
  *dismissible(): Iterable<WorkerShare> {
    for (const share of [...this.shares.values()]) if (share.chart.has('dismissible')) yield share;
  }

  /** Those that wait for the end of what they run. */
  *emptying(): Iterable<WorkerShare> {
    for (const share of [...this.shares.values()])
      if (share.chart.state === 'emptying' || share.chart.state === 'clearing') yield share;
  }

  /** Forgets one that has gone: what was listed under its name meanwhile is now to be loaded. */
  remove(share: WorkerShare): WorkerShare | undefined {
    const { model, version } = share.listed;
    const key = modelKey(model, version);
    this.shares.delete(key);
    const next = this.returning.get(key);
    this.returning.delete(key);
    return next === undefined ? undefined : this.add(key, next);
  }

  private add(key: string, model: ListedModel): WorkerShare {
    const share = new WorkerShare(model);
    this.shares.set(key, share);
    return share;
  }

  /** Who waits for it to take over goes by the schedulers, which can't tell one that stays from one that is about to go. */
  private stay(share: WorkerShare): boolean {
    if (share.chart.state !== 'retiring' || !share.chart.move('stay')) return false;
    share.isDelisted = false;
    share.dismissedBy.clear();
    return true;
  }

  private retire(share: WorkerShare): boolean {
    const { chart } = share;
    share.isDelisted = true;
    share.pinned = false;
    if (!chart.can('retire') || !chart.move('retire')) return false;
    this.dropStale(share);
    return true;
  }

  /** Nobody need wait for what can't be loaded once more. */
  private dropStale({ chart, isStale }: WorkerShare): void {
    if (isStale && chart.state === 'fading') chart.move('dismiss');
  }
}
