// What of a model's `batching` schedulers, doors and workers go by: when its jobs are put together, where they run, and how
// batches are filled up.
import { type Batching, batchDelayMostMs, batchingDefaults } from '../../proto/batching.js';
import type { BatchingConfig } from './batching-keys.js';
import type { ShapeBuckets } from './buckets.js';

/** As schedulers are told of it. */
export function batchingOf(config: BatchingConfig | undefined): Batching {
  if (config === undefined) return batchingDefaults;
  const { policy, preferred, weight, needs, prefers } = config;
  return {
    policy,
    preferred,
    delayMostMs: config.maxDelayMs ?? (policy === 'window' ? 0 : batchDelayMostMs),
    weight,
    depthMax: config.queueDepthMax ?? 0,
    bytesMax: config.queueBytesMax ?? 0,
    choice: config.choice ?? '',
    needs,
    prefers,
  };
}

/** The rows that the model may be run with, ascending; empty: any. */
export function rowSizesOf(config: BatchingConfig | undefined): readonly number[] {
  return config?.sizes ?? [];
}

export function bucketsOf(config: BatchingConfig | undefined): ShapeBuckets | undefined {
  return config?.shapeBuckets;
}
