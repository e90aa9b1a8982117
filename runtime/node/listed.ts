// The repository as the actors are told of it.
import type { ListedModel } from '../../actors/facts.js';
import { batchingOf } from '../models/batching.js';
import { editionOf, type ModelEntry, needsWorker } from '../models/entry.js';
import { memoryMbOf } from '../models/memory.js';

export function listedModels(
  { models }: { readonly models: readonly ModelEntry[] },
  runLongestMs: number,
  device = '',
): ListedModel[] {
  return models.filter(isRun).map((entry) => ({
    model: entry.name,
    version: editionOf(entry),
    broken: entry.state === 'available' ? '' : entry.reason,
    runMaxMs: entry.config.runLongestMs ?? runLongestMs,
    batching: batchingOf(entry.config.batching),
    load: entry.isComing === true ? 'now' : entry.config.load,
    memoryMb: memoryMbOf(entry, device),
    isShared: entry.isShared === true,
    form: JSON.stringify([entry.inputs, entry.outputs, entry.maxBatch]),
  }));
}

/** What runs another model needs no worker of its own. */
function isRun(entry: ModelEntry): boolean {
  return entry.state !== 'available' || needsWorker(entry);
}
