// Membership through a store that all share, such as NATS: each node keeps one entry there and writes it again and again;
// who is there is judged from what others write. Decisions only: facts and the time come in, what is to be done goes out.
import type { MemberId } from '../proto/ids.js';
import { limits, protocolVersion } from '../proto/limits.js';
import type { Message, NodeState } from '../proto/messages.js';
import { Calls } from './calls.js';
import { type LeaseSettings, Leases } from './leases.js';
import { type Member, type Membership, nothing, type Standing, type Step } from './membership.js';
import { rankOf, ranks } from './rank.js';
import { type Condition, type NodeRecord, readRecord, writeRecord } from './record.js';

export type StoreFact =
  /** It can be reached, and a watch of it has begun. */
  | { readonly type: 'store.opened' }
  | { readonly type: 'store.lost'; readonly reason: string }
  | { readonly type: 'entry.put'; readonly key: string; readonly text: string; readonly revision: number }
  | { readonly type: 'entry.removed'; readonly key: string }
  | { readonly type: 'write.failed'; readonly reason: string }
  /** Time has passed. */
  | { readonly type: 'tick' }
  /** This node has changed: the others are to know at once. */
  | { readonly type: 'self.changed' }
  /** Somebody wants it off the list, for it is dead. */
  | { readonly type: 'member.evicted'; readonly member: MemberId }
  | { readonly type: 'self.leaving' };

export type StoreEffect =
  | { readonly type: 'put'; readonly key: string; readonly text: string }
  /** If it is still at that revision. */
  | { readonly type: 'remove'; readonly key: string; readonly expected: number }
  /** Goodbye. */
  | { readonly type: 'erase'; readonly key: string }
  /** The watch is to begin anew. */
  | { readonly type: 'reopen'; readonly reason: string }
  | { readonly type: 'note'; readonly note: Note };

export type Note =
  | { readonly event: 'cluster.live'; readonly members: number }
  | { readonly event: 'cluster.frozen'; readonly reason: string }
  | { readonly event: 'member.joined'; readonly member: MemberId; readonly endpoint: string }
  | { readonly event: 'member.turned'; readonly member: MemberId; readonly state: NodeState }
  | { readonly event: 'member.gone'; readonly member: MemberId; readonly reason: string }
  | { readonly event: 'member.refused'; readonly member: string; readonly reason: string };

export interface StoredStep extends Step {
  readonly effects: readonly StoreEffect[];
}

export interface StoredOptions extends LeaseSettings {
  readonly self: Member;
  readonly cluster: string;
  readonly build: string;
  readonly machine: string;
  readonly condition: () => Condition;
}

const refusedMax = 1024;
/** Of the places on the list so many are not for workers, whose entries more may write. */
const placesKept = 256;

export class StoredMembership implements Membership {
  private readonly options: StoredOptions;
  private readonly calls: Calls;
  private readonly leases: Leases;
  private readonly records = new Map<MemberId, NodeRecord>();
  /** How many of the records are of nodes that are workers by their id. */
  private workers = 0;
  /** Who was refused and why, to say it once. */
  private readonly refused = new Map<string, string>();
  /** Counts up whenever others join, go, or change their state or what they have to serve. */
  changes = 0;
  private isOpen = false;
  private isLeaving = false;
  /** Whom to call and whom not to call any more has not been looked at since somebody joined. */
  private isUnreviewed = false;
  private beat = 0;
  private writtenAt = Number.NEGATIVE_INFINITY;
  private reopenedAt = 0;

  constructor(options: StoredOptions) {
    this.options = options;
    this.calls = new Calls(options.self);
    this.leases = new Leases(options);
  }

  opened(member: Member): Step {
    this.calls.open(member);
    return nothing;
  }

  lost(member: MemberId): Step {
    return this.calls.close(member) ? { ...nothing, hangUp: this.vain() } : nothing;
  }

  /** A goodbye over a link may be sooner than the store's word for it. */
  heard(message: Message, from: MemberId): Step {
    if (message.type !== 'member.left') return nothing;
    this.forget(from);
    this.calls.close(from);
    return { ...nothing, hangUp: this.vain() };
  }

  members(): readonly Member[] {
    const { self } = this.options;
    const listed = [...this.records.values()].map(({ member }) => member);
    return [self, ...listed, ...[...this.calls.links()].filter(({ id }) => !this.records.has(id))];
  }

  standing(): Standing {
    return this.leases.standing();
  }

  /** What the others say of themselves, and what this node says. */
  nodes(): readonly NodeRecord[] {
    return [this.ownRecord(), ...this.records.values()];
  }

  /** When the entry of another last changed, by this node's clock. */
  heardAt(member: MemberId): number | undefined {
    return this.leases.heardAt(member);
  }

  told(fact: StoreFact, now: number): StoredStep {
    switch (fact.type) {
      case 'store.opened':
        this.isOpen = true;
        this.reopenedAt = now;
        return quiet(this.write(now));
      case 'store.lost':
        this.isOpen = false;
        return quiet(this.freeze(fact.reason));
      case 'write.failed':
        this.leases.blame(fact.reason);
        this.writtenAt = Number.NEGATIVE_INFINITY;
        return quiet([]);
      case 'entry.put':
        return this.put(fact, now);
      case 'entry.removed':
        return this.removed(fact.key);
      case 'tick':
        return this.look(now);
      case 'self.changed':
        return quiet(this.isOpen ? this.write(now) : []);
      case 'member.evicted':
        return this.evict(fact.member);
      case 'self.leaving':
        this.isLeaving = true;
        return quiet([{ type: 'erase', key: this.options.self.id }]);
    }
  }

  private put({ key, text, revision }: Extract<StoreFact, { type: 'entry.put' }>, now: number): StoredStep {
    const { self, cluster } = this.options;
    const record = readRecord(key, text, cluster);
    if (typeof record === 'string') return this.refuse(key, record);
    if (key === self.id) {
      if (record.beat > this.beat) return this.refuse(key, `somebody else has written the entry of ${key}`);
      const livesAgain = this.leases.heardSelf(record.beat, now);
      return quiet(livesAgain ? [note({ event: 'cluster.live', members: this.records.size + 1 })] : []);
    }
    const before = this.records.get(key);
    if (before === undefined && this.isFull(key)) {
      return this.refuse(key, `there are as many members as a cluster may have, ${limits.membersMax}`);
    }
    this.refused.delete(key);
    this.leases.heard(key, revision, now);
    this.records.set(key, record);
    if (before?.state !== record.state || before.models.join() !== record.models.join()) this.changes++;
    const { endpoint } = record.member;
    if (before === undefined && isWorker(key)) this.workers++;
    if (before !== undefined) {
      const { state } = record;
      const turned = state === before.state ? [] : [note({ event: 'member.turned', member: key, state })];
      return before.member.endpoint === endpoint ? quiet(turned) : this.changed(turned);
    }
    // Many may come at once: all that are listed are gone through when time has passed, not for each.
    this.isUnreviewed = true;
    const dial = this.calls.due([record.member]);
    return { ...nothing, dial, effects: [note({ event: 'member.joined', member: key, endpoint })] };
  }

  private removed(key: string): StoredStep {
    if (key !== this.options.self.id) {
      return this.forget(key)
        ? this.changed([gone(key, 'its entry was taken out: it left, or was taken for gone')])
        : quiet([]);
    }
    // Somebody took this node for gone: the next tick says that it is not.
    this.writtenAt = Number.NEGATIVE_INFINITY;
    return quiet([]);
  }

  /** One that lives after all comes back with its next writing. */
  private evict(member: MemberId): StoredStep {
    const expected = this.leases.revisionOf(member);
    if (!this.forget(member)) return quiet([]);
    return this.changed([
      gone(member, 'it was taken out by order'),
      { type: 'remove', key: member, expected },
    ]);
  }

  private look(now: number): StoredStep {
    const effects: StoreEffect[] = [];
    if (this.leases.growsDeaf(now)) {
      effects.push(note({ event: 'cluster.frozen', reason: this.standing().reason }));
    }
    const isDeaf = this.isOpen && this.standing().state !== 'live';
    if (isDeaf && now - this.reopenedAt > this.leases.deafMs) {
      this.reopenedAt = now;
      effects.push({ type: 'reopen', reason: this.standing().reason });
    }
    if (this.isDue(now)) effects.push(...this.write(now));
    const spent = this.leases.spent();
    if (spent.length === 0 && !this.isUnreviewed) return quiet(effects);
    for (const { member } of spent) this.forget(member);
    for (const { member, revision } of spent) {
      effects.push(gone(member, `nothing new of it for ${this.options.leaseMs} ms`));
      if (this.sweeps()) effects.push({ type: 'remove', key: member, expected: revision });
    }
    return this.changed(effects);
  }

  /** All judge alone, but one of them is enough to take the entry out: the first of those who may take out most. */
  private sweeps(): boolean {
    const { id } = this.options.self;
    for (const other of this.records.keys()) if (comesBefore(other, id)) return false;
    return true;
  }

  /** So many that are workers keep nobody else out. */
  private isFull(newcomer: MemberId): boolean {
    const others = limits.membersMax - 1;
    return this.records.size >= others || (isWorker(newcomer) && this.workers >= others - placesKept);
  }

  private isDue(now: number): boolean {
    return this.isOpen && now - this.writtenAt >= this.options.beatMs;
  }

  private write(now: number): StoreEffect[] {
    if (this.isLeaving) return [];
    this.writtenAt = now;
    this.beat++;
    this.leases.wrote(this.beat, now);
    return [{ type: 'put', key: this.options.self.id, text: writeRecord(this.ownRecord()) }];
  }

  private ownRecord(): NodeRecord {
    const { self, cluster, build, machine, condition } = this.options;
    return {
      cluster,
      protocol: protocolVersion,
      build,
      machine,
      member: self,
      ...condition(),
      beat: this.beat,
    };
  }

  private freeze(reason: string): StoreEffect[] {
    const wasLive = this.standing().state === 'live';
    this.leases.freeze(reason);
    return wasLive ? [note({ event: 'cluster.frozen', reason })] : [];
  }

  private refuse(key: string, reason: string): StoredStep {
    if (this.refused.get(key) === reason) return quiet([]);
    if (this.refused.size >= refusedMax) this.refused.clear();
    this.refused.set(key, reason);
    this.forget(key);
    return this.changed([note({ event: 'member.refused', member: key, reason })]);
  }

  private forget(member: MemberId): boolean {
    this.leases.forget(member);
    this.changes++;
    if (!this.records.delete(member)) return false;
    if (isWorker(member)) this.workers--;
    return true;
  }

  private changed(effects: readonly StoreEffect[]): StoredStep {
    this.isUnreviewed = false;
    return { ...nothing, dial: this.calls.due(this.listed()), hangUp: this.vain(), effects };
  }

  private vain(): string[] {
    return this.calls.vain(this.listed());
  }

  private *listed(): IterableIterator<Member> {
    for (const { member } of this.records.values()) yield member;
  }
}

function isWorker(member: MemberId): boolean {
  return rankOf(member) === 'worker';
}

function comesBefore(one: MemberId, other: MemberId): boolean {
  const heightOf = (member: MemberId): number => ranks.indexOf(rankOf(member) ?? 'scheduler');
  return heightOf(one) > heightOf(other) || (heightOf(one) === heightOf(other) && one < other);
}

/** Who is listed stays the same. */
function quiet(effects: readonly StoreEffect[]): StoredStep {
  return { ...nothing, effects };
}

function note(said: Note): StoreEffect {
  return { type: 'note', note: said };
}

function gone(member: MemberId, reason: string): StoreEffect {
  return note({ event: 'member.gone', member, reason });
}
