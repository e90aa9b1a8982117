// One member's store in the simulated NATS. What it asks takes its time, may come to nothing, and may be done though nobody
// says so; what it watches comes in order, late, twice or not at all.
import type { Entry, Store, WatchEvents } from '../../cluster/store.js';
import type { Bucket, Kept, Watcher } from './bucket.js';
import { askMs, type Client, type SimulatedNats } from './nats.js';

const pumpMs = 5;
/** What is read may be so old. */
const staleMs = 60;

export class SimulatedStore implements Store {
  private readonly nats: SimulatedNats;
  private readonly client: Client;
  private readonly name: string;

  constructor(nats: SimulatedNats, client: Client, name: string) {
    this.nats = nats;
    this.client = client;
    this.name = name;
  }

  watch(events: WatchEvents): Promise<() => void> {
    const { client, nats } = this;
    return this.ask(false, () => {
      const bucket = this.bucket();
      const watcher: Watcher = {
        client,
        events,
        toldTo: bucket.revision,
        lastArrivalAt: 0,
        waiting: [],
        isOver: false,
        isMute: false,
      };
      for (const entry of bucket.all()) {
        // Whoever tells it may not have heard of the latest writing itself.
        const before = bucket.before(entry.key, nats.timeline.now - staleMs);
        if (before !== undefined && before !== entry && nats.random.chance(nats.plan.stale))
          this.tell(watcher, before);
        this.tell(watcher, entry);
      }
      this.arrive(watcher, () => events.caughtUp());
      bucket.watch(watcher);
      return () => {
        watcher.isOver = true;
        nats.bucket(this.name)?.unwatch(watcher);
      };
    });
  }

  put(key: string, text: string): Promise<number> {
    return this.ask(true, () => this.keep(key, text).revision);
  }

  read(key: string): Promise<Entry | undefined> {
    const { nats } = this;
    return this.ask(false, () => {
      const isStale = nats.random.chance(nats.hasLeader() ? nats.plan.stale : 0.5);
      const { now } = nats.timeline;
      const entry = isStale ? this.bucket().before(key, now - staleMs) : this.bucket().at(key);
      if (entry !== undefined) this.client.seen.add(entry);
      return entryOf(entry);
    });
  }

  write(key: string, text: string, expected: number): Promise<number | undefined> {
    return this.ask(true, () =>
      this.revisionOf(key) === expected ? this.keep(key, text).revision : undefined,
    );
  }

  remove(key: string, expected: number): Promise<boolean> {
    return this.ask(true, () => {
      if (this.bucket().at(key)?.revision !== expected) return false;
      this.keep(key, undefined);
      return true;
    });
  }

  async erase(key: string): Promise<void> {
    await this.ask(true, () => this.keep(key, undefined));
  }

  /** `act` is done there when the question gets there; what it gives comes back when the answer does. */
  ask<T>(writes: boolean, act: () => T): Promise<T> {
    const { nats, client } = this;
    const { timeline } = nats;
    return new Promise((resolve, reject) => {
      let isOver = false;
      const settle = (how: () => void): void =>
        client.enter(() => {
          if (!isOver) how();
          isOver = true;
        });
      timeline.after(askMs, () => settle(() => reject(new Error('it does not answer in time'))));
      const done = (): void => {
        let given: { readonly value: T } | undefined;
        let amiss: unknown;
        try {
          given = { value: act() };
        } catch (fault) {
          amiss = fault;
        }
        if (writes && nats.random.chance(nats.plan.ackLost)) return;
        timeline.after(nats.wayMs(), () => {
          if (nats.hears(client)) settle(() => (given === undefined ? reject(amiss) : resolve(given.value)));
        });
      };
      // One connection, one order.
      client.lastArrivalAt = Math.max(client.lastArrivalAt, timeline.now + nats.wayMs());
      timeline.at(client.lastArrivalAt, () => {
        if (nats.reaches(client) && (!writes || nats.hasLeader())) done();
        else if (writes) nats.hold(done);
      });
    });
  }

  private bucket(): Bucket {
    const bucket = this.nats.bucket(this.name);
    if (bucket === undefined) throw new Error('stream not found');
    return bucket;
  }

  private revisionOf(key: string): number {
    const entry = this.bucket().at(key);
    return entry?.text === undefined ? 0 : entry.revision;
  }

  private keep(key: string, text: string | undefined): Kept {
    const { nats, client } = this;
    const bucket = this.bucket();
    nats.events.wrote(bucket, key, client);
    const entry = bucket.keep(key, text, client.member, nats.timeline.now);
    for (const watcher of bucket.watchers()) {
      if (entry.revision <= watcher.toldTo) continue;
      watcher.toldTo = entry.revision;
      this.tell(watcher, entry);
    }
    return entry;
  }

  private tell(watcher: Watcher, entry: Kept): void {
    const { key, text, revision } = entry;
    const told = entryOf(entry);
    this.arrive(watcher, () => {
      watcher.client.seen.add(entry);
      if (told === undefined) watcher.events.removed(key, revision);
      else watcher.events.put(key, { text: text as string, revision });
    });
    if (this.nats.random.chance(this.nats.plan.repeat)) this.tell(watcher, entry);
  }

  private arrive(watcher: Watcher, act: () => void): void {
    const { timeline } = this.nats;
    watcher.lastArrivalAt = Math.max(watcher.lastArrivalAt, timeline.now + this.nats.watchMs());
    timeline.at(watcher.lastArrivalAt, () => {
      watcher.waiting.push(act);
      if (watcher.waiting.length === 1) this.deliver(watcher);
    });
  }

  /** What nobody hears waits in its turn until somebody does. */
  private deliver(watcher: Watcher): void {
    const { nats } = this;
    const { client, waiting } = watcher;
    if (watcher.isMute || watcher.isOver) return;
    if (!nats.hears(client)) {
      nats.timeline.after(pumpMs, () => this.deliver(watcher));
      return;
    }
    for (const act of waiting) {
      client.enter(() => {
        if (!watcher.isOver) act();
      });
    }
    waiting.length = 0;
  }
}

function entryOf(entry: Kept | undefined): Entry | undefined {
  return entry?.text === undefined ? undefined : { text: entry.text, revision: entry.revision };
}
