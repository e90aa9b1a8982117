// How the requests of a model are put into batches where that does not hang on the load: said by its owner, or by what it is.
import { mannerOf } from '../../actors/lane/lane.js';
import { isUnavailable, type ModelCondition } from '../../actors/router/coverage.js';
import type { BatchManner } from '../doors/engine.js';
import type { ModelEntry } from '../models/entry.js';

/** What stands whatever the load is, or until a scheduler has reported on the model. */
export function settledManner(entry: ModelEntry, condition: ModelCondition): BatchManner | undefined {
  const own = mannerOf(entry.config.batching?.policy ?? 'auto');
  const { policy } = own;
  if (entry.state !== 'available') return { policy, why: `it can't be served: ${entry.reason}` };
  if (isUnavailable(condition)) return { policy, why: `it can't be run: ${condition.reason}` };
  if (entry.maxBatch === 0)
    return { policy, why: 'it does not batch (maxBatch is 0): each request runs by itself' };
  if (!entry.config.idempotent)
    return { policy, why: 'it does not batch (idempotent is false): each request runs by itself' };
  return condition.why === '' && policy !== 'auto' ? own : undefined;
}
