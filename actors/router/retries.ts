// Whether a run that failed for a fault of the machinery is tried again: only where the time left is enough for it, and
// out of a budget that grows with what is admitted, so that trouble is not made worse by trying. Workers that are lost
// are no matter of this budget: their jobs go on from a reserve of their own.
import { figure } from '../job/figure.js';
import type { Job } from '../job/job.js';

export interface RetryLimits {
  /** For each job that is admitted. */
  readonly retryShare: number;
  /** Besides, so that a router with little to do may try again at all. */
  readonly retryPerSecond: number;
}

/** What was saved up is forgotten over that time. */
const memoryMs = 10_000;

/** A bucket of tokens. It fills with what is admitted and with time, and leaks, so that it never holds much. */
export class TokenBucket {
  private readonly share: number;
  private readonly perSecond: number;
  private tokens: number;
  private filledAt: number;
  /** Since it was last looked into. */
  admitted = 0;

  constructor(share: number, perSecond: number, now: number) {
    this.share = share;
    this.perSecond = perSecond;
    this.filledAt = now;
    this.tokens = (perSecond * memoryMs) / 1000;
  }

  take(now: number): boolean {
    this.fill(now);
    if (this.tokens < 1) return false;
    this.tokens--;
    return true;
  }

  /** What came since the last look is taken for having come evenly. */
  private fill(now: number): void {
    const elapsedMs = now - this.filledAt;
    const earned = this.admitted * this.share;
    if (elapsedMs <= 0) this.tokens += earned;
    else {
      const level = memoryMs * (earned / elapsedMs + this.perSecond / 1000);
      this.tokens = level + (this.tokens - level) * Math.exp(-elapsedMs / memoryMs);
    }
    this.admitted = 0;
    this.filledAt = Math.max(now, this.filledAt);
  }
}

export class Retries {
  private readonly limits: RetryLimits;
  private readonly bucket: TokenBucket;

  constructor(limits: RetryLimits, now: number) {
    this.limits = limits;
    this.bucket = new TokenBucket(limits.retryShare, limits.retryPerSecond, now);
  }

  admitted(): void {
    this.bucket.admitted++;
  }

  /** Takes another try out of the budget: why there is none, in a few words, or nothing. */
  take(job: Job, now: number): string {
    const late = this.lateness(job, now);
    if (late !== '') return late;
    if (this.bucket.take(now)) return '';
    const { retryShare, retryPerSecond } = this.limits;
    return `the budget of retries is spent (${figure(retryShare * 100)} % of what is admitted and ${retryPerSecond} a second)`;
  }

  /** Why there is no time for another try; or nothing. */
  lateness(job: Job, now: number): string {
    const leftMs = job.deadline - now;
    const wantedMs = job.placement?.wholeMs ?? 0;
    if (leftMs > wantedMs) return '';
    return `another may take ${figure(wantedMs)} ms, and ${figure(Math.max(0, leftMs))} ms are left`;
  }
}
