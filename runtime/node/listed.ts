// The repository as the actors are told of it.
import type { ListedModel } from '../../actors/facts.js';
import { batchingOf } from '../models/batching.js';
import type { Repository } from '../models/repository.js';

export function listedModels(repository: Repository, runLongestMs: number): ListedModel[] {
  return repository.models.map((entry) => ({
    model: entry.name,
    version: entry.version,
    broken: entry.state === 'available' ? '' : entry.reason,
    runMaxMs: entry.config.runLongestMs ?? runLongestMs,
    batching: batchingOf(entry.config.batching),
  }));
}
