// One bucket of the simulated NATS: entries with revisions, the last writes so that they can be lost again, and who watches.
import type { WatchEvents } from '../../cluster/store.js';
import type { Client } from './nats.js';

export interface Kept {
  readonly key: string;
  /** Undefined: taken out. */
  readonly text: string | undefined;
  readonly revision: number;
  readonly by: string;
  readonly at: number;
}

export interface Watcher {
  readonly client: Client;
  readonly events: WatchEvents;
  /** Up to this revision it has been told. */
  toldTo: number;
  /** Nothing arrives here before what went before it. */
  lastArrivalAt: number;
  readonly waiting: (() => void)[];
  /** Whoever watches has ended it. */
  isOver: boolean;
  /** Nothing comes any more, and nobody says so. */
  isMute: boolean;
}

interface Write {
  readonly entry: Kept;
  readonly before: Kept | undefined;
}

const writesKept = 200;

export class Bucket {
  readonly name: string;
  revision = 0;
  /** The highest revision that was lost, also by a bucket of that name before this one. */
  lostTo: number;
  private readonly entries = new Map<string, Kept>();
  private readonly watching = new Set<Watcher>();
  private writes: Write[] = [];

  constructor(name: string, lostTo: number) {
    this.name = name;
    this.lostTo = lostTo;
  }

  at(key: string): Kept | undefined {
    return this.entries.get(key);
  }

  /** What was there before its last writing, if that was since then. */
  before(key: string, since: number): Kept | undefined {
    const write = this.writes.findLast(({ entry }) => entry.key === key);
    return write === undefined || write.entry.at < since ? this.at(key) : write.before;
  }

  all(): Kept[] {
    return [...this.entries.values()].sort((one, other) => one.revision - other.revision);
  }

  keep(key: string, text: string | undefined, by: string, at: number): Kept {
    const entry: Kept = { key, text, revision: ++this.revision, by, at };
    this.writes.push({ entry, before: this.entries.get(key) });
    if (this.writes.length > 2 * writesKept) this.writes = this.writes.slice(-writesKept);
    this.entries.set(key, entry);
    return entry;
  }

  rewind(count: number): void {
    for (let lost = 0; lost < count; lost++) {
      const write = this.writes.pop();
      if (write === undefined) return;
      const { entry, before } = write;
      this.lostTo = Math.max(this.lostTo, entry.revision);
      this.revision = entry.revision - 1;
      if (before === undefined) this.entries.delete(entry.key);
      else this.entries.set(entry.key, before);
    }
  }

  watch(watcher: Watcher): void {
    this.watching.add(watcher);
  }

  unwatch(watcher: Watcher): void {
    this.watching.delete(watcher);
  }

  watchers(): Iterable<Watcher> {
    return this.watching;
  }

  dismiss(client: Client): void {
    for (const watcher of this.watching) if (watcher.client === client) this.watching.delete(watcher);
  }
}
