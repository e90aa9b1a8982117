// How many rows wait before a given deadline, by priority: rungs of deadlines instead of single jobs, so that the answer
// costs the same however many wait. A job counts as before another when it stands on the same rung.

const rungsMax = 64;
const widthLeastMs = 1;

export class Ladder {
  /** Per priority the rows of each rung; a rung's number times the width is where it begins. */
  private readonly rungs = new Map<number, Map<number, number>>();
  private widthMs = widthLeastMs;

  add(priority: number, deadline: number, rows: number): void {
    const rungs = this.rungs.get(priority) ?? new Map<number, number>();
    this.rungs.set(priority, rungs);
    const rung = Math.floor(deadline / this.widthMs);
    rungs.set(rung, (rungs.get(rung) ?? 0) + rows);
    if (rungs.size > rungsMax) this.widen();
  }

  remove(priority: number, deadline: number, rows: number): void {
    const rungs = this.rungs.get(priority);
    if (rungs === undefined) return;
    const rung = Math.floor(deadline / this.widthMs);
    const left = (rungs.get(rung) ?? 0) - rows;
    if (left > 0) rungs.set(rung, left);
    else rungs.delete(rung);
    if (rungs.size > 0) return;
    this.rungs.delete(priority);
    if (this.rungs.size === 0) this.widthMs = widthLeastMs;
  }

  /** Rows that go before a job of this priority and deadline. */
  before(priority: number, deadline: number): number {
    const own = Math.floor(deadline / this.widthMs);
    let before = 0;
    for (const [level, rungs] of this.rungs) {
      if (level > priority) continue;
      for (const [rung, rows] of rungs) if (level < priority || rung <= own) before += rows;
    }
    return before;
  }

  hasBelow(priority: number): boolean {
    for (const level of this.rungs.keys()) if (level > priority) return true;
    return false;
  }

  /** For each rung after the given job, in order: when the first of it may be due, and all rows up to its end. */
  after(priority: number, deadline: number): { readonly dueAt: number; readonly rows: number }[] {
    const own = Math.floor(deadline / this.widthMs);
    const later = [...(this.rungs.get(priority) ?? [])].filter(([rung]) => rung > own);
    let rows = this.before(priority, deadline);
    return later
      .sort(([a], [b]) => a - b)
      .map(([rung, more]) => {
        rows += more;
        return { dueAt: (rung + 1) * this.widthMs, rows };
      });
  }

  private widen(): void {
    this.widthMs *= 2;
    for (const [priority, rungs] of this.rungs) {
      const wide = new Map<number, number>();
      for (const [rung, rows] of rungs) {
        const into = Math.floor(rung / 2);
        wide.set(into, (wide.get(into) ?? 0) + rows);
      }
      this.rungs.set(priority, wide);
    }
  }
}
