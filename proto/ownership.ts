// Which scheduler owns which model, as it is said everywhere: a list under an epoch, which is a pair of a count and of whoever
// wrote it, so that two who saw the same past can't make the same one. A higher list replaces a lower one.
import { type MemberId, modelKey, versionOf } from './ids.js';

export type Epoch = readonly [count: number, by: MemberId];

/** `since`: the epoch in which the owner got it. */
export type Owned = readonly [model: string, owner: MemberId, since: Epoch];

export interface Ownership {
  readonly epoch: Epoch;
  /** By model, ascending. */
  readonly owners: readonly Owned[];
}

export const noEpoch: Epoch = [0, ''];
/** Far above all that there will be, and far below where numbers are not whole any more: there is always a higher one. */
export const epochCountBound = 2 ** 48;
/** What a member says that it has seen is believed below this: above it there is as much room again for lists. */
export const epochCountBelieved = epochCountBound / 2;

export const unowned: Ownership = { epoch: noEpoch, owners: [] };

/** Below 0 when the first is lower, 0 when they are the same. */
export function compareEpochs([count, by]: Epoch, [otherCount, otherBy]: Epoch): number {
  if (count !== otherCount) return count - otherCount;
  return by === otherBy ? 0 : by < otherBy ? -1 : 1;
}

export function higherEpoch(one: Epoch, other: Epoch): Epoch {
  return compareEpochs(one, other) < 0 ? other : one;
}

/** What has one owner: a version, with all of its editions. */
export function shardOf(model: string, version: string): string {
  return modelKey(model, versionOf(version));
}

export function sameOwners(one: readonly Owned[], other: readonly Owned[]): boolean {
  return (
    one.length === other.length &&
    one.every(([model, owner, since], at) => {
      const [otherModel, otherOwner, otherSince] = other[at] as Owned;
      return model === otherModel && owner === otherOwner && compareEpochs(since, otherSince) === 0;
    })
  );
}
