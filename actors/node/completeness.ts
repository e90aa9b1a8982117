// Which workers of a node have had all that they were to have. That makes a node ready, and what comes to it later does not
// undo it: who would wait for a model that was pushed just now would be left by all nodes at once.
import type { MemberId } from '../../proto/ids.js';

/** A worker by its own words. */
export interface WorkerSight {
  readonly id: MemberId;
  /** It has heard the last that it was told to have. */
  readonly isUpToDate: boolean;
  /** What it waits for; empty: it has everything. */
  readonly waitsFor: string;
  /** It waits only for what it has not served before. */
  readonly isForMore: boolean;
}

export class Completeness {
  private readonly complete = new Set<MemberId>();

  /** Of so many workers that there are to be: what the first of them waits for. `fetching`: what does not even have files yet. */
  review(count: number, workers: readonly WorkerSight[], fetching: string): string {
    const there = new Set(workers.map(({ id }) => id));
    for (const id of this.complete) if (!there.has(id)) this.complete.delete(id);
    if (fetching !== '') return fetching;
    for (const { id, isUpToDate, waitsFor } of workers)
      if (isUpToDate && waitsFor === '') this.complete.add(id);
    if (workers.length < count) return `${workers.length} of its ${count} workers are there`;
    for (const { id, waitsFor, isForMore } of workers) {
      if (this.complete.has(id) && (waitsFor === '' || isForMore)) continue;
      return `its worker ${id}: ${waitsFor || 'it has yet to hear which models it is to have'}`;
    }
    return '';
  }
}
