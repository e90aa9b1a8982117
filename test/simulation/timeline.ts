// Virtual time: a heap of events, each run at its instant, those of one instant in the order in which they were put
// there. A timer that arms itself again comes round as often as it should, which a clock that jumps would miss.

import { settle } from '../../runtime/clock.js';

export interface Happening {
  readonly at: number;
  readonly order: number;
  readonly act: () => void;
  cancelled: boolean;
}

export class Timeline {
  now = 0;
  /** Promises may have to be kept before anything else happens. */
  isStirred = false;
  /** What went wrong where nobody was there to catch it. */
  broken: unknown;
  private readonly heap: Happening[] = [];
  private order = 0;

  at(at: number, act: () => void): Happening {
    const happening = { at: Math.max(at, this.now), order: this.order++, act, cancelled: false };
    this.push(happening);
    return happening;
  }

  after(delayMs: number, act: () => void): Happening {
    return this.at(this.now + delayMs, act);
  }

  /** Runs everything up to `until`. */
  run(until: number): void {
    while (this.step(until));
  }

  /** The same, where some of what happens is promised. */
  async runKeeping(until: number): Promise<void> {
    do {
      if (this.isStirred) {
        this.isStirred = false;
        await new Promise<void>((kept) => settle(kept));
      }
      if (this.broken !== undefined) throw this.broken;
    } while (this.step(until));
  }

  /** The next of what happens; false, and it is `until`, when there is no more by then. */
  private step(until: number): boolean {
    const next = this.heap[0];
    if (next === undefined || next.at > until) {
      this.now = until;
      return false;
    }
    this.pop();
    if (next.cancelled) return true;
    this.now = next.at;
    next.act();
    return true;
  }

  private push(happening: Happening): void {
    const { heap } = this;
    let place = heap.length;
    heap.push(happening);
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = heap[above] as Happening;
      if (!before(happening, parent)) break;
      heap[place] = parent;
      place = above;
    }
    heap[place] = happening;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop() as Happening;
    const { length } = heap;
    if (length === 0) return;
    let place = 0;
    for (;;) {
      let below = place * 2 + 1;
      if (below >= length) break;
      const right = below + 1;
      if (right < length && before(heap[right] as Happening, heap[below] as Happening)) below = right;
      if (!before(heap[below] as Happening, last)) break;
      heap[place] = heap[below] as Happening;
      place = below;
    }
    heap[place] = last;
  }
}

function before(one: Happening, other: Happening): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}
