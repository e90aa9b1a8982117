// How the cost of a batch rises with its rows, at the usual pace of whoever runs it: a monotone table over batch sizes,
// because real models have steps. Workers of one kind share it: what one learns of a size holds for all of them.

/** Sizes up to here have a place of their own; above, sixteen places for every doubling. */
const exactRows = 64;
const rowsTop = 4096;
const finePlaces = 16;
export const places = exactRows + finePlaces * Math.log2(rowsTop / exactRows);
/** The largest batch size that each place stands for. */
export const tops = Float64Array.from({ length: places + 1 }, (_, place) => {
  if (place <= exactRows) return place;
  const beyond = place - exactRows - 1;
  const step = (exactRows * 2 ** Math.floor(beyond / finePlaces)) / finePlaces;
  return finePlaces * step + step * ((beyond % finePlaces) + 1);
});
const placeOf = placesByRows();

/** Sizes above are seldom all seen. */
const wideRows = 32;
const wideBend = 0.75;
export class CostShape {
  /** By place: what it takes at pace 1; NaN where nothing was seen. */
  readonly seen = new Float64Array(places + 1).fill(Number.NaN);
  readonly runs = new Float64Array(places + 1);
  /** As `seen`, made monotone and filled in between. */
  private readonly filled = new Float64Array(places + 1);
  private stale = false;
  private lowest = 0;
  private highest = 0;
  /** Counts up with everything learned. */
  version = 0;

  get known(): boolean {
    return this.highest > 0;
  }

  get rowsSeen(): number {
    return tops[this.highest] as number;
  }

  isSeen(place: number): boolean {
    return !Number.isNaN(this.seen[place]);
  }

  changed(): void {
    this.stale = true;
    this.version++;
  }

  /** The first that is seen of a size. */
  see(place: number, ms: number): void {
    this.seen[place] = ms;
    this.runs[place] = 1;
    this.highest = Math.max(this.highest, place);
    this.lowest = this.lowest === 0 ? place : Math.min(this.lowest, place);
  }

  /** At pace 1; 0 while nothing is known. */
  at(rows: number): number {
    if (this.stale) this.fill();
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

/** Used while one shape is filled and by none in between. */
const blockValue = new Float64Array(places + 1);
const blockWeight = new Float64Array(places + 1);
const blockFrom = new Int32Array(places + 1);

export function placeFor(rows: number): number {
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
