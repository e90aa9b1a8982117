// Which models can be answered right now, from what their schedulers report: behind readiness and behind the refusal of
// a model that no worker could load.
import type { MemberId } from '../../proto/ids.js';
import { modelKey, versionOf } from '../../proto/ids.js';
import type { Said } from '../../proto/messages.js';
import type { ListedModel } from '../facts.js';
import type { Reach } from './owner.js';

type Report = Said<'model.reported'>;

export type ModelCondition = Omit<Report, 'type' | 'model' | 'version'>;

type Counts = Pick<ModelCondition, 'ready' | 'loading' | 'failed' | 'resting'>;

/** No worker could load it, and none is about to try. */
export function isUnavailable({ ready, loading, failed, resting }: Counts): boolean {
  return ready === 0 && loading === 0 && resting === 0 && failed > 0;
}

/** Nobody has said anything of it. */
export const unheard: ModelCondition = {
  ready: 0,
  loading: 0,
  failed: 0,
  resting: 0,
  reason: '',
  policy: 'auto',
  why: '',
  runsOn: [],
};

const successorsMax = 256;

/** The same version in other files, with the same tensors: whoever waits for the one can be answered by the other. */
function succeeds(model: ListedModel, old: ListedModel): boolean {
  const isSame = model.model === old.model && lineOf(model.version) === lineOf(old.version);
  return isSame && model.broken === '' && model.form === old.form;
}

/** Whatever files it was loaded from; what stands behind an @ is a variant of its own. */
function lineOf(edition: string): string {
  const at = edition.indexOf('@');
  return `${versionOf(edition)}${at < 0 ? '' : edition.slice(at)}`;
}

export class Coverage {
  /** By model and edition: the edition that took its place. */
  private readonly successors = new Map<string, string>();
  private readonly listed = new Map<string, ListedModel>();
  private readonly reports = new Map<MemberId, Map<string, Report>>();

  list(models: readonly ListedModel[]): void {
    const before = [...this.listed];
    this.listed.clear();
    for (const model of models) this.listed.set(modelKey(model.model, model.version), model);
    for (const [key, old] of before) {
      const next = this.listed.has(key) ? undefined : models.find((model) => succeeds(model, old));
      if (next !== undefined) this.successors.set(key, next.version);
    }
    for (const key of this.successors.keys()) {
      if (this.listed.has(key) || this.successors.size > successorsMax) this.successors.delete(key);
    }
  }

  listing(key: string): ListedModel | undefined {
    return this.listed.get(key);
  }

  models(): IterableIterator<ListedModel> {
    return this.listed.values();
  }

  /** Editions have been replaced. */
  get hasSuccessors(): boolean {
    return this.successors.size > 0;
  }

  /** What is listed in the place of an edition that is listed no more; itself where nothing is. */
  successorOf(model: string, version: string): string {
    let last = version;
    for (let steps = 0; steps < successorsMax; steps++) {
      const next = this.successors.get(modelKey(model, last));
      if (next === undefined) break;
      last = next;
    }
    return last;
  }

  /** False when it is the first word of that model. */
  report(scheduler: MemberId, report: Report): boolean {
    const reports = this.reports.get(scheduler) ?? new Map<string, Report>();
    const key = modelKey(report.model, report.version);
    const isKnown = reports.has(key);
    // What has gone for good is not remembered.
    if (report.ready + report.loading + report.failed + report.resting === 0 && !this.listed.has(key))
      reports.delete(key);
    else reports.set(key, report);
    this.reports.set(scheduler, reports);
    return isKnown;
  }

  /** Why nobody runs it any more, where its scheduler has told that nobody has it; empty while somebody may. */
  lackOf(model: string, version: string, report: Report): string {
    const listed = this.listed.get(modelKey(model, version));
    const isHeld = report.ready + report.loading + report.resting > 0;
    if (isHeld || listed?.broken === '' || this.successorOf(model, version) !== version) return '';
    return listed?.broken || 'it was taken away while the request waited, and no worker has it any more';
  }

  reportOf(key: string, owner: MemberId): Report | undefined {
    return this.reports.get(owner)?.get(key);
  }

  reach(scheduler: MemberId, key: string): Reach {
    const report = this.reportOf(key, scheduler);
    if (report === undefined) return 'none';
    const { ready, loading, failed, resting } = report;
    if (ready + resting > 0) return 'able';
    if (loading > 0) return 'coming';
    return failed > 0 ? 'failed' : 'none';
  }

  forget(scheduler: MemberId): void {
    this.reports.delete(scheduler);
  }

  condition(key: string, owner: MemberId): ModelCondition {
    const listed = this.listed.get(key);
    if (listed !== undefined && listed.broken !== '') {
      return { ...unheard, failed: 1, reason: listed.broken };
    }
    return this.reportOf(key, owner) ?? unheard;
  }
}
