// Which of the workers that could take a batch gets it. Every policy is a comparison of candidates; ties go to one that
// is still warm from its last batches, and in the long run to the one that has waited longest, so that equals share.
import type { WorkerChoice } from '../../proto/batching.js';

const equalMs = 0.05;
const equalShare = 0.1;
/** One that is slower by more is not tried without need. */
const tryFactor = 2;

export interface Candidate {
  /** It has a credit to spare and is about to be free. */
  readonly open: boolean;
  /** The most urgent of the batch would be answered in time there. */
  readonly inTime: boolean;
  /** It has a tag that the model's owner prefers. */
  readonly preferred: boolean;
  /** Rows that it has been given and not finished. */
  readonly rowsHeld: number;
  /** When everything that it has is expected to be done; never in the past. */
  readonly freeAt: number;
  /** What this batch is expected to cost there. */
  readonly costMs: number;
  /** So much longer than to the nearest is the way there of late. */
  readonly detourMs: number;
  /** It had the last batch, and not too many before that in a row. */
  readonly warm: boolean;
  /** It had many in a row: another that would do is to be tried, or nobody would learn what it takes by now. */
  readonly tired: boolean;
  /** What it takes is known from trials only. */
  readonly untried: boolean;
  /** Counts up with every batch that anybody gets. */
  readonly lastChosen: number;
}

/** The best of those that are open; undefined when there is none, or when waiting for another is better. */
export function chooseWorker<C extends Candidate>(
  candidates: readonly C[],
  choice: WorkerChoice,
  rowsWaiting: number,
  rowsAtOnce: number,
): C | undefined {
  let best: C | undefined;
  for (const candidate of candidates) {
    if (candidate.open && (best === undefined || better(candidate, best, choice))) best = candidate;
  }
  if (best === undefined) return undefined;
  // Who could still be answered in time by one that is busy waits for that one.
  if (!best.inTime && candidates.some((other) => other.inTime)) return undefined;
  const preferred = preferredTo(best, candidates, choice);
  if (preferred !== undefined || choice !== 'earliest-finish') return preferred ?? best;
  if (!worthIt(best, candidates, rowsWaiting, rowsAtOnce)) return undefined;
  return best.tired ? relief(best, candidates) : best;
}

/** Whoever waited longest of those that are free as soon and not far slower. */
function relief<C extends Candidate>(best: C, candidates: readonly C[]): C {
  let found = best;
  for (const other of candidates) {
    const wouldDo = other.open && other.inTime && other.freeAt <= best.freeAt + equalMs;
    const isWorthIt = other.untried || takes(other) <= tryFactor * takes(best);
    if (wouldDo && isWorthIt && other.lastChosen < found.lastChosen) found = other;
  }
  return found;
}

/** The best of those that the model's owner prefers, where it is free as soon and in time. */
function preferredTo<C extends Candidate>(
  best: C,
  candidates: readonly C[],
  choice: WorkerChoice,
): C | undefined {
  let found: C | undefined;
  for (const other of candidates) {
    if (!other.preferred || !other.open || other.inTime !== best.inTime) continue;
    if (other.freeAt > best.freeAt + equalMs) continue;
    if (found === undefined || better(other, found, choice)) found = other;
  }
  return found;
}

function better(a: Candidate, b: Candidate, choice: WorkerChoice): boolean {
  if (a.inTime !== b.inTime) return a.inTime;
  if (choice === 'least-loaded' && a.rowsHeld !== b.rowsHeld) return a.rowsHeld < b.rowsHeld;
  if (choice === 'fastest' && differ(a.costMs, b.costMs, a)) return a.costMs < b.costMs;
  if (choice === 'earliest-finish' && differ(finishOf(a), finishOf(b), a)) return finishOf(a) < finishOf(b);
  if (choice !== 'round-robin' && a.warm !== b.warm) return a.warm;
  return a.lastChosen < b.lastChosen;
}

/**
 * A slow worker gets only what it answers before the others would have worked off everything that waits: whoever is
 * given to it sooner waits for it longer than for a busy but faster one.
 */
function worthIt(
  best: Candidate,
  candidates: readonly Candidate[],
  rowsWaiting: number,
  rowsAtOnce: number,
): boolean {
  const finish = finishOf(best);
  let doneMeanwhile = 0;
  for (const other of candidates) {
    if (other.open || finishOf(other) >= finish) continue;
    const workMs = finish - other.freeAt - other.detourMs;
    doneMeanwhile += rowsAtOnce * Math.floor(workMs / Math.max(other.costMs, 1e-6));
    if (doneMeanwhile >= rowsWaiting) return false;
  }
  return true;
}

function finishOf(candidate: Candidate): number {
  return candidate.freeAt + takes(candidate);
}

function takes({ costMs, detourMs }: Candidate): number {
  return costMs + detourMs;
}

/** Estimates that are nearer to each other than they are good say nothing. */
function differ(a: number, b: number, { costMs }: Candidate): boolean {
  return Math.abs(a - b) > Math.max(equalMs, equalShare * costMs);
}
