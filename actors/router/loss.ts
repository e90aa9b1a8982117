// What becomes of a job whose worker was lost under it. A loss with evidence that the job may be the cause sends it on
// under watch (solo). After a second such loss, under watch and after it had started, no third worker is risked: the job
// is named guilty when the worker is known to have broken down. When it only fell silent, word of it is waited for.
import type { MemberId } from '../../proto/ids.js';
import type { Cause } from '../../proto/messages.js';
import type { Company, Job } from '../job/job.js';

export interface LossLimits {
  /** Workers that a job may lose without guilt before it is given up: a reserve apart from the budget of retries. */
  readonly lossesMax: number;
  /** Runs of one job, the first included, that may fail for a fault of the machinery. */
  readonly attemptsMax: number;
}

/**
 * `silent`: suspicion gave the worker up. `returned`: the worker never ran it. `unanswered`: nobody knows of it. `split`:
 * its batch failed, maybe for another member. `device` and `garbled`: the worker lost its device, or its answer was none.
 * `withheld`: it was begun at a worker that gave such an answer to another.
 */
export type LossCause =
  | Cause
  | 'silent'
  | 'returned'
  | 'unanswered'
  | 'split'
  | 'device'
  | 'garbled'
  | 'withheld';

export interface Verdict {
  /** `begun`: its run may have begun, and it is not to be run twice. */
  readonly fate: 'requeue' | 'poisoned' | 'exhausted' | 'undecided' | 'begun';
  readonly company: Company;
  readonly deaths: number;
  readonly losses: number;
}

const breakdowns: ReadonlySet<LossCause> = new Set(['crashed', 'exhausted', 'hung']);
/** It may have broken down, or only be out of reach. */
const silences: ReadonlySet<LossCause> = new Set(['unknown', 'silent']);

export function judgeLoss(job: Job, cause: LossCause, limits: LossLimits): Verdict {
  const { deaths, company } = job;
  if (cause === 'returned') return { fate: 'requeue', company, deaths, losses: job.losses };
  // Even of one that was only assigned: word of its start may have been lost with the worker.
  if (!job.spec.idempotent) return { fate: 'begun', company, deaths, losses: job.losses + 1 };
  // It was asked to stop, and had answered all that it began: a drain costs nobody anything.
  if (cause === 'stopped') return { fate: 'requeue', company, deaths, losses: job.losses };
  // The fault of a batch may be another member's. Nobody is given up for that, and by itself it happens no more.
  if (cause === 'split' && company === 'any') {
    return { fate: 'requeue', company: 'alone', deaths, losses: job.losses };
  }
  const losses = job.losses + 1;
  const fate = losses >= limits.lossesMax ? 'exhausted' : 'requeue';
  if (cause === 'split') return { fate, company, deaths, losses };
  if (isFailure(cause)) {
    // Each lost device ends its worker. A second one under the job by itself is no chance: no third is risked. Nor is a
    // second invalid answer, for then it is the model's, or comes of what the model was given.
    const again = cause === 'device' || job.failures > 0;
    const spent = job.failures + 1 >= limits.attemptsMax || (again && company !== 'any');
    return {
      fate: spent ? 'exhausted' : fate,
      company: company === 'any' ? 'alone' : company,
      deaths,
      losses,
    };
  }
  const broken = breakdowns.has(cause);
  if (!broken && !silences.has(cause)) return { fate, company, deaths, losses };
  // Under watch a job runs by itself and only after its router has noted the start: without that note it is innocent.
  if (company === 'solo' && deaths > 0 && !job.is('running')) return { fate, company, deaths, losses };
  if (deaths === 0) return { fate, company: 'solo', deaths: 1, losses };
  const second = { company: 'solo', deaths: deaths + 1, losses } as const;
  if (broken) return { fate: isSure(job) ? 'poisoned' : 'exhausted', ...second };
  return { fate: fate === 'requeue' ? 'undecided' : fate, ...second };
}

/** Whether a second death is proof against it. One is not, where two runs of it were under way at once without a watch. */
function isSure({ unsure, unseen, placement, spec }: Job): boolean {
  return !unsure && !unseen && (placement?.rows ?? spec.rows) <= spec.rows;
}

/** The machinery failed and said so itself: trying again is what the budget of retries is for. */
export function isFailure(cause: LossCause): boolean {
  return cause === 'device' || cause === 'garbled';
}

/** What ended the worker may have been what it ran. */
export function harms(cause: LossCause): boolean {
  return breakdowns.has(cause) || silences.has(cause);
}

/** A second run was lost with its worker while the first goes on: should that be lost so too, it was the second time. */
export function noteTwinLoss(job: Job, worker: MemberId, cause: LossCause, begun: boolean): void {
  // Word of the beginning comes long before a run is taken for hung: it was another's.
  if (cause === 'hung' && !begun) return;
  job.unsure ||= !begun;
  job.deaths++;
  job.company = 'solo';
  doubt(job, silences.has(cause) ? worker : '');
  job.proven ||= breakdowns.has(cause);
}

/** Notes the loss in the job. */
export function noteLoss(job: Job, verdict: Verdict, cause: LossCause): void {
  if (isFailure(cause)) job.failures++;
  const counted = verdict.deaths > job.deaths;
  // Of a loss that proves nothing an earlier doubt is neither settled nor forgotten.
  if (counted) doubt(job, silences.has(cause) ? job.worker : '');
  job.proven ||= counted && breakdowns.has(cause);
  job.losses = verdict.losses;
  job.deaths = verdict.deaths;
  job.company = verdict.company;
  if (verdict.company !== 'solo') job.usual = verdict.company;
}

/** The loss noted last was no silence but a failure, which its worker told late. */
export function reviseLoss(job: Job, failure: 'device' | 'garbled', limits: LossLimits): Verdict['fate'] {
  job.losses--;
  const verdict = judgeLoss(job, failure, limits);
  noteLoss(job, verdict, failure);
  return verdict.fate;
}

/** `freed`: it waits under watch, and needs none. */
export type WordFate = 'poisoned' | 'exhausted' | 'requeue' | 'freed' | 'unchanged';

/** What word of a worker's end makes of a job that was lost with it before. */
export function hearEnd(job: Job, worker: MemberId, cause: Cause): WordFate {
  if (job.doubted !== worker) return 'unchanged';
  const broken = breakdowns.has(cause);
  if (!broken && cause !== 'unknown') return acquit(job);
  const { cameBack } = job;
  doubt(job, '');
  job.proven ||= broken && !cameBack;
  if (!broken || !isUndecided(job)) return 'unchanged';
  return isSure(job) && !cameBack ? 'poisoned' : 'exhausted';
}

/**
 * An answer given while the link was away is lost with it: what breaks the worker down once it is back may be another
 * run. It is no acquittal either, for the job may still be running there.
 */
export function hearReturn(job: Job, worker: MemberId): void {
  if (job.doubted === worker) job.cameBack = true;
}

/**
 * The worker answered what it was lost with: whatever ends it later, that run had not. That it is alive would be no such
 * word: the job may hang there.
 */
export function hearAnswer(job: Job, worker: MemberId): WordFate {
  return job.doubted === worker && isUndecided(job) ? acquit(job) : 'unchanged';
}

function acquit(job: Job): WordFate {
  const undecided = isUndecided(job);
  doubt(job, '');
  job.deaths--;
  if (undecided) return 'requeue';
  if (job.deaths > 0 || job.placed) return 'unchanged';
  job.company = job.usual;
  return job.is('queued') ? 'freed' : 'unchanged';
}

function doubt(job: Job, worker: MemberId): void {
  job.doubted = worker;
  job.cameBack = false;
}

function isUndecided(job: Job): boolean {
  return job.deaths >= 2 && job.is('retrying');
}
