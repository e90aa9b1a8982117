// The repository as the actors are told of it.
import type { ListedModel } from '../../actors/facts.js';
import { batchingOf } from '../models/batching.js';
import type { ModelEntry, Repository } from '../models/repository.js';

export function listedModels(repository: Repository, runLongestMs: number): ListedModel[] {
  return repository.models.filter(isRun).map((entry) => ({
    model: entry.name,
    version: entry.version,
    broken: entry.state === 'available' ? '' : entry.reason,
    runMaxMs: entry.config.runLongestMs ?? runLongestMs,
    batching: batchingOf(entry.config.batching),
  }));
}

/** What runs another model needs no worker of its own. */
function isRun({ state, pipeline }: ModelEntry): boolean {
  return state !== 'available' || pipeline === undefined || pipeline.runs === '';
}
