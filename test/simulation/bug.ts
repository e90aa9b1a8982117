// A bug planted on purpose around an actor: it changes what the actor hears or wants done, or puts another method in
// its place. Each stands for a mistake that somebody could make, and the simulator must find every one.
import type { Actor, Heard } from '../../actors/actor.js';
import type { Effect } from '../../actors/effects.js';
import type { Router } from '../../actors/router/router.js';
import type { Scheduler } from '../../actors/scheduler/scheduler.js';
import type { Worker } from '../../actors/worker/worker.js';
import type { Steward } from '../../cluster/steward.js';
import type { Store } from '../../cluster/store.js';
import type { StoredMembership } from '../../cluster/stored.js';
import type { MemberId } from '../../proto/ids.js';

export type ActorKind = 'router' | 'scheduler' | 'worker';
/** `member`: not around an actor, but where nodes find each other. */
export type BugKind = ActorKind | 'member';

/** What makes a node a member. */
export interface Joined {
  readonly membership: StoredMembership;
  readonly steward: Steward;
}

export interface Bug {
  readonly about: string;
  readonly kind: BugKind;
  /** It shows in clusters alone: only these are looked through for it. */
  readonly clusters?: true;
  /** Once, when the actor is made. */
  plant?(actor: Actor, process: MemberId): void;
  /** What it hears instead; nothing: it does not hear it. */
  hears?(heard: Heard): Heard | undefined;
  /** What it wants done instead. */
  wants?(effect: Effect): readonly Effect[];
  /** After each step. */
  after?(actor: Actor): void;
  /** Once, when a node becomes a member; `wall` is what its clock on the wall says. */
  member?(node: Joined, wall: () => number): void;
  /** What a node has in place of its store. */
  store?(store: Store): Store;
}

class Bugged implements Actor {
  readonly hears: Actor['hears'];
  private readonly inner: Actor;
  private readonly bug: Bug;

  constructor(inner: Actor, bug: Bug) {
    this.inner = inner;
    this.hears = inner.hears;
    this.bug = bug;
  }

  receive(heard: Heard, from: MemberId, now: number): Effect[] {
    const seen = this.bug.hears === undefined ? heard : this.bug.hears(heard);
    const effects = seen === undefined ? [] : this.inner.receive(seen, from, now);
    this.bug.after?.(this.inner);
    return this.bug.wants === undefined
      ? effects
      : effects.flatMap((effect) => this.bug.wants?.(effect) ?? []);
  }
}

/** The actor, or the actor with the bug around it where the bug is of its kind. */
export function withBug(
  actor: Router | Scheduler | Worker,
  kind: ActorKind,
  process: MemberId,
  bug?: Bug,
): Actor {
  if (bug?.kind !== kind) return actor;
  bug.plant?.(actor, process);
  return new Bugged(actor, bug);
}
