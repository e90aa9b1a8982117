// The models of one worker: each with its chart, where it runs, what its runs cost and what schedulers are told of it.
// One that is listed no more goes once every scheduler has let it go; one that is listed again meanwhile comes after that.
import { type MemberId, modelKey } from '../../proto/ids.js';
import type { Place, Said, ShareState } from '../../proto/messages.js';
import { type Chart, startChart } from '../chart.js';
import type { Fact, Golden, ListedModel } from '../facts.js';
import { shareMachine } from '../share/share.machine.js';

type Told = Said<'model.described'> | Said<'costs.measured'> | Said<'share.changed'>;

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
  /** The schedulers from which nothing more comes for it. */
  readonly dismissedBy = new Set<MemberId>();

  constructor(listed: ListedModel) {
    this.listed = listed;
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
    const isGoing = own === 'leaving' || own === 'emptying';
    const state: ShareState = isGoing ? 'unloaded' : (own as ShareState);
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

  /** The shares that are now to be loaded, and those of which something else is to be told. */
  list(models: readonly ListedModel[]): { readonly load: WorkerShare[]; readonly changed: WorkerShare[] } {
    const load: WorkerShare[] = [];
    const wanted = new Set<string>();
    this.returning.clear();
    for (const model of models) {
      if (model.broken !== '') continue;
      const key = modelKey(model.model, model.version);
      wanted.add(key);
      const share = this.shares.get(key);
      if (share === undefined) load.push(this.add(key, model));
      else if (!share.chart.can('load')) this.returning.set(key, model);
    }
    const changed: WorkerShare[] = [];
    for (const [key, share] of this.shares) if (!wanted.has(key) && this.retire(share)) changed.push(share);
    return { load, changed };
  }

  loaded(fact: Extract<Fact, { type: 'model.loaded' }>): WorkerShare | undefined {
    const share = this.get(fact.model, fact.version);
    if (share === undefined) return undefined;
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
    share.chart.move('fail');
    return share;
  }

  *in(state: 'retiring' | 'emptying'): Iterable<WorkerShare> {
    for (const share of [...this.shares.values()]) if (share.chart.state === state) yield share;
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
    share.chart.move('load');
    return share;
  }

  private retire({ chart }: WorkerShare): boolean {
    return chart.can('retire') && chart.move('retire');
  }
}
