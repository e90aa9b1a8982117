// Bicubic enlargement by a whole number, written here because the image library shifts what it enlarges by half a pixel:
// Keys with a = -0.5, centres of pixels aligned, edges repeated. Any region comes out as it does of the whole.
import type { Region } from './picture.js';

const tapCount = 4;
const sharpness = -0.5;

function weight(distance: number): number {
  const x = Math.abs(distance);
  if (x < 1) return (sharpness + 2) * x ** 3 - (sharpness + 3) * x * x + 1;
  if (x < 2) return sharpness * x ** 3 - 5 * sharpness * x * x + 8 * sharpness * x - 4 * sharpness;
  return 0;
}

interface Taps {
  /** Four places of the source for each place of the result. */
  readonly from: Int32Array;
  readonly weights: Float32Array;
}

function tapsOf(start: number, count: number, scale: number, length: number): Taps {
  const from = new Int32Array(count * tapCount);
  const weights = new Float32Array(count * tapCount);
  for (let at = 0; at < count; at++) {
    const centre = (start + at + 0.5) / scale - 0.5;
    const first = Math.floor(centre) - 1;
    for (let tap = 0; tap < tapCount; tap++) {
      from[at * tapCount + tap] = Math.min(length - 1, Math.max(0, first + tap));
      weights[at * tapCount + tap] = weight(centre - first - tap);
    }
  }
  return { from, weights };
}

/** Rows of pixels, wherever they lie; `from` is where a row begins in its memory. */
export interface Rows {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  memory(row: number): Uint8Array;
  from(row: number): number;
}

/** Enlarges regions of one image; keeps the memory that it needs on the way. */
export class Enlarger {
  readonly #rows: Rows;
  readonly #scale: number;
  #wide = new Float32Array(0);

  constructor(rows: Rows, scale: number) {
    this.#rows = rows;
    this.#scale = scale;
  }

  /** A region of the enlarged image, 0 to 255 and a little beyond, into `result`. */
  region(channel: number, { left, top, width, height }: Region, result: Float32Array): void {
    const { width: sourceWidth, height: sourceHeight, channels } = this.#rows;
    const columns = tapsOf(left, width, this.#scale, sourceWidth);
    const rows = tapsOf(top, height, this.#scale, sourceHeight);
    const first = rows.from[0] as number;
    const last = rows.from[rows.from.length - 1] as number;
    const wide = this.#wideOf((last - first + 1) * width);
    for (let row = first; row <= last; row++) {
      const begin = this.#rows.from(row) + channel;
      widen(this.#rows.memory(row), begin, channels, columns, wide, (row - first) * width, width);
    }
    for (let row = 0; row < height; row++) {
      const tap = row * tapCount;
      const a = ((rows.from[tap] as number) - first) * width;
      const b = ((rows.from[tap + 1] as number) - first) * width;
      const c = ((rows.from[tap + 2] as number) - first) * width;
      const d = ((rows.from[tap + 3] as number) - first) * width;
      const wa = rows.weights[tap] as number;
      const wb = rows.weights[tap + 1] as number;
      const wc = rows.weights[tap + 2] as number;
      const wd = rows.weights[tap + 3] as number;
      const to = row * width;
      for (let at = 0; at < width; at++) {
        result[to + at] =
          wa * (wide[a + at] as number) +
          wb * (wide[b + at] as number) +
          wc * (wide[c + at] as number) +
          wd * (wide[d + at] as number);
      }
    }
  }

  #wideOf(length: number): Float32Array {
    if (this.#wide.length < length) this.#wide = new Float32Array(length);
    return this.#wide;
  }
}

/** One row of the source, enlarged along itself. */
function widen(
  data: Uint8Array,
  begin: number,
  step: number,
  { from, weights }: Taps,
  wide: Float32Array,
  to: number,
  width: number,
): void {
  for (let at = 0, tap = 0; at < width; at++, tap += tapCount) {
    wide[to + at] =
      (weights[tap] as number) * (data[begin + (from[tap] as number) * step] as number) +
      (weights[tap + 1] as number) * (data[begin + (from[tap + 1] as number) * step] as number) +
      (weights[tap + 2] as number) * (data[begin + (from[tap + 2] as number) * step] as number) +
      (weights[tap + 3] as number) * (data[begin + (from[tap + 3] as number) * step] as number);
  }
}
