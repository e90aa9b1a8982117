// The pictures that the sharpening models never learned from, what bicubic makes of them, and how near an answer comes:
// written apart from the server's own steps, so that it can judge them.
import { join } from 'node:path';
import sharp from 'sharp';
import { samples } from './folder.js';

/** 8-bit brightness, row by row. */
export interface Grey {
  readonly pixels: Uint8Array;
  readonly height: number;
  readonly width: number;
}

export const heldOutPictures = ['astronaut', 'china'] as const;

export function pictureFile(name: string): string {
  return join(samples, '..', 'images', name);
}

/** BT.601. */
export async function luminanceOf(picture: string | Uint8Array): Promise<Grey> {
  const { data, info } = await sharp(picture).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const at = (pixel: number, colour: number): number => data[pixel * info.channels + colour] as number;
  const pixels = Uint8Array.from({ length: info.width * info.height }, (_, pixel) =>
    Math.round(0.299 * at(pixel, 0) + 0.587 * at(pixel, 1) + 0.114 * at(pixel, 2)),
  );
  return { pixels, height: info.height, width: info.width };
}

/** The picture cut to whole pixels of the small one, and that small one enlarged again. */
export function pairOf(grey: Grey, scale: number): { sharp: Grey; blurred: Grey } {
  const [height, width] = [Math.floor(grey.height / scale), Math.floor(grey.width / scale)];
  const sharp = cut(grey, height * scale, width * scale);
  return { sharp, blurred: resized(resized(sharp, height, width), sharp.height, sharp.width) };
}

/** In dB, without a margin of `scale` pixels. */
export function psnr(picture: Grey, truth: Grey, scale: number): number {
  let sum = 0;
  let counted = 0;
  for (let row = scale; row < truth.height - scale; row += 1)
    for (let column = scale; column < truth.width - scale; column += 1) {
      const at = row * truth.width + column;
      sum += ((picture.pixels[at] as number) - (truth.pixels[at] as number)) ** 2;
      counted += 1;
    }
  return 10 * Math.log10((255 ** 2 * counted) / sum);
}

function cut(grey: Grey, height: number, width: number): Grey {
  const pixels = Uint8Array.from(
    { length: height * width },
    (_, at) => grey.pixels[Math.floor(at / width) * grey.width + (at % width)] as number,
  );
  return { pixels, height, width };
}

/** Bicubic with a = -0.5, centres aligned, edges repeated; stretched where the picture becomes smaller. */
function resized(grey: Grey, height: number, width: number): Grey {
  const narrow = alongRows(grey.pixels, grey.height, grey.width, width);
  const turned = alongRows(turn(narrow, grey.height, width), width, grey.height, height);
  return { pixels: Uint8Array.from(turn(turned, width, height), eightBit), height, width };
}

export function eightBit(value: number): number {
  return Math.min(255, Math.max(0, Math.round(value)));
}

function turn(values: Float64Array, height: number, width: number): Float64Array {
  return values.map((_, at) => values[(at % height) * width + Math.floor(at / height)] as number);
}

/** Each row of `width` becomes one of `wanted`. */
function alongRows(
  values: Uint8Array | Float64Array,
  height: number,
  width: number,
  wanted: number,
): Float64Array {
  const made = new Float64Array(height * wanted);
  const stretch = Math.max(1, width / wanted);
  for (let column = 0; column < wanted; column += 1) {
    const centre = ((column + 0.5) * width) / wanted - 0.5;
    const first = Math.ceil(centre - 2 * stretch);
    const count = Math.floor(centre + 2 * stretch) - first + 1;
    const raw = Array.from({ length: count }, (_, at) => cubic((first + at - centre) / stretch));
    const sum = raw.reduce((total, weight) => total + weight, 0);
    for (const [at, weight] of raw.entries()) {
      const source = Math.min(width - 1, Math.max(0, first + at));
      for (let row = 0; row < height; row += 1)
        made[row * wanted + column]! += (weight / sum) * (values[row * width + source] as number);
    }
  }
  return made;
}

function cubic(distance: number): number {
  const near = Math.abs(distance);
  if (near < 1) return (1.5 * near - 2.5) * near ** 2 + 1;
  return near < 2 ? ((-0.5 * near + 2.5) * near - 4) * near + 2 : 0;
}
