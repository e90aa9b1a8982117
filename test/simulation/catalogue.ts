// The models of a simulated system: what their runs cost, how their owners want them batched, and what may be done with
// their jobs.
import {
  type Batching,
  batchDelayMostMs,
  batchingDefaults,
  batchPolicies,
  workerChoices,
} from '../../proto/batching.js';
import type { Random } from './random.js';
import type { ModelPlan } from './scenario.js';

export function modelsOf(random: Random, steady: boolean): ModelPlan[] {
  const dear = steady ? 3 : random.chance(0.3) ? 2 : 1;
  const plan = (
    model: string,
    rowsMax: number,
    alphaMs: number,
    betaMs: number,
  ): Omit<ModelPlan, 'place'> => ({
    model,
    rowsMax,
    alphaMs: alphaMs * dear * random.between(0.5, 2),
    betaMs: betaMs * random.between(0.3, 2),
    runMaxMs: random.between(110, 160),
    batching: batchingOf(random, steady),
    idempotent: steady || random.chance(0.8),
    hedge: !steady && random.chance(0.3),
  });
  const models: ModelPlan[] = [
    { ...plan('tiny', 8, 0.2, 0.02), place: 'inline' },
    { ...plan('middle', random.pick([4, 8, 16]), 4, 0.7), place: 'thread' },
    { ...plan('single', 1, 3, 1), place: 'thread' },
  ];
  if (random.chance(0.3)) models.push({ ...plan('wide', 8, 2, 1.5), place: 'thread' });
  return models;
}

function batchingOf(random: Random, steady: boolean): Batching {
  if (random.chance(0.3)) return batchingDefaults;
  const policy = steady ? random.pick(['auto', 'edf'] as const) : random.pick(batchPolicies);
  return {
    policy,
    preferred: random.chance(0.3) ? [2, 4] : [],
    delayMostMs: policy === 'window' || random.chance(0.3) ? random.between(1, 12) : batchDelayMostMs,
    weight: random.pick([0.5, 1, 1, 3]),
    depthMax: !steady && random.chance(0.1) ? random.whole(3, 12) : 0,
    bytesMax: 0,
    choice: random.chance(0.3) ? random.pick(workerChoices) : '',
    needs: !steady && random.chance(0.12) ? ['gpu'] : [],
    prefers: random.chance(0.15) ? ['near'] : [],
  };
}
