// What a batch of one shape is expected to cost on one worker: a moving average per power of two of rows, kept monotone,
// and the fastest run seen. Learned from every run.

const weight = 0.2;
/** Fewer runs prove nothing about how fast it can be. */
const runsToTrust = 8;

export class CostTable {
  /** Index n stands for batches of up to 2^n rows; NaN where nothing was seen. */
  private readonly averages: number[] = [];
  private leastSeenMs = Number.POSITIVE_INFINITY;
  private runs = 0;

  learn(rows: number, ms: number): void {
    const bucket = bucketOf(rows);
    while (this.averages.length <= bucket) this.averages.push(Number.NaN);
    const known = this.averages[bucket] as number;
    this.averages[bucket] = Number.isNaN(known) ? ms : known + weight * (ms - known);
    this.leastSeenMs = Math.min(this.leastSeenMs, ms);
    this.runs++;
  }

  /** The nearest known bucket from below decides; 0 when nothing is known. */
  estimate(rows: number): number {
    const bucket = bucketOf(rows);
    let estimate = 0;
    for (let at = 0; at <= bucket && at < this.averages.length; at++) {
      const average = this.averages[at] as number;
      if (average > estimate) estimate = average;
    }
    return estimate;
  }

  /** No run was ever faster: a job with less time than this can't be answered. 0 when too little is known. */
  leastMs(): number {
    return this.runs < runsToTrust ? 0 : this.leastSeenMs;
  }

  /** A job was given up for `leastMs`. If that were wrong nothing would ever prove it, so belief in it wears off. */
  doubt(): void {
    this.leastSeenMs *= 0.98;
  }
}

function bucketOf(rows: number): number {
  return Math.ceil(Math.log2(Math.max(1, rows)));
}
