// What becomes of a job whose worker was lost under it. A loss with evidence that the job may be the cause sends it on
// under watch (solo); a second such loss, under watch and after it had started, names it guilty.
import type { Cause } from '../../proto/messages.js';
import type { Company, Job } from '../job/job.js';

export interface LossLimits {
  /** Losses without guilt after which a job is given up. */
  readonly lossesMax: number;
}

/** `silent`: suspicion gave the worker up. `returned`: the worker never ran it. `unanswered`: nobody knows of it. */
export type LossCause = Cause | 'silent' | 'returned' | 'unanswered' | 'split' | 'device';

export interface Verdict {
  readonly fate: 'requeue' | 'poisoned' | 'exhausted';
  readonly company: Company;
  readonly deaths: number;
  readonly losses: number;
}

const evidence: ReadonlySet<LossCause> = new Set(['crashed', 'exhausted', 'hung', 'unknown']);

export function judgeLoss(job: Job, cause: LossCause, limits: LossLimits): Verdict {
  const { deaths, company } = job;
  if (cause === 'returned') return { fate: 'requeue', company, deaths, losses: job.losses };
  const losses = job.losses + 1;
  const fate = losses >= limits.lossesMax ? 'exhausted' : 'requeue';
  // A fault of the batch may be one member's: each goes on by itself.
  if (cause === 'split' || cause === 'device') {
    return { fate, company: company === 'any' ? 'alone' : company, deaths, losses };
  }
  if (!evidence.has(cause)) return { fate, company: cause === 'silent' ? 'solo' : company, deaths, losses };
  // Under watch a job runs by itself and only after its router has noted the start: without that note it is innocent.
  if (company === 'solo' && deaths > 0 && !job.is('running')) return { fate, company, deaths, losses };
  if (deaths + 1 >= 2) return { fate: 'poisoned', company: 'solo', deaths: deaths + 1, losses };
  return { fate, company: 'solo', deaths: deaths + 1, losses };
}
