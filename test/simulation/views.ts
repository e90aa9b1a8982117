// What must be true of how the members of a cluster see each other: nobody who keeps writing is taken for gone, a view that
// is not kept says so and takes nobody off, nobody writes over what they never saw, and in the end all see the same.
import type { StoredStep, StoreFact } from '../../cluster/stored.js';
import type { MemberId } from '../../proto/ids.js';
import type { Bucket } from './bucket.js';
import { beatsPerLease, natsHealsAt } from './cluster.js';
import type { Client } from './nats.js';
import { membersStore, type NodePresence } from './presence.js';
import type { Process } from './process.js';
import type { Town } from './town.js';
import { require } from './violation.js';

/** Timers and words may be late by that. */
const lateMs = 8;
/** Who began or woke so lately may not have been seen by everybody. */
const freshMs = 60;

export class Views {
  private readonly town: Town;
  /** When each wrote its own entry. */
  private readonly renewals = new Map<MemberId, number[]>();
  /** When each heard its latest entry. */
  private readonly heardSelfAt = new Map<MemberId, number>();

  constructor(town: Town) {
    this.town = town;
  }

  watch(node: NodePresence): void {
    const { membership, steward } = node;
    const { id } = node.member;
    const followed = steward.told.bind(steward);
    steward.told = (fact, now) =>
      this.town.guard(() => {
        const effects = followed(fact, now);
        this.town.owning.heard(`the steward of ${id}`, steward.list());
        require(steward.clashes === 0, 'I6', () => `${id} was shown two lists of one epoch`);
        return effects;
      });
    const told = membership.told.bind(membership);
    membership.told = (fact, now) =>
      this.town.guard(() => {
        const before = membership.standing().state;
        const step = told(fact, now);
        this.told(node, fact, before, step);
        return step;
      });
  }

  /** Somebody writes: what is there now is about to be written over. */
  wrote(bucket: Bucket, key: string, by: Client): void {
    const { now } = this.town.timeline;
    if (bucket.name === membersStore && key === by.member) {
      const times = this.renewals.get(key) ?? [];
      times.push(now);
      this.renewals.set(key, times);
      return;
    }
    const before = bucket.at(key);
    if (before === undefined || before.by === by.member || by.seen.has(before)) return;
    // What was lost may have had the same revision.
    if (before.revision <= bucket.lostTo) return;
    require(before.text === undefined, 'I6', () =>
      `${by.member} writes over revision ${before.revision} of ${key} by ${before.by}, which it never saw`);
  }

  checkRest(): void {
    const { town } = this;
    const { now } = town.timeline;
    const nodes = [...town.nodes.values()].filter(({ member }) => !this.processOf(member.id).stuck);
    // Who only just came has an epoch to learn, and may change the list.
    if (nodes.every((node) => !this.isFresh(node, now, 3 * town.plan.leaseMs)))
      town.owning.checkRest(nodes, town.models);
    for (const node of nodes) {
      if (this.isFresh(node, now)) continue;
      const { id } = node.member;
      const { state, reason } = node.membership.standing();
      require(state === 'live', 'view', () => `${id} is ${state} after all healed: ${reason}`);
      const seen = new Set(node.membership.nodes().map(({ member }) => member.id));
      for (const other of nodes) {
        const known = seen.delete(other.member.id) || this.isFresh(other, now);
        require(known, 'view', () => `${id} does not see ${other.member.id}, which is there`);
      }
      for (const other of seen) {
        const goneMs = now - (this.renewals.get(other)?.at(-1) ?? 0);
        const mostMs = town.plan.leaseMs + freshMs;
        const sinceHealed = now - natsHealsAt;
        require(Math.min(goneMs, sinceHealed - freshMs) <= mostMs || town.nodes.has(other), 'view', () =>
          `${id} still sees ${other}, which has been gone for ${goneMs.toFixed(0)} ms`);
      }
    }
  }

  private told(node: NodePresence, fact: StoreFact, before: string, step: StoredStep): void {
    const { now } = this.town.timeline;
    const { id } = node.member;
    if (fact.type === 'entry.put' && fact.key === id) this.heardSelfAt.set(id, now);
    if (fact.type !== 'tick') return;
    const deafMs = this.town.plan.leaseMs / 2;
    const { state } = node.membership.standing();
    const silentMs = now - (this.heardSelfAt.get(id) ?? node.startedAt);
    require(state !== 'live' || silentMs <= deafMs + lateMs, 'view', () =>
      `${id} takes its view for kept, though it has not heard itself for ${silentMs.toFixed(0)} ms`);
    for (const effect of step.effects) {
      if (effect.type !== 'note' || effect.note.event !== 'member.gone') continue;
      const { member } = effect.note;
      require(before === 'live' && state === 'live', 'view', () =>
        `${id} takes ${member} off a view that is ${state}`);
      this.isGone(id, member, now);
    }
  }

  /** Somebody was taken for gone by its lease. */
  private isGone(id: MemberId, member: MemberId, now: number): void {
    const { town } = this;
    const { leaseMs } = town.plan;
    if (!town.nodes.has(member) || town.nats.lostAt > now - 3 * leaseMs) return;
    const since = now - leaseMs - lateMs;
    const all = this.renewals.get(member) ?? [];
    // With the one before: a silence may have begun earlier.
    const times = all.slice(
      Math.max(
        0,
        all.findLastIndex((at) => at <= since),
      ),
    );
    let longest = now - (times.at(-1) ?? since);
    for (let at = 1; at < times.length; at++)
      longest = Math.max(longest, (times[at] as number) - (times[at - 1] as number));
    const wanted = 1.5 * (leaseMs / beatsPerLease) + lateMs;
    require(longest >= wanted, 'view', () =>
      `${id} takes ${member} for gone, which has written at least every ${longest.toFixed(0)} ms`);
  }

  private isFresh({ member, startedAt }: NodePresence, now: number, forMs = freshMs): boolean {
    const { frozen, resumedAt } = this.processOf(member.id);
    return frozen || now - Math.max(resumedAt, startedAt) < forMs;
  }

  private processOf(id: MemberId): Process {
    const process = this.town.world.processes.get(id);
    if (process === undefined) throw new Error(`${id} is no process`);
    return process;
  }
}
