// A decoded image and its parts: 8 bits a channel, row by row, grey or RGB, with or without alpha behind.
import type { Rows } from './bicubic.js';
import { emptied, splitUp } from './gathered.js';

export interface Outline {
  readonly width: number;
  readonly height: number;
  /** 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha. */
  readonly channels: number;
}

export interface Picture extends Outline {
  readonly data: Uint8Array;
}

/** BT.601. */
export const luminanceOf = { red: 0.299, green: 0.587, blue: 0.114 } as const;

const bandRows = 128;

/** A picture in bands of rows, which are let go of one by one: a large one is not kept longer than it is needed. */
export class Bands implements Rows {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly #bands: (Uint8Array | undefined)[];
  readonly #rowBytes: number;

  constructor({ width, height, channels, data }: Picture) {
    this.width = width;
    this.height = height;
    this.channels = channels;
    this.#rowBytes = width * channels;
    this.#bands = splitUp(data, bandRows * this.#rowBytes);
  }

  memory(row: number): Uint8Array {
    return this.#bands[Math.floor(row / bandRows)] as Uint8Array;
  }

  from(row: number): number {
    return (row % bandRows) * this.#rowBytes;
  }

  /** Rows above this one are not asked for any more. */
  dropAbove(row: number): void {
    for (let band = Math.floor(row / bandRows) - 1; band >= 0 && this.#bands[band] !== undefined; band--) {
      emptied(this.#bands[band] as Uint8Array);
      this.#bands[band] = undefined;
    }
  }
}

/** Brightness alone, rounded to 8 bits; a band is made when it is first asked for, and one before it is kept. */
export class Brightness implements Rows {
  readonly width: number;
  readonly height: number;
  readonly channels = 1;
  readonly #picture: Rows;
  readonly #made = new Map<number, Uint8Array>();

  constructor(picture: Rows) {
    this.width = picture.width;
    this.height = picture.height;
    this.#picture = picture;
  }

  memory(row: number): Uint8Array {
    const band = Math.floor(row / bandRows);
    const made = this.#made.get(band);
    if (made !== undefined) return made;
    const first = band * bandRows;
    const rows = Math.min(bandRows, this.height - first);
    const plane = luminancePlane({
      width: this.width,
      height: rows,
      channels: this.#picture.channels,
      data: this.#picture.memory(first),
    });
    this.#made.set(band, plane);
    return plane;
  }

  from(row: number): number {
    return (row % bandRows) * this.width;
  }

  dropAbove(row: number): void {
    const band = Math.floor(row / bandRows);
    for (const older of this.#made.keys()) if (older < band) this.#made.delete(older);
  }
}

/** Brightness alone, rounded to 8 bits. */
function luminancePlane({ width, height, channels, data }: Picture): Uint8Array {
  const plane = new Uint8Array(width * height);
  if (channels < 3) {
    for (let at = 0, from = 0; at < plane.length; at++, from += channels) plane[at] = data[from] as number;
    return plane;
  }
  const { red, green, blue } = luminanceOf;
  for (let at = 0, from = 0; at < plane.length; at++, from += channels) {
    plane[at] =
      red * (data[from] as number) +
      green * (data[from + 1] as number) +
      blue * (data[from + 2] as number) +
      0.5;
  }
  return plane;
}

export interface Region {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** A piece of an image, and the same with its surroundings as far as the model looks. */
export interface Tile {
  readonly inner: Region;
  readonly outer: Region;
}

/** Row by row, from the upper left. */
export function* tilesOf(width: number, height: number, size: number, halo: number): Generator<Tile> {
  for (let top = 0; top < height; top += size) {
    for (let left = 0; left < width; left += size) {
      const inner = { left, top, width: Math.min(size, width - left), height: Math.min(size, height - top) };
      const from = { left: Math.max(0, left - halo), top: Math.max(0, top - halo) };
      const to = {
        left: Math.min(width, left + inner.width + halo),
        top: Math.min(height, top + inner.height + halo),
      };
      yield { inner, outer: { ...from, width: to.left - from.left, height: to.top - from.top } };
    }
  }
}
