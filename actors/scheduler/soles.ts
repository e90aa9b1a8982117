// Which models only some of the workers have: who drains a node asks that of a scheduler, for it knows what workers have.
import { type MemberId, versionOf } from '../../proto/ids.js';
import { limits } from '../../proto/limits.js';
import type { Said } from '../../proto/messages.js';
import type { Registry } from './registry.js';
import { isAtRest, type Share } from './shares.js';

type Soles = Pick<Said<'soles.told'>, 'models' | 'unknown'>;

/** With the workers that have them too and do not count, for they are gone or take nothing now. `needsOf`: tags, by edition. */
export function solesOf(
  registry: Registry,
  { leaving, gone }: Said<'soles.ask'>,
  needsOf: (edition: string) => readonly string[],
): Soles {
  const isLeaving = new Set(leaving);
  const isGone = new Set(gone);
  const there = new Set<string>();
  const elsewhere = new Set<string>();
  const had = new Map<string, MemberId[]>();
  for (const worker of registry.all()) {
    const counts = worker.takesWork && !isGone.has(worker.id);
    for (const [edition, share] of worker.shares) {
      if (!has(share) || needsOf(edition).some((tag) => !worker.tags.has(tag))) continue;
      const key = versionOf(edition);
      if (isLeaving.has(worker.id)) {
        if (share.state !== 'retiring') there.add(key);
      } else if (counts) elsewhere.add(key);
      else had.set(key, [...(had.get(key) ?? []), worker.id]);
    }
  }
  const soles = [...there].filter((key) => !elsewhere.has(key)).slice(0, limits.modelsOwnedMax);
  const models = soles.map((key) => {
    const end = key.lastIndexOf(':');
    return [key.slice(0, end), key.slice(end + 1), had.get(key) ?? []] as const;
  });
  const known = new Set([...registry.all()].map(({ id }) => id));
  return { models, unknown: leaving.filter((id) => !known.has(id)) };
}

/** Or is about to: who loads it has not failed yet. */
function has(share: Share): boolean {
  return isAtRest(share) || ['loading', 'warming', 'ready', 'retiring'].includes(share.state);
}
