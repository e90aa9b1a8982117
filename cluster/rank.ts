// What a node may be at most stands in the middle of its id: `front.router.0c1f2e7a55`. The id is the key of its entry in the
// store, and the store's rights go by keys: so whoever may write entries of workers only can list no scheduler. An id without
// a rank is that of an earlier build, whose users may write them all.
import type { MemberId, Role } from '../proto/ids.js';

/** Each may be what those before it may be as well. */
export const ranks = ['worker', 'router', 'scheduler'] as const;
export type Rank = (typeof ranks)[number];

/** The lowest that may have these roles. */
export function rankFor(given: readonly Role[]): Rank {
  return ranks.findLast((rank) => given.includes(rank)) ?? 'worker';
}

/** Undefined where its id does not say. */
export function rankOf(member: MemberId): Rank | undefined {
  const from = member.indexOf('.') + 1;
  const rank = member.slice(from, Math.max(from, member.indexOf('.', from)));
  return ranks.find((one) => one === rank);
}

/** Whether it may have these roles, by its id. */
export function mayBe(member: MemberId, given: readonly Role[]): boolean {
  const rank = rankOf(member);
  return rank === undefined || ranks.indexOf(rankFor(given)) <= ranks.indexOf(rank);
}
