// When this scheduler was itself away: stopped, or given no time, it hears late what was said in time, and no worker is to be
// thought far for that.

/** Each worker reports five times a second: who hears nothing for so long, of anybody, has not listened. */
const awayFromMs = 300;

export class Attention {
  private heardAt = Number.NaN;
  /** The latest absence. */
  private leftAt = Number.NEGATIVE_INFINITY;
  private backAt = Number.NEGATIVE_INFINITY;

  /** Something was heard, whatever it was. */
  hear(now: number): void {
    if (now - this.heardAt > awayFromMs) {
      this.leftAt = this.heardAt;
      this.backAt = now;
    }
    this.heardAt = now;
  }

  /** How much of the time since then it was away. */
  awayMs(since: number): number {
    return Math.max(0, this.backAt - Math.max(this.leftAt, since));
  }
}
