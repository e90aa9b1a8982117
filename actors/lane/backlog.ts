// What waits in a lane, in the order in which it is served, as numbers only: so that a projection can walk through it.
// Deadlines are kept sorted in short runs, so that adding and removing cost little however many wait.

const runMost = 128;
/** Of runs that were worked off so many are kept for those to come: their memory is dear to get. */
const sparesMost = 4;

/** Deadlines, ascending, and the rows that go with each. */
interface Run {
  readonly deadlines: Float64Array;
  readonly rows: Float64Array;
  count: number;
  total: number;
}

/** One priority. */
interface Level {
  readonly priority: number;
  readonly runs: Run[];
  total: number;
}

export class Backlog {
  private readonly levels: Level[] = [];
  private readonly spares: Run[] = [];
  rows = 0;
  /** Where the walk stands. */
  private level = 0;
  private run = 0;
  private at = 0;
  private left = 0;

  add(priority: number, deadline: number, rows: number): void {
    const level = this.levelOf(priority);
    const { runs } = level;
    let place = runFor(runs, deadline);
    let run = runs[place];
    if (run === undefined) {
      run = this.emptyRun();
      runs.push(run);
      place = 0;
    } else if (run.count === runMost) {
      const after = this.emptyRun();
      const isAtEnd = place === runs.length - 1 && deadline >= (run.deadlines[runMost - 1] as number);
      if (!isAtEnd) halve(run, after);
      runs.splice(place + 1, 0, after);
      if (deadline >= (run.deadlines[run.count - 1] as number)) run = after;
    }
    insert(run, deadline, rows);
    level.total += rows;
    this.rows += rows;
  }

  /** Exactly what was added. */
  remove(priority: number, deadline: number, rows: number): void {
    const level = this.levels.find((one) => one.priority === priority);
    if (level === undefined) return;
    const { runs } = level;
    for (let place = runFirst(runs, deadline); place < runs.length; place++) {
      const run = runs[place] as Run;
      if ((run.deadlines[0] as number) > deadline) return;
      if (!takeOut(run, deadline, rows)) continue;
      level.total -= rows;
      this.rows -= rows;
      if (run.count === 0) {
        runs.splice(place, 1);
        if (this.spares.length < sparesMost) this.spares.push(run);
      }
      if (runs.length === 0) this.levels.splice(this.levels.indexOf(level), 1);
      return;
    }
  }

  /** Rows that are served before one of this priority and deadline. */
  ahead(priority: number, deadline: number): number {
    let rows = 0;
    for (let at = 0; at < this.levels.length; at++) {
      const level = this.levels[at] as Level;
      if (level.priority > priority) break;
      if (level.priority < priority) rows += level.total;
      else rows += aheadIn(level, deadline);
    }
    return rows;
  }

  /** Of the first that is served; infinite when nobody waits. */
  get headDeadline(): number {
    return this.levels[0]?.runs[0]?.deadlines[0] ?? Number.POSITIVE_INFINITY;
  }

  /** Somebody waits, and all who do are of a lower priority. */
  isAllBelow(priority: number): boolean {
    const first = this.levels[0];
    return first !== undefined && first.priority > priority;
  }

  /** Somebody of a lower priority waits. */
  hasBelow(priority: number): boolean {
    const last = this.levels[this.levels.length - 1];
    return last !== undefined && last.priority > priority;
  }

  get soonest(): number {
    let soonest = Number.POSITIVE_INFINITY;
    for (let at = 0; at < this.levels.length; at++) {
      soonest = Math.min(soonest, this.levels[at]?.runs[0]?.deadlines[0] as number);
    }
    return soonest;
  }

  /** Starts a walk at the head. */
  rewind(): void {
    this.level = 0;
    this.run = 0;
    this.at = 0;
    this.left = this.levels[0]?.runs[0]?.rows[0] ?? 0;
  }

  /** The deadline of the one where the walk stands; infinite at its end. */
  get deadlineHere(): number {
    return this.levels[this.level]?.runs[this.run]?.deadlines[this.at] ?? Number.POSITIVE_INFINITY;
  }

  get priorityHere(): number {
    return this.levels[this.level]?.priority ?? Number.POSITIVE_INFINITY;
  }

  /** Walks past so many rows. */
  skip(rows: number): void {
    let missing = rows;
    while (missing > 0) {
      const level = this.levels[this.level];
      if (level === undefined) return;
      const run = level.runs[this.run] as Run;
      if (this.at === 0 && this.left === run.rows[0] && missing >= run.total) {
        missing -= run.total;
        this.nextRun(level);
      } else if (missing < this.left) {
        this.left -= missing;
        return;
      } else {
        missing -= this.left;
        if (++this.at === run.count) this.nextRun(level);
        else this.left = run.rows[this.at] as number;
      }
    }
  }

  private emptyRun(): Run {
    const spare = this.spares.pop();
    if (spare !== undefined) return spare;
    return { deadlines: new Float64Array(runMost), rows: new Float64Array(runMost), count: 0, total: 0 };
  }

  private nextRun(level: Level): void {
    this.at = 0;
    if (++this.run === level.runs.length) {
      this.run = 0;
      this.level++;
    }
    this.left = this.levels[this.level]?.runs[this.run]?.rows[0] ?? 0;
  }

  private levelOf(priority: number): Level {
    let place = 0;
    while (place < this.levels.length && (this.levels[place] as Level).priority < priority) place++;
    let level = this.levels[place];
    if (level === undefined || level.priority !== priority) {
      level = { priority, runs: [], total: 0 };
      this.levels.splice(place, 0, level);
    }
    return level;
  }
}

/** The last run that begins at or before the deadline, or the first of all. */
function runFor(runs: readonly Run[], deadline: number): number {
  let low = 0;
  let high = runs.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((runs[middle]?.deadlines[0] as number) <= deadline) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The first run that may hold the deadline. */
function runFirst(runs: readonly Run[], deadline: number): number {
  let place = runFor(runs, deadline);
  while (place > 0 && (runs[place]?.deadlines[0] as number) >= deadline) place--;
  return place;
}

/** Gives its second half to one that is empty. */
function halve(run: Run, after: Run): void {
  const half = runMost / 2;
  for (let at = half; at < run.count; at++) {
    after.deadlines[at - half] = run.deadlines[at] as number;
    after.rows[at - half] = run.rows[at] as number;
    after.total += run.rows[at] as number;
  }
  after.count = run.count - half;
  run.count = half;
  run.total -= after.total;
}

/** How many of its deadlines are not after this one. */
function placeIn(run: Run, deadline: number): number {
  let low = 0;
  let high = run.count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((run.deadlines[middle] as number) <= deadline) low = middle + 1;
    else high = middle;
  }
  return low;
}

function insert(run: Run, deadline: number, rows: number): void {
  const { count } = run;
  const last = count === 0 || (run.deadlines[count - 1] as number) <= deadline;
  const place = last ? count : placeIn(run, deadline);
  if (place < count) {
    run.deadlines.copyWithin(place + 1, place, count);
    run.rows.copyWithin(place + 1, place, count);
  }
  run.deadlines[place] = deadline;
  run.rows[place] = rows;
  run.count++;
  run.total += rows;
}

function takeOut(run: Run, deadline: number, rows: number): boolean {
  for (let place = placeIn(run, deadline) - 1; place >= 0; place--) {
    if (run.deadlines[place] !== deadline) return false;
    if (run.rows[place] !== rows) continue;
    run.deadlines.copyWithin(place, place + 1, run.count);
    run.rows.copyWithin(place, place + 1, run.count);
    run.count--;
    run.total -= rows;
    return true;
  }
  return false;
}

function aheadIn(level: Level, deadline: number): number {
  let rows = 0;
  for (let at = 0; at < level.runs.length; at++) {
    const run = level.runs[at] as Run;
    if ((run.deadlines[run.count - 1] as number) <= deadline) {
      rows += run.total;
      continue;
    }
    const within = placeIn(run, deadline);
    for (let place = 0; place < within; place++) rows += run.rows[place] as number;
    break;
  }
  return rows;
}
