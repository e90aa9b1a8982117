// How long a batch is on its way to a worker and back beyond its run: the usual time, and what it hardly exceeds.

const weight = 0.1;
/** One that takes far longer than any before was held up: it counts as so much of what was to be expected. */
const outlierFactor = 2;
const outlierMs = 1;
const doubtFactor = 0.8;

export class Transport {
  private mean = 0;
  private deviation = 0;
  /** One at least was seen. */
  known = false;

  learn(ms: number): void {
    const seen = Math.max(0, ms);
    if (!this.known) {
      this.known = true;
      this.mean = seen;
      return;
    }
    const error = Math.min(seen, this.highMs * outlierFactor + outlierMs) - this.mean;
    this.mean += weight * error;
    this.deviation += weight * (Math.abs(error) - this.deviation);
  }

  /** A job was refused though nothing was in its way: nothing but another run could prove that wrong. */
  doubt(): void {
    this.mean *= doubtFactor;
    this.deviation *= doubtFactor;
  }

  get usualMs(): number {
    return this.mean;
  }

  get highMs(): number {
    return this.mean + 3 * this.deviation;
  }
}
