// Planted bugs in how the members of a cluster find each other and who owns what: leases, the store, fencing.

import type { Actor } from '../../actors/actor.js';
import type { Job } from '../../actors/job/job.js';
import type { Leases } from '../../cluster/leases.js';
import type { StewardEffect } from '../../cluster/steward.js';
import type { StoredMembership } from '../../cluster/stored.js';
import type { Ownership } from '../../proto/ownership.js';
import type { Bug, Joined } from './bug.js';

interface MembershipInside {
  readonly options: { readonly leaseMs: number; readonly self: { readonly id: string } };
  readonly leases: Leases;
}

interface LeasesInside {
  readonly byMember: Map<string, { seenAt: number }>;
}

const inside = (membership: StoredMembership): MembershipInside => membership as unknown as MembershipInside;
const leasesOf = (membership: StoredMembership): LeasesInside['byMember'] =>
  (inside(membership).leases as unknown as LeasesInside).byMember;

interface RouterInside {
  readonly conductor: { handOver(job: Job): void };
}

const insideRouter = (actor: Actor): RouterInside => actor as unknown as RouterInside;

interface StewardInside {
  kept: Ownership;
  adopt(list: Ownership): StewardEffect[];
  follow(list: Ownership): StewardEffect[];
  put(text: string, revision: number): StewardEffect[];
}

const insideSteward = ({ steward }: Joined): StewardInside => steward as unknown as StewardInside;

/** As it is written down here, by the clock on the wall. */
type Stamped = { at?: number };

export const clustering: Readonly<Record<string, Bug>> = {
  leaseByWallClock: {
    about: 'an entry says when it was written, and is held against the own clock on the wall',
    kind: 'member',
    clusters: true,
    member({ membership }, wall) {
      const told = membership.told.bind(membership);
      membership.told = (fact, now) => {
        const step = told(fact, now);
        if (fact.type === 'entry.put') {
          const lease = leasesOf(membership).get(fact.key);
          const { at = wall() } = JSON.parse(fact.text) as Stamped;
          if (lease !== undefined) lease.seenAt = now - (wall() - at);
        }
        const effects = step.effects.map((effect) =>
          effect.type === 'put'
            ? { ...effect, text: JSON.stringify({ ...JSON.parse(effect.text), at: wall() }) }
            : effect,
        );
        return { ...step, effects };
      };
    },
  },
  noFencing: {
    about: 'whatever list of owners the store tells is followed, a lower one too',
    kind: 'member',
    clusters: true,
    member(node) {
      const steward = insideSteward(node);
      steward.follow = (list) => steward.adopt(list);
    },
  },
  fencedByRevision: {
    about: 'of two lists of owners the one of the higher revision in the store is followed',
    kind: 'member',
    clusters: true,
    member(node) {
      const steward = insideSteward(node);
      const put = steward.put.bind(steward);
      let last = 0;
      steward.put = (text, revision) => {
        const isNewer = revision > last;
        last = Math.max(last, revision);
        steward.follow = (list) => (isNewer ? steward.adopt(list) : []);
        return put(text, revision);
      };
    },
  },
  handoverLosesQueue: {
    about: 'what waits at an owner of before is called back and given to nobody',
    kind: 'router',
    clusters: true,
    plant(actor) {
      insideRouter(actor).conductor.handOver = (job) => {
        job.attempt++;
      };
    },
  },
  getThenAct: {
    about: 'what is written over is read first and not compared when it is written',
    kind: 'member',
    clusters: true,
    store: (store) => ({
      watch: (events) => store.watch(events),
      put: (key, text) => store.put(key, text),
      read: (key) => store.read(key),
      erase: (key) => store.erase(key),
      async write(key, text, expected) {
        const entry = await store.read(key);
        return (entry?.revision ?? 0) === expected ? store.put(key, text) : undefined;
      },
      async remove(key, expected) {
        if ((await store.read(key))?.revision !== expected) return false;
        await store.erase(key);
        return true;
      },
    }),
  },
  deafJudges: {
    about: 'who no longer hears itself in the store judges the others all the same',
    kind: 'member',
    clusters: true,
    member({ membership }) {
      inside(membership).leases.growsDeaf = () => false;
    },
  },
  leasesRunOn: {
    about: 'when a view lives again, the others are given no time to be heard',
    kind: 'member',
    clusters: true,
    member({ membership }) {
      const { leases } = inside(membership);
      const heardSelf = leases.heardSelf.bind(leases);
      leases.heardSelf = (beat, now) => {
        const seen = new Map([...leasesOf(membership)].map(([member, { seenAt }]) => [member, seenAt]));
        const livesAgain = heardSelf(beat, now);
        for (const [member, lease] of leasesOf(membership)) lease.seenAt = seen.get(member) ?? lease.seenAt;
        return livesAgain;
      };
    },
  },
};
