// The pictures that the sharpening models never learned from, what bicubic makes of them, and how near an answer comes:
// written apart from the server's own steps, so that it can judge them.
import { join } from 'node:path';
import sharp from 'sharp';
import { samples } from './places.js';

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
  const [red, green, blue] = (await coloursOf(picture)) as [Grey, Grey, Grey];
  const pixels = red.pixels.map((value, at) =>
    Math.round(0.299 * value + 0.587 * (green.pixels[at] as number) + 0.114 * (blue.pixels[at] as number)),
  );
  return { ...red, pixels };
}

/** What the picture would have been from farther away, as a PNG. */
export async function smallOf(picture: string | Uint8Array, scale: number): Promise<Buffer> {
  const colours = (await coloursOf(picture)).map((colour) => smaller(colour, scale));
  const { height, width } = colours[0] as Grey;
  const pixels = new Uint8Array(height * width * colours.length);
  for (const [channel, colour] of colours.entries())
    for (const [at, value] of colour.pixels.entries()) pixels[at * colours.length + channel] = value;
  return sharp(pixels, { raw: { height, width, channels: 3 } })
    .png()
    .toBuffer();
}

async function coloursOf(picture: string | Uint8Array): Promise<Grey[]> {
  const { data, info } = await sharp(picture).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const { channels, height, width } = info;
  return [0, 1, 2].map((channel) => {
    const pixels = Uint8Array.from(
      { length: width * height },
      (_, at) => data[at * channels + channel] as number,
    );
    return { pixels, height, width };
  });
}

/** The picture cut to whole pixels of the small one, and that small one enlarged again. */
export function pairOf(grey: Grey, scale: number): { sharp: Grey; blurred: Grey } {
  const sharp = whole(grey, scale);
  return { sharp, blurred: enlarged(smaller(grey, scale), scale) };
}

export function whole(grey: Grey, scale: number): Grey {
  return cut(grey, Math.floor(grey.height / scale) * scale, Math.floor(grey.width / scale) * scale);
}

export function enlarged(grey: Grey, scale: number): Grey {
  return resized(grey, grey.height * scale, grey.width * scale);
}

function smaller(grey: Grey, scale: number): Grey {
  return resized(whole(grey, scale), Math.floor(grey.height / scale), Math.floor(grey.width / scale));
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
