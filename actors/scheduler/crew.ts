// Who can run the jobs of one lane: the trusted workers that have its model ready and the tags that its owner asks for. And
// who soon can, for it is loading the model.
import type { Batching } from '../../proto/batching.js';
import type { Registry } from './registry.js';
import type { Share } from './shares.js';
import type { WorkerRecord } from './workers.js';

export interface Member {
  readonly worker: WorkerRecord;
  readonly share: Share;
  readonly preferred: boolean;
}

/** Those that retire it count only while nobody else has it: under a steady load they would never have a quiet moment to go. */
export function crewOf(registry: Registry, model: string, batching: Batching): Member[] {
  const crew: Member[] = [];
  let staying = 0;
  for (const worker of registry.trusted()) {
    const share = worker.serving(model);
    if (share === undefined || !batching.needs.every((tag) => worker.tags.has(tag))) continue;
    if (share.state === 'ready') staying++;
    crew.push({ worker, share, preferred: batching.prefers.some((tag) => worker.tags.has(tag)) });
  }
  if (staying === 0 || staying === crew.length) return crew;
  return crew.filter(({ share }) => share.state === 'ready');
}

export function loadersOf(registry: Registry, model: string, { needs }: Batching): WorkerRecord[] {
  return [...registry.trusted()].filter((worker) => {
    const state = worker.shares.get(model)?.state;
    const isComing = (state === 'loading' || state === 'warming') && worker.takesWork;
    return isComing && needs.every((tag) => worker.tags.has(tag));
  });
}
