// The store in memory: for tests and the simulator, which can take it away, bring it back and have it forget.
import type { Parts } from './parts.js';
import type { ConnectionEvents, Entry, PartsConnection, Store, StoreOptions, WatchEvents } from './store.js';

interface Kept {
  readonly text: string | undefined;
  readonly revision: number;
}

const goneReason = 'the store is away';

export class MemoryStoreServer {
  private readonly stores = new Map<string, MemoryStore>();
  private readonly partsOf = new Map<string, MemoryParts>();
  private readonly listeners = new Set<ConnectionEvents>();
  private isAway = false;

  connect(events: ConnectionEvents): PartsConnection {
    this.check();
    this.listeners.add(events);
    return {
      open: async ({ name }: StoreOptions) => {
        this.check();
        let store = this.stores.get(name);
        if (store === undefined) {
          store = new MemoryStore(() => this.check());
          this.stores.set(name, store);
        }
        return store;
      },
      parts: async (name: string) => {
        this.check();
        const parts = this.partsOf.get(name) ?? new MemoryParts(() => this.check());
        this.partsOf.set(name, parts);
        return parts;
      },
      close: async () => void this.listeners.delete(events),
    };
  }

  leave(): void {
    this.isAway = true;
    for (const store of this.stores.values()) store.end(goneReason);
    for (const events of [...this.listeners]) events.away(goneReason);
  }

  comeBack(): void {
    this.isAway = false;
    for (const events of [...this.listeners]) events.back();
  }

  /** All that was in it, and its revisions begin anew. */
  forget(): void {
    for (const store of this.stores.values()) store.end('the store was lost');
    this.stores.clear();
    this.partsOf.clear();
  }

  private check(): void {
    if (this.isAway) throw new Error(goneReason);
  }
}

class MemoryStore implements Store {
  private readonly entries = new Map<string, Kept>();
  private readonly watchers = new Set<WatchEvents>();
  private readonly check: () => void;
  private revision = 0;

  constructor(check: () => void) {
    this.check = check;
  }

  async watch(events: WatchEvents): Promise<() => void> {
    this.check();
    const kept = [...this.entries].sort(([, one], [, other]) => one.revision - other.revision);
    for (const [key, entry] of kept) tell(events, key, entry);
    events.caughtUp();
    this.watchers.add(events);
    return () => void this.watchers.delete(events);
  }

  async put(key: string, text: string): Promise<number> {
    this.check();
    return this.keep(key, text);
  }

  async read(key: string): Promise<Entry | undefined> {
    return this.at(key);
  }

  async write(key: string, text: string, expected: number): Promise<number | undefined> {
    return (this.at(key)?.revision ?? 0) === expected ? this.keep(key, text) : undefined;
  }

  async remove(key: string, expected: number): Promise<boolean> {
    if (this.at(key)?.revision !== expected) return false;
    this.keep(key, undefined);
    return true;
  }

  async erase(key: string): Promise<void> {
    this.check();
    this.keep(key, undefined);
  }

  end(reason: string): void {
    const watchers = [...this.watchers];
    this.watchers.clear();
    for (const events of watchers) events.ended(reason);
  }

  private at(key: string): Entry | undefined {
    this.check();
    const { text, revision } = this.entries.get(key) ?? { text: undefined, revision: 0 };
    return text === undefined ? undefined : { text, revision };
  }

  private keep(key: string, text: string | undefined): number {
    this.revision++;
    const entry: Kept = { text, revision: this.revision };
    this.entries.set(key, entry);
    for (const events of [...this.watchers]) tell(events, key, entry);
    return this.revision;
  }
}

function tell(events: WatchEvents, key: string, { text, revision }: Kept): void {
  if (text === undefined) events.removed(key, revision);
  else events.put(key, { text, revision });
}

class MemoryParts implements Parts {
  private readonly kept = new Map<string, Uint8Array>();
  private readonly check: () => void;

  constructor(check: () => void) {
    this.check = check;
  }

  async list(): Promise<Set<string>> {
    this.check();
    return new Set(this.kept.keys());
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    this.check();
    this.kept.set(name, new Uint8Array(bytes));
  }

  async get(
    name: string,
    sizeBytes: number,
    givenUp: AbortSignal,
  ): Promise<Uint8Array | 'otherSize' | undefined> {
    this.check();
    if (givenUp.aborted) throw new Error(String(givenUp.reason));
    const kept = this.kept.get(name);
    if (kept !== undefined && kept.length !== sizeBytes) return 'otherSize';
    return kept && new Uint8Array(kept);
  }

  async remove(name: string): Promise<void> {
    this.check();
    this.kept.delete(name);
  }

  /** Nothing is put by halves here. */
  async sweep(): Promise<number> {
    this.check();
    return 0;
  }
}
