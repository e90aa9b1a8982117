// Which of the workers that could take a batch gets it. Every policy is a comparison of candidates; ties go to the one
// that has waited longest, so that equal workers share equally.
export const choices = ['earliest-finish', 'least-loaded', 'round-robin'] as const;

export type Choice = (typeof choices)[number];

export interface Candidate {
  /** Rows that it has been given and not finished. */
  readonly rowsHeld: number;
  /** When everything that it has is expected to be done. */
  readonly freeAt: number;
  /** What this batch is expected to cost there. */
  readonly costMs: number;
  /** Counts up with every batch that anybody gets. */
  readonly lastChosen: number;
}

export function chooseWorker<C extends Candidate>(candidates: readonly C[], choice: Choice): C | undefined {
  let best: C | undefined;
  for (const candidate of candidates) {
    if (best === undefined || better(candidate, best, choice)) best = candidate;
  }
  return best;
}

function better(a: Candidate, b: Candidate, choice: Choice): boolean {
  if (choice === 'least-loaded' && a.rowsHeld !== b.rowsHeld) return a.rowsHeld < b.rowsHeld;
  if (choice === 'earliest-finish') {
    const difference = a.freeAt + a.costMs - (b.freeAt + b.costMs);
    if (Math.abs(difference) > 0.01) return difference < 0;
  }
  return a.lastChosen < b.lastChosen;
}
