// What became of mutated files: how many were answered right, how many refused and with which word, what broke down.

const shownMost = 8;

export class Tally {
  readonly name: string;
  cases = 0;
  right = 0;
  readonly refused = new Map<string, number>();
  /** Answers that nobody should get: neither right nor a clear refusal. */
  readonly wrong: string[] = [];
  /** Of processes, with what was being tried. */
  readonly crashes: string[] = [];

  constructor(name: string) {
    this.name = name;
  }

  refuse(word: string): void {
    this.refused.set(word, (this.refused.get(word) ?? 0) + 1);
  }

  get refusedCount(): number {
    return [...this.refused.values()].reduce((sum, count) => sum + count, 0);
  }

  text(): string {
    const sorted = [...this.refused].sort(([, a], [, b]) => b - a).map(([word, count]) => `${count} ${word}`);
    const words = [...sorted.slice(0, shownMost), ...(sorted.length > shownMost ? ['others'] : [])];
    const lines = [
      `${this.name}: ${this.cases} cases, ${this.right} right, ${this.refusedCount} refused (${words.join(', ')}), ` +
        `${this.wrong.length} wrong, ${this.crashes.length} crashes`,
      ...this.wrong.slice(0, 10).map((line) => `  wrong: ${line}`),
      ...this.crashes.slice(0, 10).map((line) => `  crash: ${line}`),
    ];
    return lines.join('\n');
  }
}
