// What comes to a lane: how many rows in a millisecond, and how much time they bring. Smoothed, so that a burst is seen
// soon and a pause is forgotten as soon.

/** What is further back than a few of these is forgotten. */
const memoryMs = 250;
const budgetWeight = 0.05;

export class Demand {
  private rate = 0;
  private heardAt = Number.NEGATIVE_INFINITY;
  /** The usual time from arrival to deadline, nearer to the short ones. */
  budgetMs = 0;

  arrive(rows: number, budgetMs: number, now: number): void {
    this.rate = this.rowsPerMs(now) + rows / memoryMs;
    this.heardAt = now;
    if (this.budgetMs === 0) this.budgetMs = budgetMs;
    const weight = budgetMs < this.budgetMs ? budgetWeight * 4 : budgetWeight;
    this.budgetMs += weight * (budgetMs - this.budgetMs);
  }

  rowsPerMs(now: number): number {
    const pastMs = now - this.heardAt;
    return this.rate === 0 ? 0 : this.rate * Math.exp(-pastMs / memoryMs);
  }
}
