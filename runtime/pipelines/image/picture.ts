// A decoded image and its parts: 8 bits a channel, row by row, grey or RGB, with or without alpha behind.

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha. */
  readonly channels: number;
  readonly data: Uint8Array;
}

/** BT.601. */
export const luminanceOf = { red: 0.299, green: 0.587, blue: 0.114 } as const;

/** Brightness alone, rounded to 8 bits. */
export function luminancePlane({ width, height, channels, data }: Picture): Uint8Array {
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
