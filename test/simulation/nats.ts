// NATS as a simulated cluster meets it: the Store port in virtual time, with all that may go wrong there. Writes may be lost
// after they were acknowledged, reads may be old, its leader may be away, and it may be out of reach for all or for one.

import type { Connection, ConnectionEvents, StoreOptions } from '../../cluster/store.js';
import type { MemberId } from '../../proto/ids.js';
import { Bucket, type Watcher } from './bucket.js';
import type { Random } from './random.js';
import { SimulatedStore } from './store.js';
import type { Timeline } from './timeline.js';

/** How it behaves when nothing in particular goes wrong. */
export interface NatsPlan {
  readonly delayMs: number;
  /** Chances that a write is done and its acknowledgement lost, that a read gives what was before, that a word comes twice. */
  readonly ackLost: number;
  readonly stale: number;
  readonly repeat: number;
}

export const askMs = 16;
const reconnectMs = 8;
/** A write that found nobody to take it may be done later all the same. */
const heldShare = 0.3;

export interface NatsEvents {
  happened(event: string): void;
  wrote(bucket: Bucket, key: string, by: Client): void;
}

/** One member's connection, and what stands between it and NATS. */
export class Client {
  readonly member: MemberId;
  /** Carries into the process what comes from outside: at once, or when it wakes. */
  readonly enter: (act: () => void) => void;
  /** Everything that it was shown of what is in the store. */
  readonly seen = new WeakSet<object>();
  events: ConnectionEvents | undefined;
  /** Nothing gets through until then, in either direction. */
  cutUntil = 0;
  /** Nothing reaches it until then; what it says arrives. */
  deafUntil = 0;
  isTold = false;
  lastArrivalAt = 0;

  constructor(member: MemberId, enter: (act: () => void) => void) {
    this.member = member;
    this.enter = enter;
  }
}

export class SimulatedNats {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly plan: NatsPlan;
  readonly events: NatsEvents;
  private readonly buckets = new Map<string, Bucket>();
  private readonly lostTo = new Map<string, number>();
  private readonly clients = new Set<Client>();
  private held: (() => void)[] = [];
  private awayUntil = 0;
  private leaderlessUntil = 0;
  private slowUntil = 0;
  private slowMs = 0;
  /** When something was lost last that had been acknowledged. */
  lostAt = Number.NEGATIVE_INFINITY;

  constructor(timeline: Timeline, random: Random, plan: NatsPlan, events: NatsEvents) {
    this.timeline = timeline;
    this.random = random;
    this.plan = plan;
    this.events = events;
  }

  connect(client: Client, events: ConnectionEvents): Promise<Connection> {
    this.clients.add(client);
    return new Promise((resolve, reject) => {
      this.timeline.after(this.wayMs(), () => {
        client.enter(() => {
          if (!this.reaches(client)) return reject(new Error('nobody listens there'));
          client.events = events;
          client.isTold = true;
          resolve({ open: (options) => this.open(client, options), close: async () => this.leave(client) });
        });
      });
    });
  }

  leave(client: Client): void {
    this.clients.delete(client);
    client.events = undefined;
    for (const bucket of this.buckets.values()) bucket.dismiss(client);
  }

  bucket(name: string): Bucket | undefined {
    return this.buckets.get(name);
  }

  wayMs(): number {
    return this.plan.delayMs * this.random.between(0.5, 1.5);
  }

  reaches({ cutUntil }: Client): boolean {
    return Math.max(cutUntil, this.awayUntil) <= this.timeline.now;
  }

  hears(client: Client): boolean {
    return this.reaches(client) && client.deafUntil <= this.timeline.now;
  }

  hasLeader(): boolean {
    return this.leaderlessUntil <= this.timeline.now;
  }

  /** How long a word of the store is under way to who watches it. */
  watchMs(): number {
    const isSlow = this.slowUntil > this.timeline.now;
    return this.wayMs() + (isSlow ? this.random.between(0, this.slowMs) : 0);
  }

  /** Done when somebody is there again to do it, or never. */
  hold(act: () => void): void {
    if (this.random.chance(heldShare)) this.held.push(act);
  }

  /** Out of reach for everybody; what it keeps it keeps. */
  leaveFor(forMs: number): void {
    this.events.happened(`nats away for ${forMs.toFixed(0)} ms`);
    this.awayUntil = Math.max(this.awayUntil, this.timeline.now + forMs);
    for (const client of [...this.clients]) this.tellAway(client, this.random.between(0, 3));
    this.timeline.after(forMs, () => this.catchUp());
  }

  changeLeader(forMs: number): void {
    this.events.happened(`nats without a leader for ${forMs.toFixed(0)} ms`);
    this.leaderlessUntil = Math.max(this.leaderlessUntil, this.timeline.now + forMs);
    this.timeline.after(forMs, () => this.catchUp());
  }

  slow(forMs: number, byMs: number): void {
    this.events.happened(`nats tells up to ${byMs.toFixed(0)} ms late`);
    this.slowUntil = this.timeline.now + forMs;
    this.slowMs = byMs;
  }

  /** What was written last is gone, though it was acknowledged, and its revisions are given again. */
  rewind(count: number): void {
    this.events.happened(`nats loses ${count} writes`);
    this.lostAt = this.timeline.now;
    for (const bucket of this.buckets.values()) {
      bucket.rewind(count);
      for (const watcher of bucket.watchers()) this.unsettle(watcher, bucket);
    }
  }

  wipe(): void {
    this.events.happened('nats loses everything');
    this.lostAt = this.timeline.now;
    const all = [...this.buckets.values()].flatMap((bucket) => [...bucket.watchers()]);
    for (const { name, revision, lostTo } of this.buckets.values())
      this.lostTo.set(name, Math.max(revision, lostTo));
    this.buckets.clear();
    for (const watcher of all) {
      if (this.random.chance(0.5)) this.end(watcher, 'its stream was deleted');
      else watcher.isMute = true;
    }
  }

  cut(client: Client, forMs: number): void {
    this.events.happened(`nats out of reach of ${client.member} for ${forMs.toFixed(0)} ms`);
    client.cutUntil = Math.max(client.cutUntil, this.timeline.now + forMs);
    // It may find out late that nobody answers.
    this.tellAway(client, this.random.between(0, 60));
  }

  deafen(client: Client, forMs: number): void {
    this.events.happened(`nats unheard by ${client.member} for ${forMs.toFixed(0)} ms`);
    client.deafUntil = this.timeline.now + forMs;
  }

  /** All of it is over. */
  heal(): void {
    this.awayUntil = 0;
    this.leaderlessUntil = 0;
    this.slowUntil = 0;
    for (const client of this.clients) {
      client.cutUntil = 0;
      client.deafUntil = 0;
    }
    this.catchUp();
  }

  clientOf(member: MemberId): Client | undefined {
    return [...this.clients].find((client) => client.member === member);
  }

  private open(client: Client, { name }: StoreOptions): Promise<SimulatedStore> {
    const store = new SimulatedStore(this, client, name);
    return store.ask(true, () => {
      if (!this.buckets.has(name)) this.buckets.set(name, new Bucket(name, this.lostTo.get(name) ?? 0));
      return store;
    });
  }

  /** After a loss a watch may go on, be silent until the revisions are past where they were, or end. */
  private unsettle(watcher: Watcher, bucket: Bucket): void {
    const fate = this.random.next();
    if (fate < 0.4) watcher.toldTo = bucket.revision;
    else if (fate < 0.6) this.end(watcher, 'its consumer was deleted');
  }

  private end(watcher: Watcher, reason: string): void {
    watcher.isMute = true;
    watcher.client.enter(() => {
      if (!watcher.isOver) watcher.events.ended(reason);
    });
  }

  private tellAway(client: Client, inMs: number): void {
    this.timeline.after(inMs, () => {
      if (this.reaches(client) || !client.isTold) return;
      client.isTold = false;
      client.enter(() => client.events?.away('the connection to NATS is lost'));
      this.tellBack(client);
    });
  }

  private tellBack(client: Client): void {
    this.timeline.after(this.random.between(1, reconnectMs), () => {
      if (!this.clients.has(client)) return;
      if (!this.reaches(client)) return this.tellBack(client);
      client.isTold = true;
      client.enter(() => client.events?.back());
    });
  }

  private catchUp(): void {
    const { held } = this;
    this.held = [];
    for (const act of held) act();
  }
}
