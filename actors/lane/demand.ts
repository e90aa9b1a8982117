// What comes to a lane: rows per millisecond, and how long a typical job may take. Both follow a change of load within a
// fraction of a second.

const windowLeastMs = 10;
/** What is remembered: so many jobs, but no shorter and no longer than so. */
const jobsRemembered = 150;
const memoryLeastMs = 40;
const memoryMostMs = 250;
const budgetWeight = 0.02;
/** Of the first jobs each counts alike. */
const budgetsAlike = 50;

export class Demand {
  private rows = 0;
  private jobs = 0;
  private jobRate = 0;
  private since = Number.NaN;
  private rate = 0;
  /** How much of what is remembered the rate stands for by now: a first estimate counts in full. */
  private known = 0;
  private budget = 0;
  private budgets = 1;

  /** Of all jobs that come, those that are refused too. */
  arrive(rows: number, budgetMs: number, now: number): void {
    if (Number.isNaN(this.since)) {
      this.since = now;
      this.budget = budgetMs;
      return;
    }
    this.review(now);
    this.rows += rows;
    this.jobs++;
    // Rather the tight budgets than the generous ones: a batch that suits those suits all.
    const usual = budgetMs < this.budget ? budgetWeight * 2 : budgetWeight / 4;
    if (this.budgets < budgetsAlike) this.budgets++;
    const weight = this.budgets < budgetsAlike ? Math.max(usual, 1 / this.budgets) : usual;
    this.budget += weight * (budgetMs - this.budget);
  }

  rowsPerMs(now: number): number {
    if (!Number.isNaN(this.since)) this.review(now);
    return this.rate;
  }

  get budgetMs(): number {
    return this.budget;
  }

  private review(now: number): void {
    const passed = now - this.since;
    if (passed < windowLeastMs) return;
    const jobRate = Math.max(this.jobRate, this.jobs / passed);
    const memoryMs = Math.min(memoryMostMs, Math.max(memoryLeastMs, jobsRemembered / jobRate));
    const kept = this.known * Math.exp(-passed / memoryMs);
    const added = 1 - Math.exp(-passed / memoryMs);
    this.known = kept + added;
    this.rate = (this.rate * kept + (this.rows / passed) * added) / this.known;
    this.jobRate = (this.jobRate * kept + (this.jobs / passed) * added) / this.known;
    this.rows = 0;
    this.jobs = 0;
    this.since = now;
  }
}
