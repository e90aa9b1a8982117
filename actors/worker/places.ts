// What waits and what runs in the places of a worker: one run at a time in each, in order of arrival, and who of those
// under watch is next. Loading a model takes the thread as a run does, so that nothing started ever waits behind it.
import { type Place, places } from '../../proto/messages.js';
import type { Held } from './held.js';
import type { WorkerShare } from './shares.js';

export class Places {
  private readonly queues: Record<Place, Held[]> = { inline: [], thread: [] };
  private readonly running: Record<Place, Held | undefined> = { inline: undefined, thread: undefined };
  private toLoad: WorkerShare[] = [];
  private loading: WorkerShare | undefined;
  /** After each load batches have their turn. */
  private loadedLast = false;

  idle(): boolean {
    return this.running.inline === undefined && this.isFree('thread');
  }

  /** What runs, be it that its answer counts for nothing by now. */
  runs(): Held[] {
    return places.flatMap((place) => this.running[place] ?? []);
  }

  runOf(key: string): Held | undefined {
    return this.runs().find((held) => held.key === key);
  }

  add(held: Held): void {
    this.queues[held.place].push(held);
  }

  remove(held: Held): void {
    this.queues[held.place] = this.queues[held.place].filter((other) => other !== held);
  }

  /** The batch under watch that runs, or else that is to run next. */
  watched(): Held | undefined {
    for (const place of places) {
      const running = this.running[place];
      if (running?.run.solo === true) return running;
    }
    let first: Held | undefined;
    for (const place of places) {
      for (const held of this.queues[place]) {
        if (!held.run.solo) continue;
        // Whose router was asked is next, whoever came with it.
        if (held.go !== 'none') return held;
        if (first === undefined || held.takenAt < first.takenAt) first = held;
      }
    }
    return first;
  }

  /** Takes out of its queue whoever may start in this place; nobody while something runs there. */
  takeNext(place: Place): Held | undefined {
    const next = this.queues[place][0];
    if (!this.isFree(place) || next === undefined || next.run.solo) return undefined;
    return this.queues[place].shift();
  }

  run(held: Held): void {
    this.running[held.place] = held;
    if (held.place === 'thread') this.loadedLast = false;
  }

  /** False when it was not running. */
  ran(held: Held): boolean {
    if (this.running[held.place] !== held) return false;
    this.running[held.place] = undefined;
    return true;
  }

  /** Something is to be loaded yet, or is being loaded. */
  isLoading(): boolean {
    return this.loading !== undefined || this.toLoad.length > 0;
  }

  addLoad(share: WorkerShare): void {
    this.toLoad.push(share);
  }

  /** True when its loading had not begun, and will not. */
  removeLoad(share: WorkerShare): boolean {
    const at = this.toLoad.indexOf(share);
    if (at >= 0) this.toLoad.splice(at, 1);
    return at >= 0;
  }

  /** The model that is to be loaded now. */
  takeLoad(): WorkerShare | undefined {
    if (!this.isFree('thread') || (this.loadedLast && this.queues.thread.length > 0)) return undefined;
    this.loading = this.toLoad.shift();
    return this.loading;
  }

  loaded(share: WorkerShare): void {
    if (this.loading !== share) return;
    this.loading = undefined;
    this.loadedLast = true;
  }

  dropLoads(): void {
    this.toLoad = [];
  }

  private isFree(place: Place): boolean {
    return this.running[place] === undefined && (place === 'inline' || this.loading === undefined);
  }
}
