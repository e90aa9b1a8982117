// Which models only some of the workers have: who drains a node asks that of a scheduler, for it knows what workers have.
import { type MemberId, modelKey, versionOf } from '../../proto/ids.js';
import { limits } from '../../proto/limits.js';
import type { Said } from '../../proto/messages.js';
import type { Lane } from '../lane/lane.js';
import type { Registry } from './registry.js';
import { isAtRest, type Share } from './shares.js';

type Soles = Pick<Said<'soles.told'>, 'models' | 'unknown'>;

/** With the workers that have them too and do not count, for they are gone or take nothing now. `lanes`: by edition. */
export function solesOf(
  registry: Registry,
  { leaving, gone }: Said<'soles.ask'>,
  lanes: ReadonlyMap<string, Pick<Lane, 'model' | 'version' | 'batching'>>,
): Soles {
  const isLeaving = new Set(leaving);
  const isGone = new Set(gone);
  const there = new Map<string, readonly [model: string, version: string]>();
  const elsewhere = new Set<string>();
  const had = new Map<string, MemberId[]>();
  for (const worker of registry.all()) {
    const counts = worker.takesWork && !isGone.has(worker.id);
    for (const [edition, share] of worker.shares) {
      const lane = lanes.get(edition);
      if (lane === undefined || !has(share)) continue;
      if (lane.batching.needs.some((tag) => !worker.tags.has(tag))) continue;
      const { model } = lane;
      const version = versionOf(lane.version);
      const key = modelKey(model, version);
      if (isLeaving.has(worker.id)) {
        if (share.state !== 'retiring') there.set(key, [model, version]);
      } else if (counts) elsewhere.add(key);
      else had.set(key, [...(had.get(key) ?? []), worker.id]);
    }
  }
  const soles = [...there].filter(([key]) => !elsewhere.has(key)).slice(0, limits.modelsOwnedMax);
  const models = soles.map(([key, [model, version]]) => [model, version, had.get(key) ?? []] as const);
  const known = new Set([...registry.all()].map(({ id }) => id));
  return { models, unknown: leaving.filter((id) => !known.has(id)) };
}

/** Or is about to: who loads it has not failed yet. */
function has(share: Share): boolean {
  return isAtRest(share) || ['loading', 'warming', 'ready', 'retiring'].includes(share.state);
}
