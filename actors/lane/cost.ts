// What a batch of one shape costs on one worker: a monotone table over batch sizes, because real models have steps, the
// pace at which the worker goes by it just now, and the ninety-ninth percentile of what it took beyond. Learned from
// every run; bounded in memory; asked in constant time.
import { SlidingHigh } from './sliding.js';

/** Sizes up to here have a place of their own; above, sixteen places for every doubling. */
const exactRows = 64;
const rowsTop = 4096;
const finePlaces = 16;
const places = exactRows + finePlaces * Math.log2(rowsTop / exactRows);
/** The largest batch size that each place stands for. */
const tops = Float64Array.from({ length: places + 1 }, (_, place) => {
  if (place <= exactRows) return place;
  const beyond = place - exactRows - 1;
  const step = (exactRows * 2 ** Math.floor(beyond / finePlaces)) / finePlaces;
  return finePlaces * step + step * ((beyond % finePlaces) + 1);
});
const placeOf = placesByRows();

/** Sizes above are seldom all seen. */
const wideRows = 32;
const wideBend = 0.75;
/** How much the newest run counts for its size once enough were seen, and for the pace of all sizes. */
const shapeWeight = 0.04;
const paceWeight = 0.05;
/** So many runs in a row off by so much, all to one side, are no noise: the worker has changed its pace. */
const changeRuns = 6;
const changeFactor = 1.2;
/** One job refused for an estimate while its worker idled takes this much from the belief in it. */
const doubtFactor = 0.8;
const runsRemembered = 1e6;
/** So many runs of a size are its own; until then only what is off by more than a factor is doubted. */
const runsTrusted = 3;
const earlyFactor = 2;
/** So many runs of one size in a row, all off to one side while others are as expected: it is the size that was wrong. */
const strayRuns = 8;
/** How far from what its neighbours say the first run of a size may be. */
const firstFactor = 4;

export class CostTable {
  /** By place: what it takes at pace 1; NaN where nothing was seen. */
  private readonly seen = new Float64Array(places + 1).fill(Number.NaN);
  private readonly runs = new Float64Array(places + 1);
  /** How many in a row were far off, below 0 to the faster side, and what they took together at pace 1. */
  private readonly strays = new Int8Array(places + 1);
  private readonly straySums = new Float64Array(places + 1);
  /** As `seen`, made monotone and filled in between. */
  private readonly filled = new Float64Array(places + 1);
  private stale = false;
  private lowest = 0;
  private highest = 0;
  private pace = 1;
  private belief = 1;
  private readonly beyond = new SlidingHigh();
  private apart = 0;
  private apartSum = 0;
  /** Counts up with everything learned. */
  version = 0;

  get known(): boolean {
    return this.highest > 0;
  }

  /** Of runs that warmed the model up, or as kept from an earlier life. */
  seed(points: readonly (readonly [rows: number, ms: number])[]): void {
    for (const [rows, ms] of points) {
      if (!(rows >= 1) || !(ms > 0)) continue;
      const place = placeFor(rows);
      if (Number.isNaN(this.seen[place])) this.see(place, ms / this.pace);
    }
    this.changed();
  }

  learn(rows: number, ms: number): void {
    if (!(rows >= 1) || !(ms > 0)) return;
    const place = placeFor(rows);
    const wasKnown = this.known;
    const before = wasKnown ? this.mean(rows) / this.belief : ms;
    this.belief = 1;
    if (Number.isNaN(this.seen[place]))
      this.see(place, clamped(ms, before / firstFactor, before * firstFactor) / this.pace);
    else this.adjust(place, ms);
    if (wasKnown) this.compare((ms / before) * this.pace);
    this.changed();
  }

  /** What a batch of so many rows takes on average; 0 while nothing is known. */
  mean(rows: number): number {
    if (this.stale) this.fill();
    return this.at(rows) * this.pace * this.belief;
  }

  /** What ninety-nine of a hundred such batches stay below. Never falls when rows rise. */
  high(rows: number): number {
    return this.mean(rows) * this.spread();
  }

  /** `high` by `mean`. */
  spread(): number {
    return Math.max(1, this.beyond.high / this.pace);
  }

  /** A job was given up for an estimate though its worker idled: nothing but another run could ever prove that wrong. */
  doubt(): void {
    this.belief = Math.max(1e-3, this.belief * doubtFactor);
    this.version++;
  }

  /** To be kept for a later life: see `seed`. */
  kept(): (readonly [rows: number, ms: number])[] {
    const points: [number, number][] = [];
    for (let place = 1; place <= places; place++) {
      const ms = (this.seen[place] as number) * this.pace;
      if (!Number.isNaN(ms)) points.push([tops[place] as number, ms]);
    }
    return points;
  }

  private see(place: number, ms: number): void {
    this.seen[place] = ms;
    this.runs[place] = 1;
    this.highest = Math.max(this.highest, place);
    this.lowest = this.lowest === 0 ? place : Math.min(this.lowest, place);
  }

  private adjust(place: number, ms: number): void {
    const known = this.seen[place] as number;
    const ratio = ms / (known * this.pace);
    const runs = (this.runs[place] as number) + 1;
    this.runs[place] = Math.min(runsRemembered, runs);
    const side = sideOf(ratio, runs > runsTrusted ? changeFactor : earlyFactor);
    // What is far off is a hiccup, or a new pace for all sizes (see `compare`), or this size was learned wrongly.
    const weight = side === 0 ? Math.max(1 / (runs + 1), shapeWeight) : 0;
    this.seen[place] = known * (1 + weight * (ratio - 1));
    const moves = clamped(ratio, 1 / changeFactor, changeFactor) - 1;
    this.pace *= 1 + paceWeight * (1 - weight) * moves;
    this.stray(place, side, ms / this.pace);
  }

  private stray(place: number, side: number, ms: number): void {
    if (side === 0 || side * (this.strays[place] as number) < 0) {
      this.strays[place] = 0;
      this.straySums[place] = 0;
    }
    if (side === 0) return;
    this.strays[place] = (this.strays[place] as number) + side;
    this.straySums[place] = (this.straySums[place] as number) + ms;
    if (Math.abs(this.strays[place] as number) < strayRuns) return;
    this.seen[place] = (this.straySums[place] as number) / strayRuns;
    this.runs[place] = runsTrusted;
    this.strays[place] = 0;
    this.straySums[place] = 0;
  }

  /** `at` is the pace that this one run went at. */
  private compare(at: number): void {
    this.beyond.add(at);
    const ratio = at / this.pace;
    const side = sideOf(ratio, changeFactor);
    if (side === 0 || side * this.apart < 0) {
      this.apart = 0;
      this.apartSum = 0;
    }
    if (side === 0) return;
    this.apart += side;
    this.apartSum += at;
    if (Math.abs(this.apart) < changeRuns) return;
    this.pace = this.apartSum / changeRuns;
    this.beyond.restart(this.pace);
    this.apart = 0;
    this.apartSum = 0;
    this.strays.fill(0);
    this.straySums.fill(0);
  }

  private changed(): void {
    this.stale = true;
    this.version++;
  }

  private at(rows: number): number {
    const { filled } = this;
    const place = placeFor(rows);
    const cost = filled[place] as number;
    if (rows > rowsTop) return (cost * rows) / rowsTop;
    const top = tops[place] as number;
    // A place that was seen may hold a step anywhere: no line through it is drawn.
    if (rows >= top || !Number.isNaN(this.seen[place])) return cost;
    const share = (top - rows) / (top - (tops[place - 1] as number));
    return cost - share * (cost - (filled[place - 1] as number));
  }

  /** Averages neighbours that contradict each other, then draws lines between those that are known. */
  private fill(): void {
    this.stale = false;
    if (!this.known) return;
    const { seen, runs, filled } = this;
    let blocks = 0;
    for (let place = this.lowest; place <= this.highest; place++) {
      if (Number.isNaN(seen[place])) continue;
      let weight = Math.min(25, runs[place] as number);
      let value = seen[place] as number;
      let from = place;
      while (blocks > 0 && (blockValue[blocks - 1] as number) > value) {
        blocks--;
        const weightBelow = blockWeight[blocks] as number;
        value = (value * weight + (blockValue[blocks] as number) * weightBelow) / (weight + weightBelow);
        weight += weightBelow;
        from = blockFrom[blocks] as number;
      }
      blockValue[blocks] = value;
      blockWeight[blocks] = weight;
      blockFrom[blocks++] = from;
    }
    let last = 0;
    let slope = 0;
    for (let block = 0; block < blocks; block++) {
      const end = block + 1 < blocks ? (blockFrom[block + 1] as number) : this.highest + 1;
      for (let place = blockFrom[block] as number; place < end; place++) {
        if (Number.isNaN(seen[place])) continue;
        filled[place] = blockValue[block] as number;
        if (last > 0) slope = this.between(last, place);
        last = place;
      }
    }
    filled.fill(filled[this.lowest] as number, 0, this.lowest);
    const end = filled[last] as number;
    const end_ = tops[last] as number;
    // Of sizes beyond the largest that was seen: as the last two say, or half as dear as if each row cost the same.
    if (this.lowest === last) slope = end / end_ / 2;
    for (let place = last + 1; place <= places; place++) {
      filled[place] = end + slope * ((tops[place] as number) - end_);
    }
  }

  /** Fills what is between two known places; how much a row adds there. */
  private between(from: number, to: number): number {
    const { filled } = this;
    const low = filled[from] as number;
    const start = tops[from] as number;
    const slope = ((filled[to] as number) - low) / ((tops[to] as number) - start);
    const rise = (filled[to] as number) - low;
    const width = (tops[to] as number) - start;
    for (let place = from + 1; place < to; place++) {
      const share = ((tops[place] as number) - start) / width;
      // Somewhere in a wide gap there may be a step: then rather believe that it comes early.
      filled[place] = low + rise * (start >= wideRows ? share ** wideBend : share);
    }
    return slope;
  }
}

/** Used while one table is filled and by none in between. */
const blockValue = new Float64Array(places + 1);
const blockWeight = new Float64Array(places + 1);
const blockFrom = new Int32Array(places + 1);

function sideOf(ratio: number, factor: number): number {
  if (ratio > factor) return 1;
  return ratio < 1 / factor ? -1 : 0;
}

function clamped(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}

function placeFor(rows: number): number {
  return placeOf[Math.min(rowsTop, Math.ceil(rows))] as number;
}

function placesByRows(): Uint8Array {
  const byRows = new Uint8Array(rowsTop + 1);
  for (let rows = 1, place = 1; rows <= rowsTop; rows++) {
    while ((tops[place] as number) < rows) place++;
    byRows[rows] = place;
  }
  return byRows;
}
