// Images to pixels and back; the only file that knows the library. What it can't read is told in a sentence, before memory
// is spent on it where its header says enough.
import sharp, { type Sharp } from 'sharp';
import { StepError } from '../step.js';
import { formatOf, type ImageFormat, strangeFormat } from './formats.js';
import { copyOf } from './gathered.js';
import { gifFlaw } from './gif.js';
import type { Picture } from './picture.js';

// Everything else that the library could open stays shut: SVG, PDF and their like read other files and run long.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: [
    'VipsForeignLoadPngBuffer',
    'VipsForeignLoadJpegBuffer',
    'VipsForeignLoadWebpBuffer',
    'VipsForeignLoadNsgifBuffer',
  ],
});
sharp.concurrency(1);
sharp.cache(false);

const unlimited = { limitInputPixels: false } as const;
/** For images that are read again at once. */
const quick = { compressionLevel: 1 } as const;
/** Colours that are chosen with more care take five times as long. */
const gifEffort = { effort: 3 } as const;

export interface ReadPicture extends Picture {
  readonly format: ImageFormat;
}

/** Upright, in sRGB, 8 bits a channel; grey stays grey and alpha is kept. */
export async function readPicture(bytes: Uint8Array, pixelsMax: number): Promise<ReadPicture> {
  const format = checkedFormat(bytes);
  try {
    const { width, height, space, hasAlpha } = await sharp(bytes, { limitInputPixels: false }).metadata();
    checkPixels({ width, height }, pixelsMax);
    const isGrey = space === 'b-w' || space === 'grey16';
    const { data, info } = await sharp(bytes, { limitInputPixels: pixelsMax, failOn: 'error' })
      .autoOrient()
      .toColourspace(isGrey && !hasAlpha ? 'b-w' : 'srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const upright = { width: info.width, height: info.height, format };
    // Raw and grey the library leaves alpha out.
    if (isGrey && info.channels === 4) return { ...upright, channels: 2, data: greyWithAlpha(data) };
    // The library's memory can't be taken from whoever holds on to it; a copy can.
    return { ...upright, channels: info.channels, data: copyOf(data) };
  } catch (fault) {
    if (fault instanceof StepError) throw fault;
    throw unreadable(`it is ${format}, but ${wordsOf(fault)}`);
  }
}

export async function writePicture(
  { width, height, channels, data }: Picture,
  format: ImageFormat,
  quality: number,
): Promise<Uint8Array> {
  const image = rawImage({ width, height, channels, data });
  try {
    if (format === 'png') return await image.png({ compressionLevel: 6 }).toBuffer();
    if (format === 'webp') return await image.webp({ quality }).toBuffer();
    if (format === 'gif') return await image.gif(gifEffort).toBuffer();
    return await image.jpeg({ quality }).toBuffer();
  } catch (fault) {
    throw new StepError(
      'INPUT_INVALID',
      `${width}x${height} pixels can't be written as ${format}: ${wordsOf(fault)}`,
    );
  }
}

/** One strip of many: coded with tables that are the same for each, and not the best ones for this one. */
export async function writeJpegStrip(picture: Picture, quality: number): Promise<Uint8Array> {
  return rawImage(picture).jpeg({ quality, optimizeCoding: false }).toBuffer();
}

export interface Animation {
  readonly width: number;
  readonly height: number;
  /** How long each frame is shown; one that does not move has one. */
  readonly delaysMs: readonly number[];
  /** How often it is shown; 0: without end. */
  readonly loop: number;
}

export async function readAnimation(bytes: Uint8Array): Promise<Animation> {
  const format = checkedFormat(bytes);
  try {
    const { width, height, pages = 1, delay = [], loop = 1 } = await sharp(bytes, unlimited).metadata();
    const delaysMs = Array.from({ length: pages }, (_, at) => delay[at] ?? 0);
    return { width, height, delaysMs, loop };
  } catch (fault) {
    throw unreadable(`it is ${format}, but ${wordsOf(fault)}`);
  }
}

/** Unpacked at a time, in all frames together. */
const unpackedPixels = 16_000_000;

export function framesTogether({ width, height }: Sides): number {
  return Math.max(1, Math.floor(unpackedPixels / (width * height)));
}

/** So many frames from one on. */
export async function readFrames(bytes: Uint8Array, from: number, count: number): Promise<Picture[]> {
  try {
    const { data, info } = await sharp(bytes, { ...unlimited, page: from, pages: count, failOn: 'error' })
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    const { width, channels } = info;
    const size = data.length / count;
    return Array.from({ length: count }, (_, at) => {
      const frame = copyOf(data.subarray(at * size, (at + 1) * size));
      return { width, height: info.height / count, channels, data: frame };
    });
  } catch (fault) {
    throw unreadable(`of its frames ${from + 1} to ${from + count}: ${wordsOf(fault)}`);
  }
}

/** The same, each as a PNG of its own. */
export async function framesOf(bytes: Uint8Array, from: number, count: number): Promise<Uint8Array[]> {
  const files: Uint8Array[] = [];
  for (const frame of await readFrames(bytes, from, count)) {
    files.push(await rawImage(frame).png(quick).toBuffer());
  }
  return files;
}

/** As a GIF by itself, with 256 colours of its own. */
export async function gifOf(image: Uint8Array): Promise<Uint8Array> {
  return sharp(image, unlimited).gif(gifEffort).toBuffer();
}

function rawImage({ width, height, channels, data }: Picture): Sharp {
  const image = sharp(data, { raw: { width, height, channels: channels as 3 }, limitInputPixels: false });
  return channels < 3 ? image.toColourspace('b-w') : image;
}

function greyWithAlpha(data: Uint8Array): Uint8Array {
  const pairs = new Uint8Array(data.length / 2);
  for (let to = 0, from = 0; to < pairs.length; to += 2, from += 4) {
    pairs[to] = data[from] as number;
    pairs[to + 1] = data[from + 3] as number;
  }
  return pairs;
}

function checkedFormat(bytes: Uint8Array): ImageFormat {
  const format = formatOf(bytes);
  if (format === undefined) throw unreadable(strangeFormat(bytes));
  const flaw = format === 'gif' ? gifFlaw(bytes) : undefined;
  if (flaw !== undefined) throw unreadable(`it is gif, but ${flaw}`);
  return format;
}

function unreadable(why: string): StepError {
  return new StepError('INPUT_INVALID', `the image can't be read: ${why}`);
}

type Sides = Pick<Picture, 'width' | 'height'>;

export function checkPixels({ width, height }: Sides, pixelsMax: number): void {
  if (width * height <= pixelsMax) return;
  throw new StepError(
    'PAYLOAD_TOO_LARGE',
    `the image has ${width}x${height} pixels, which are ${width * height}; allowed are ${pixelsMax} (pixelsMax)`,
  );
}

/** The library repeats itself over several lines, with names of its own, and sometimes says no more than those. */
function wordsOf(fault: unknown): string {
  const [line = ''] = (fault instanceof Error ? fault.message : String(fault)).split('\n');
  const headed = line.replace(/^Input buffer has corrupt header(: |:?$)/, '');
  const said = headed
    .replace(/^(Input buffer|webp|\w*[Vv]ips\w*|\w+load_buffer): /, '')
    .replace(/[.:]$/, '')
    .slice(0, 200);
  const damage = headed === line ? 'it is damaged' : 'its header is damaged';
  if (said === '' || said === 'Unknown error') return damage;
  return headed === line ? said : `${damage}: ${said}`;
}
