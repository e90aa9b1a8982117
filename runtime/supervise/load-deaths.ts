// Which models end the workers that load them: a native library may break down on a file instead of refusing it. Who was
// being loaded at a death is loaded alone from then on, and who dies alone is given up: no worker is risked on it again.
import type { MemberId } from '../../proto/ids.js';
import type { Cause } from '../../proto/messages.js';

/** By model and edition: empty for one that is to be loaded alone, else why it is given up. */
export type LoadRisks = Readonly<Record<string, string>>;

/** With `hung` it was a run that took too long. */
const innocent: readonly Cause[] = ['killed', 'stopped', 'hung', 'unknown'];
/** Deaths of those that also ran something may be the fault of that: so many more of them are needed. */
const deathsBesideRuns = 5;
const deathsQuiet = 2;

interface Loading {
  readonly keys: Set<string>;
  /** Something was run meanwhile. */
  hasRun: boolean;
}

export class LoadDeaths {
  private readonly loading = new Map<MemberId, Loading>();
  private readonly deaths = new Map<string, number>();
  private readonly reasons = new Map<string, string>();

  /** `isBusy`: the worker runs something. */
  began(worker: MemberId, key: string, isBusy = false): void {
    const loading = this.loading.get(worker) ?? { keys: new Set(), hasRun: false };
    loading.keys.add(key);
    loading.hasRun ||= isBusy;
    this.loading.set(worker, loading);
  }

  /** A worker began to run something while it loads. */
  ran(worker: MemberId): void {
    const loading = this.loading.get(worker);
    if (loading !== undefined) loading.hasRun = true;
  }

  /** Well or not: it was no death. */
  ended(worker: MemberId, key: string): void {
    const loading = this.loading.get(worker);
    loading?.keys.delete(key);
    if (loading?.keys.size === 0) this.loading.delete(worker);
    this.deaths.delete(key);
  }

  /** `hangs`: which of them it ended itself for, as its loading came to no end; empty: none. */
  exited(worker: MemberId, cause: Cause, detail: string, hangs = ''): void {
    const loading = this.loading.get(worker);
    this.loading.delete(worker);
    if (loading === undefined || (innocent.includes(cause) && hangs === '')) return;
    const isQuiet = !loading.hasRun || hangs !== '';
    for (const key of hangs === '' ? loading.keys : [hangs]) {
      const count = (this.deaths.get(key) ?? 0) + 1;
      this.deaths.set(key, count);
      const isAlone = loading.keys.size === 1;
      if (isAlone && count >= (isQuiet ? deathsQuiet : deathsBesideRuns)) this.giveUp(key, count, detail);
    }
  }

  /** Somebody asked for it: the next worker tries it again. False when nothing was held against it. */
  forgive(key: string): boolean {
    const isSuspect = this.deaths.delete(key);
    return this.reasons.delete(key) || isSuspect;
  }

  risks(): LoadRisks {
    const suspects = [...this.deaths.keys()].map((key) => [key, this.reasons.get(key) ?? '']);
    return Object.fromEntries([...suspects, ...this.reasons]);
  }

  private giveUp(key: string, count: number, detail: string): void {
    this.reasons.set(
      key,
      `loading it has broken down ${count} workers, the last of them alone with it (${detail}); ` +
        'it is not tried again until its files or its configuration change',
    );
  }
}
