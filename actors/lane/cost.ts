// What a batch of one shape costs on one worker: the table over batch sizes, the pace at which the worker goes by it just
// now, and the ninety-ninth percentile of what it took beyond. Learned from every run; bounded in memory; asked in
// constant time.
import { CostShape, placeFor, places, tops } from './shape.js';
import { SlidingHigh } from './sliding.js';

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
/**
 * So many times its mean a run may take and still be planned for. What takes longer was held up: were all planned by two
 * such in two hundred, nearly everybody would be refused for their sake.
 */
const spreadMost = 2;
/** How far above what its neighbours say the first run of a size may be: beyond is a hiccup. */
const firstFactor = 4;

export class CostTable {
  /** How many in a row were far off, below 0 to the faster side, and what they took together at pace 1. */
  private readonly strays = new Int8Array(places + 1);
  private readonly straySums = new Float64Array(places + 1);
  private pace = 1;
  private belief = 1;
  private readonly beyond = new SlidingHigh();
  private apart = 0;
  private apartSum = 0;
  /** Whether the pace is this worker's own: learned, or by trials of its own. */
  private isPaced = false;

  /** Others may share the shape. */
  constructor(private readonly shape = new CostShape()) {}

  get known(): boolean {
    return this.isPaced && this.shape.known;
  }

  /** Counts up with everything learned. */
  get version(): number {
    return this.shape.version;
  }

  /** The largest batch of which anything was seen. */
  get rowsSeen(): number {
    return this.shape.rowsSeen;
  }

  /** Of runs that warmed the model up, or as kept from an earlier life. */
  seed(points: readonly (readonly [rows: number, ms: number])[]): void {
    const usable = points.filter(([rows, ms]) => rows >= 1 && ms > 0);
    if (usable.length === 0) return;
    this.findPace(usable);
    for (const [rows, ms] of usable) {
      const place = placeFor(rows);
      if (!this.shape.isSeen(place)) this.shape.see(place, ms / this.pace);
    }
    this.shape.changed();
  }

  /** How fast it is beside those from whom the shape is known. */
  private findPace(points: readonly (readonly [rows: number, ms: number])[]): void {
    if (!this.isPaced && this.shape.known) {
      const paces = points.map(([rows, ms]) => ms / this.shape.at(rows)).sort((one, other) => one - other);
      this.pace = paces[paces.length >> 1] as number;
      this.beyond.restart(this.pace);
    }
    this.isPaced = true;
  }

  learn(rows: number, ms: number): void {
    if (!(rows >= 1) || !(ms > 0)) return;
    const place = placeFor(rows);
    const wasKnown = this.known;
    this.findPace([[rows, ms]]);
    const before = wasKnown ? this.mean(rows) : ms;
    this.belief = 1;
    if (this.shape.isSeen(place)) this.adjust(place, ms);
    else this.shape.see(place, Math.min(ms, before * firstFactor) / this.pace);
    if (wasKnown) this.compare((ms / before) * this.pace);
    this.shape.changed();
  }

  /** What a batch of so many rows takes on average; 0 while nothing is known. */
  mean(rows: number): number {
    return this.isPaced ? this.shape.at(rows) * this.pace : 0;
  }

  /** What it takes if all doubts are right: enough to try one job by, too little to promise others anything by. */
  hoped(rows: number): number {
    return this.mean(rows) * this.belief;
  }

  /** What ninety-nine of a hundred such batches stay below, but for hiccups. Never falls when rows rise. */
  high(rows: number): number {
    return this.mean(rows) * this.spread();
  }

  /** `high` by `mean`. */
  spread(): number {
    return Math.min(spreadMost, Math.max(1, this.beyond.high / this.pace));
  }

  /** A job was given up for an estimate though its worker idled: nothing but another run could ever prove that wrong. */
  doubt(): void {
    this.belief = Math.max(1e-3, this.belief * doubtFactor);
  }

  /** To be kept for a later life: see `seed`. */
  kept(): (readonly [rows: number, ms: number])[] {
    const points: [number, number][] = [];
    for (let place = 1; place <= places; place++) {
      const ms = (this.shape.seen[place] as number) * this.pace;
      if (!Number.isNaN(ms)) points.push([tops[place] as number, ms]);
    }
    return points;
  }

  private adjust(place: number, ms: number): void {
    const known = this.shape.seen[place] as number;
    const ratio = ms / (known * this.pace);
    const runs = (this.shape.runs[place] as number) + 1;
    this.shape.runs[place] = Math.min(runsRemembered, runs);
    const side = sideOf(ratio, runs > runsTrusted ? changeFactor : earlyFactor);
    // What is far off is a hiccup, or a new pace for all sizes (see `compare`), or this size was learned wrongly.
    const weight = side === 0 ? Math.max(1 / (runs + 1), shapeWeight) : 0;
    this.shape.seen[place] = known * (1 + weight * (ratio - 1));
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
    this.shape.seen[place] = (this.straySums[place] as number) / strayRuns;
    this.shape.runs[place] = runsTrusted;
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
}

function sideOf(ratio: number, factor: number): number {
  if (ratio > factor) return 1;
  return ratio < 1 / factor ? -1 : 0;
}

function clamped(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
