// A rule of the design that does not hold: it ends the run of its seed.

export class Violation extends Error {
  readonly invariant: string;

  constructor(invariant: string, sentence: string) {
    super(`${invariant}: ${sentence}`);
    this.name = 'Violation';
    this.invariant = invariant;
  }
}

export function require(holds: boolean, invariant: string, sentence: () => string): void {
  if (!holds) throw new Violation(invariant, sentence());
}
