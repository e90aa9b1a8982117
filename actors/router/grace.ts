// A model that was answered counts as ready for a short while after nobody is trusted with it any more: what health doubts
// on a busy machine is mostly back in some milliseconds, and no load balancer is to leave for that. Jobs go by what is so now.
import type { ModelCondition } from './coverage.js';

export interface GraceLimits {
  /** For how long a model that nobody is trusted with yet counts as ready. */
  readonly coverGraceMs: number;
}

export class Grace {
  private readonly graceMs: number;
  /** False where nobody is left who could be trusted again. */
  private readonly mayReturn: () => boolean;
  /** By model and version, how it was when it was answered last. */
  private readonly answered = new Map<string, ModelCondition>();
  /** Until when those count that are doubted, soonest first; who has just come to be has no time yet. */
  private readonly untils = new Map<string, number>();
  private readonly untimed = new Set<string>();

  constructor({ coverGraceMs }: GraceLimits, mayReturn: () => boolean) {
    this.graceMs = coverGraceMs;
    this.mayReturn = mayReturn;
  }

  answer(key: string, condition: ModelCondition): void {
    this.answered.set(key, condition);
    this.settle(key);
  }

  /** Nobody answers it at present. True: it counts as before. */
  doubt(key: string): boolean {
    if (!this.answered.has(key) || !this.mayReturn()) {
      this.forget(key);
      return false;
    }
    if (!this.untils.has(key)) this.untimed.add(key);
    return true;
  }

  forget(key: string): void {
    this.answered.delete(key);
    this.settle(key);
  }

  forgetAllBut(isListed: (key: string) => boolean): void {
    for (const key of this.answered.keys()) if (!isListed(key)) this.forget(key);
  }

  /** Those that count no longer. */
  takeLapsed(now: number): string[] {
    for (const key of this.untimed) this.untils.set(key, now + this.graceMs);
    this.untimed.clear();
    const isVain = this.untils.size > 0 && !this.mayReturn();
    const lapsed: string[] = [];
    for (const [key, until] of this.untils) {
      if (until > now && !isVain) break;
      lapsed.push(key);
    }
    for (const key of lapsed) this.forget(key);
    return lapsed;
  }

  /** When the next one counts no longer. */
  get nextAt(): number | undefined {
    return this.untils.values().next().value;
  }

  /** Of a model that only counts as ready. */
  conditionOf(key: string): ModelCondition | undefined {
    return this.untils.has(key) || this.untimed.has(key) ? this.answered.get(key) : undefined;
  }

  private settle(key: string): void {
    this.untils.delete(key);
    this.untimed.delete(key);
  }
}
