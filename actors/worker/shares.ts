// The models of one worker: each with its chart, where it runs, what its runs cost and what schedulers are told of it.
import { modelKey } from '../../proto/ids.js';
import type { Place, Said, ShareState } from '../../proto/messages.js';
import { type Chart, startChart } from '../chart.js';
import type { Fact, ListedModel } from '../facts.js';
import { shareMachine } from '../share/share.machine.js';

type Told = Said<'model.described'> | Said<'costs.measured'> | Said<'share.changed'>;

export class WorkerShare {
  readonly listed: ListedModel;
  readonly chart: Chart = startChart(shareMachine);
  place: Place = 'thread';
  rowsMax = 1;
  runMs = 0;
  reason = '';
  /** Rows and milliseconds of the runs that were made to find out what they cost. */
  costs: readonly (readonly [number, number])[] = [];

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
    const { place, rowsMax, runMs, reason, costs } = this;
    const of = { epoch, model, version };
    const told: Told[] = [{ type: 'model.described', ...of, ...this.listed.batching }];
    if (costs.length > 0) told.push({ type: 'costs.measured', ...of, runs: costs });
    const state = this.chart.state as ShareState;
    told.push({ type: 'share.changed', ...of, state, place, rowsMax, runMs, reason });
    return told;
  }
}

export class Shares {
  private readonly shares = new Map<string, WorkerShare>();

  all(): IterableIterator<WorkerShare> {
    return this.shares.values();
  }

  get(model: string, version: string): WorkerShare | undefined {
    return this.shares.get(modelKey(model, version));
  }

  /** The share when it is now to be loaded. */
  list(model: ListedModel): WorkerShare | undefined {
    const key = modelKey(model.model, model.version);
    if (this.shares.has(key) || model.broken !== '') return undefined;
    const share = new WorkerShare(model);
    this.shares.set(key, share);
    return share.chart.move('load') ? share : undefined;
  }

  loaded(fact: Extract<Fact, { type: 'model.loaded' }>): WorkerShare | undefined {
    const share = this.get(fact.model, fact.version);
    if (share === undefined) return undefined;
    share.place = fact.place;
    share.rowsMax = fact.rowsMax;
    share.runMs = fact.runMs;
    share.costs = fact.costs;
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
}
