// Which models end the workers that load them: a native library may break down on a file instead of refusing it. Who was
// being loaded at a death is loaded alone from then on, and who dies alone is given up: no worker is risked on it again.
import type { MemberId } from '../../proto/ids.js';
import type { Cause } from '../../proto/messages.js';

/** By model and edition: empty for one that is to be loaded alone, else why it is given up. */
export type LoadRisks = Readonly<Record<string, string>>;

const innocent: readonly Cause[] = ['killed', 'stopped', 'unknown'];

export class LoadDeaths {
  private readonly loading = new Map<MemberId, Set<string>>();
  private readonly deaths = new Map<string, number>();
  private readonly reasons = new Map<string, string>();

  began(worker: MemberId, key: string): void {
    const keys = this.loading.get(worker) ?? new Set();
    this.loading.set(worker, keys.add(key));
  }

  /** Well or not: it was no death. */
  ended(worker: MemberId, key: string): void {
    this.loading.get(worker)?.delete(key);
    this.deaths.delete(key);
  }

  exited(worker: MemberId, cause: Cause, detail: string): void {
    const keys = [...(this.loading.get(worker) ?? [])];
    this.loading.delete(worker);
    if (innocent.includes(cause)) return;
    for (const key of keys) {
      const before = this.deaths.get(key) ?? 0;
      this.deaths.set(key, before + 1);
      if (keys.length === 1 && before > 0)
        this.reasons.set(
          key,
          `loading it has broken down ${before + 1} workers, the last of them alone with it (${detail}); ` +
            'it is not tried again until its files or its configuration change',
        );
    }
  }

  risks(): LoadRisks {
    const suspects = [...this.deaths.keys()].map((key) => [key, this.reasons.get(key) ?? '']);
    return Object.fromEntries([...suspects, ...this.reasons]);
  }
}
