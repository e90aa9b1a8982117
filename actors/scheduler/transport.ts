// How long a batch is on its way to a worker and back beyond its run: the usual time, what it hardly exceeds, and what the
// latest have shown.

const weight = 0.1;
/** One that takes far longer than any before was held up: it counts as so much of what was to be expected. */
const outlierFactor = 2;
const outlierMs = 1;
const doubtFactor = 0.8;
/** What fewer have shown is no usual time yet: all of them may have been held up. */
const seenToHope = 3;
/** What the latest have shown is forgotten by half in so long: a way is tried again, for it may have become good. */
const forgottenMs = 500;
const latestWeight = 0.5;
/** Less says nothing: on any way something is held up for a moment. More is not believed, or it would take too long to forget. */
const longMs = 20;
const longestMs = 400;

export class Transport {
  private mean = 0;
  private deviation = 0;
  private seen = 0;
  private latest = 0;
  private latestAt = 0;

  /** One at least was seen. */
  get known(): boolean {
    return this.seen > 0;
  }

  learn(ms: number, now: number): void {
    const took = Math.max(0, ms);
    const before = this.remembered(now);
    this.latest = before + latestWeight * (Math.min(took, longestMs) - before);
    this.latestAt = now;
    this.seen++;
    if (this.seen === 1) {
      this.mean = took;
      return;
    }
    const error = Math.min(took, this.highMs * outlierFactor + outlierMs) - this.mean;
    // The first counts as one of those that were seen, no more: it may have been held up like any other.
    this.mean += Math.max(weight, 1 / this.seen) * error;
    this.deviation += weight * (Math.abs(error) - this.deviation);
  }

  /** A job was refused though nothing was in its way: nothing but another run could prove that wrong. */
  doubt(): void {
    this.mean *= doubtFactor;
    this.deviation *= doubtFactor;
  }

  /** How long it has been of late; 0 while that is not long. */
  latestMs(now: number): number {
    if (this.latest < longMs) return 0;
    const left = this.remembered(now);
    return left < longMs ? 0 : left;
  }

  private remembered(now: number): number {
    return this.latest * 0.5 ** ((now - this.latestAt) / forgottenMs);
  }

  get usualMs(): number {
    return this.mean;
  }

  /** Enough to try one job by, too little to promise others anything by. */
  get hopedMs(): number {
    return this.seen < seenToHope ? 0 : this.mean;
  }

  get highMs(): number {
    return this.mean + 3 * this.deviation;
  }
}
