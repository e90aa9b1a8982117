// Writes an image whose rows come band by band. A large one is coded as they come, so that it is never in memory as a whole.
import { StepError } from '../step.js';
import { writeJpegStrip, writePicture } from './codec.js';
import { type ImageFormat, isMoving } from './formats.js';
import { Gathered } from './gathered.js';
import type { Outline, Picture } from './picture.js';
import { PngRows } from './png.js';
import { fileEnd, stripPart, stripRows } from './strips.js';

/** From here on images are handed on in bands and written as these come. */
export const bandedPixels = 8_000_000;

/** What a format can hold, and of WebP and GIF what can be written within memory: they need the image as a whole. */
const sideMax: Readonly<Record<ImageFormat, number>> = {
  png: 1_000_000,
  jpeg: 65_500,
  webp: 16_383,
  gif: 65_535,
};
const wholePixelsMax = 40_000_000;

export function canBeWritten({ width, height }: Outline, format: ImageFormat): boolean {
  if (Math.max(width, height) > sideMax[format]) return false;
  return !isMoving(format) || width * height <= wholePixelsMax;
}

export interface PictureWriter {
  /** Whole rows, from the top. */
  rows(data: Uint8Array): Promise<void>;
  /** The file, behind so many bytes for what goes before it. */
  end(room: number): Promise<Uint8Array>;
}

export function pictureWriter(outline: Outline, format: ImageFormat, quality: number): PictureWriter {
  const { width, height } = outline;
  if (!canBeWritten(outline, format)) {
    const pixels = isMoving(format) ? ` and ${wholePixelsMax} pixels` : '';
    throw new StepError(
      'INPUT_INVALID',
      `${width}x${height} pixels can't be written as ${format}, which takes ${sideMax[format]} a side${pixels}`,
    );
  }
  if (isMoving(format) || width * height < bandedPixels) return new WholeWriter(outline, format, quality);
  return format === 'png' ? new PngWriter(outline) : new JpegWriter(outline, quality);
}

class WholeWriter implements PictureWriter {
  readonly #outline: Outline;
  readonly #format: ImageFormat;
  readonly #quality: number;
  #data: Uint8Array | undefined;
  #filled = 0;

  constructor(outline: Outline, format: ImageFormat, quality: number) {
    this.#outline = outline;
    this.#format = format;
    this.#quality = quality;
  }

  async rows(data: Uint8Array): Promise<void> {
    const { width, height, channels } = this.#outline;
    const bytes = width * height * channels;
    if (data.length === bytes) this.#data = data;
    else {
      this.#data ??= new Uint8Array(bytes);
      this.#data.set(data, this.#filled);
    }
    this.#filled += data.length;
  }

  async end(room: number): Promise<Uint8Array> {
    const data = this.#data ?? new Uint8Array(0);
    this.#data = undefined;
    const file = await writePicture({ ...this.#outline, data }, this.#format, this.#quality);
    const whole = new Uint8Array(room + file.length);
    whole.set(file, room);
    return whole;
  }
}

class PngWriter implements PictureWriter {
  readonly #gathered = new Gathered();
  readonly #png: PngRows;

  constructor(outline: Outline) {
    this.#png = new PngRows(outline, (piece) => this.#gathered.add(piece));
  }

  rows(data: Uint8Array): Promise<void> {
    return this.#png.rows(data);
  }

  async end(room: number): Promise<Uint8Array> {
    await this.#png.end();
    return this.#gathered.taken(room);
  }
}

class JpegWriter implements PictureWriter {
  readonly #outline: Outline;
  readonly #quality: number;
  readonly #gathered = new Gathered();
  readonly #strip: Uint8Array;
  #filled = 0;
  #count = 0;

  constructor(outline: Outline, quality: number) {
    this.#outline = outline;
    this.#quality = quality;
    const { width, channels } = outline;
    this.#strip = new Uint8Array(stripRows(width, channels) * width * channels);
  }

  async rows(data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; ) {
      const part = data.subarray(at, at + this.#strip.length - this.#filled);
      this.#strip.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === this.#strip.length) await this.#write();
    }
  }

  async end(room: number): Promise<Uint8Array> {
    if (this.#filled > 0) await this.#write();
    this.#gathered.add(fileEnd);
    return this.#gathered.taken(room);
  }

  async #write(): Promise<void> {
    const { width, channels } = this.#outline;
    const strip: Picture = {
      width,
      height: this.#filled / (width * channels),
      channels,
      data: this.#strip.subarray(0, this.#filled),
    };
    const written = await writeJpegStrip(strip, this.#quality);
    for (const piece of stripPart(written, this.#count, this.#outline)) this.#gathered.add(piece);
    this.#count++;
    this.#filled = 0;
  }
}
