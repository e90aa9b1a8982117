// The models of one worker: each with its chart, where it runs and what schedulers are told of it.
import { modelKey } from '../../proto/ids.js';
import type { Place, Said, ShareState } from '../../proto/messages.js';
import { type Chart, startChart } from '../chart.js';
import type { Fact, ListedModel } from '../facts.js';
import { shareMachine } from '../share/share.machine.js';

export class WorkerShare {
  readonly listed: ListedModel;
  readonly chart: Chart = startChart(shareMachine);
  place: Place = 'thread';
  rowsMax = 1;
  runMs = 0;
  reason = '';

  constructor(listed: ListedModel) {
    this.listed = listed;
  }

  get ready(): boolean {
    return this.chart.has('ready');
  }

  get runMaxMs(): number {
    return this.listed.runMaxMs;
  }

  toldAs(epoch: number): Said<'share.changed'> {
    const { model, version } = this.listed;
    const { place, rowsMax, runMs, reason } = this;
    const state = this.chart.state as ShareState;
    return { type: 'share.changed', epoch, model, version, state, place, rowsMax, runMs, reason };
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

  /** True when it is now to be loaded. */
  list(model: ListedModel): boolean {
    const key = modelKey(model.model, model.version);
    if (this.shares.has(key) || model.broken !== '') return false;
    const share = new WorkerShare(model);
    this.shares.set(key, share);
    return share.chart.move('load');
  }

  loaded(fact: Extract<Fact, { type: 'model.loaded' }>): void {
    const share = this.get(fact.model, fact.version);
    if (share === undefined) return;
    share.place = fact.place;
    share.rowsMax = fact.rowsMax;
    share.runMs = fact.runMs;
    share.chart.move('ready');
  }

  failed(fact: Extract<Fact, { type: 'model.failed' }>): void {
    const share = this.get(fact.model, fact.version);
    if (share === undefined) return;
    share.reason = fact.reason;
    share.chart.move('fail');
  }
}
