// How the loading of models ended in a worker, by its own word: what it has let go it has to load anew before that counts
// again.

/** With each change of its files a model has another name: the oldest are no matter. */
const keptMax = 4096;

export class Outcomes {
  private readonly reasons = new Map<string, string>();

  /** It was in its memory, and is no more. */
  left(key: string): void {
    if (this.reasons.get(key) === '') this.reasons.delete(key);
  }

  /** Without a reason it has it. */
  ended(key: string, reason: string): void {
    if (this.reasons.size >= keptMax) this.reasons.delete(this.reasons.keys().next().value ?? '');
    this.reasons.set(key, reason);
  }

  /** What could not be loaded and is not wanted any more may be tried again when it is. What it has it says itself. */
  forgive(wanted: ReadonlySet<string>): void {
    for (const [key, reason] of this.reasons) if (reason !== '' && !wanted.has(key)) this.reasons.delete(key);
  }

  /** Empty: it has it; undefined: it has not tried. */
  of(key: string): string | undefined {
    return this.reasons.get(key);
  }
}
