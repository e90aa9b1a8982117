// The latest of what comes, a fixed number of them: each new one takes the place of the oldest. How they are kept is
// another's matter.
import type { JobNumber } from '../../proto/ids.js';
import type { Asked, Ended } from './journal.js';

export abstract class Ring {
  protected readonly size: number;
  protected readonly numbers: JobNumber[] = [];
  private next = 0;

  constructor(size: number) {
    this.size = size;
  }

  find(number: JobNumber): Ended | undefined {
    const at = this.numbers.indexOf(number);
    return at < 0 ? undefined : this.at(at);
  }

  /** The newest first. */
  latest(count: number, fits: (asked: Asked) => boolean): Ended[] {
    const found: Ended[] = [];
    const kept = this.numbers.length;
    for (let back = 1; back <= kept && found.length < count; back++) {
      const ended = this.at((this.next - back + kept) % kept);
      if (fits(ended.spec)) found.push(ended);
    }
    return found;
  }

  /** The place of the next one; only where there is room for any. */
  protected place(number: JobNumber): number {
    const at = this.next;
    this.next = at + 1 === this.size ? 0 : at + 1;
    this.numbers[at] = number;
    return at;
  }

  protected abstract at(at: number): Ended;
}
