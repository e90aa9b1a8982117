// Planted bugs in how the members of a cluster find each other and who owns what: leases, the store, fencing.
import type { Leases } from '../../cluster/leases.js';
import type { StoredMembership } from '../../cluster/stored.js';
import type { Bug } from './bug.js';

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

/** As it is written down here, by the clock on the wall. */
type Stamped = { at?: number };

export const clustering: Readonly<Record<string, Bug>> = {
  leaseByWallClock: {
    about: 'an entry says when it was written, and is held against the own clock on the wall',
    kind: 'member',
    member(membership, wall) {
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
  deafJudges: {
    about: 'who no longer hears itself in the store judges the others all the same',
    kind: 'member',
    member(membership) {
      inside(membership).leases.growsDeaf = () => false;
    },
  },
  leasesRunOn: {
    about: 'when a view lives again, the others are given no time to be heard',
    kind: 'member',
    member(membership) {
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
