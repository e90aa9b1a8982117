// The one entry in the store that says who owns which model, as JSON that a person can read. What is none is refused with a
// reason: the next steward writes it anew.
import type { MemberId } from '../proto/ids.js';
import { limits } from '../proto/limits.js';
import { type Epoch, epochCountBound, type Owned, type Ownership } from '../proto/ownership.js';

export const ownersKey = 'owners';

export function writeOwners({ epoch, owners }: Ownership): string {
  const byModel = owners.map(([model, owner, since]) => [model, [owner, since]] as const);
  return JSON.stringify({ epoch, owners: Object.fromEntries(byModel) });
}

/** The list, or why it is none. */
export function readOwners(text: string): Ownership | string {
  let told: unknown;
  try {
    told = JSON.parse(text);
  } catch {
    return 'the list of owners is not JSON';
  }
  if (!isObject(told) || !isEpoch(told.epoch)) return 'the list of owners has no good epoch';
  const { epoch, owners } = told as { epoch: Epoch; owners: unknown };
  if (!isObject(owners)) return 'the list of owners names none';
  const entries = Object.entries(owners);
  if (entries.length > limits.modelsOwnedMax) {
    return `the list of owners has ${entries.length} models, the most is ${limits.modelsOwnedMax}`;
  }
  const amiss = entries.find(([model, owned]) => model === '' || !isOwned(owned));
  if (amiss !== undefined) return `the list of owners says no good owner of ${amiss[0].slice(0, 80)}`;
  const listed = entries.map(([model, owned]): Owned => {
    const [owner, since] = owned as [MemberId, Epoch];
    return [model, owner, since];
  });
  return { epoch, owners: listed.sort(byModel) };
}

export function isEpoch(value: unknown): value is Epoch {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const [count, by] = value as unknown[];
  const isCount =
    Number.isSafeInteger(count) && (count as number) >= 0 && (count as number) < epochCountBound;
  return isCount && typeof by === 'string' && isShort(by);
}

export function byModel([one]: Owned, [other]: Owned): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function isOwned(value: unknown): boolean {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const [owner, since] = value as unknown[];
  return typeof owner === 'string' && owner !== '' && isShort(owner) && isEpoch(since);
}

function isShort(text: string): boolean {
  return text.length <= limits.nameLengthMax;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
