// Which models can be answered right now, from what their schedulers report: behind readiness and behind the refusal of
// a model that no worker could load.
import type { MemberId } from '../../proto/ids.js';
import { modelKey } from '../../proto/ids.js';
import type { Said } from '../../proto/messages.js';
import type { ListedModel } from '../facts.js';
import { ownerOf } from './owner.js';

type Report = Said<'model.reported'>;

export type ModelCondition = Omit<Report, 'type' | 'model' | 'version'>;

/** No worker could load it, and none is about to try. */
export function isUnavailable({ ready, loading, failed, resting }: ModelCondition): boolean {
  return ready === 0 && loading === 0 && resting === 0 && failed > 0;
}

const unknown: ModelCondition = {
  ready: 0,
  loading: 0,
  failed: 0,
  resting: 0,
  reason: '',
  policy: 'auto',
  why: '',
  runsOn: [],
};

export class Coverage {
  private readonly listed = new Map<string, ListedModel>();
  private readonly reports = new Map<MemberId, Map<string, Report>>();

  list(models: readonly ListedModel[]): void {
    this.listed.clear();
    for (const model of models) this.listed.set(modelKey(model.model, model.version), model);
  }

  report(scheduler: MemberId, report: Report): void {
    const reports = this.reports.get(scheduler) ?? new Map<string, Report>();
    const key = modelKey(report.model, report.version);
    // What has gone for good is not remembered.
    if (report.ready + report.loading + report.failed + report.resting === 0 && !this.listed.has(key))
      reports.delete(key);
    else reports.set(key, report);
    this.reports.set(scheduler, reports);
  }

  forget(scheduler: MemberId): void {
    this.reports.delete(scheduler);
  }

  condition(key: string, schedulers: readonly MemberId[]): ModelCondition {
    const listed = this.listed.get(key);
    if (listed !== undefined && listed.broken !== '') {
      return { ...unknown, failed: 1, reason: listed.broken };
    }
    const owner = ownerOf(key, schedulers);
    return (owner === undefined ? undefined : this.reports.get(owner)?.get(key)) ?? unknown;
  }

  /** Why the whole isn't ready, in a sentence; nothing when it is. */
  gap(schedulers: readonly MemberId[]): string | undefined {
    if (schedulers.length === 0) return 'no scheduler is connected';
    let served = 0;
    let serveable = 0;
    for (const [key, model] of this.listed) {
      if (model.broken !== '') continue;
      serveable++;
      const condition = this.condition(key, schedulers);
      if (condition.ready + condition.resting > 0) served++;
      else if (!isUnavailable(condition)) return `no worker has ${key} ready`;
    }
    return serveable > 0 && served === 0 ? 'no model could be loaded by any worker' : undefined;
  }
}
