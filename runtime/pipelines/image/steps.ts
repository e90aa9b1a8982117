// The steps of the image pipeline: bytes to pixels, the enlarged brightness in tiles, the colours put back, pixels to bytes.
import { bytesElementOffsets, elementCount, type Tensor } from '../../../proto/tensor.js';
import { BufferSweep } from '../../heap.js';
import { parameterOf } from '../parameter.js';
import { StepError, type StepMaker, type StepRequest } from '../step.js';
import { Enlarger } from './bicubic.js';
import { readPicture } from './codec.js';
import { type ImageFormat, imageFormats } from './formats.js';
import type { DecodeOptions, EncodeOptions, EnlargeOptions } from './kinds.js';
import {
  Bands,
  Brightness,
  luminanceOf,
  type Outline,
  type Picture,
  type Region,
  type Tile,
  tilesOf,
} from './picture.js';
import { bandedPixels, canBeWritten, type PictureWriter, pictureWriter } from './writer.js';

/** An image on its way: what it was, and what it is to become. */
interface Enlarging {
  readonly picture: Bands;
  readonly scale: number;
  readonly tileSide: number;
  readonly halo: number;
}

const enlargingKey = 'image.enlarging';
const formatsKey = 'image.formats';
const outlinesKey = 'image.outlines';

/** Of what the image library decoded and was copied. */
const sweep = new BufferSweep(16 << 20, 'major');

function listIn<T>(request: StepRequest, key: string): T[] {
  let list = request.kept.get(key) as T[] | undefined;
  if (list === undefined) {
    list = [];
    request.kept.set(key, list);
  }
  return list;
}

/** BYTES, an image an element, to UINT8 [height, width, channels], one piece an image. */
export const decode: StepMaker<DecodeOptions> = {
  open: ({ pixelsMax, imagesMax }) => ({
    async *apply([given], request) {
      const { data, shape } = given as Tensor;
      const count = elementCount(shape);
      if (count < 1 || count > imagesMax) {
        throw new StepError(
          'INPUT_INVALID',
          `${count} images are given, wanted are 1 to ${imagesMax} (imagesMax)`,
        );
      }
      const offsets = bytesElementOffsets(data, count) as number[];
      for (let at = 0; at < count; at++) {
        const bytes = data.subarray((offsets[at] as number) + 4, offsets[at + 1]);
        const { format, ...picture } = await readPicture(bytes, pixelsMax).catch((fault: Error) => {
          if (count > 1) fault.message = `image ${at + 1} of ${count}: ${fault.message}`;
          throw fault;
        });
        listIn<string>(request, formatsKey).push(format);
        sweep.passed(picture.data.length);
        yield [tensorOf(picture)];
      }
    },
  }),
};

/** The brightness of the image, enlarged, 0 to 1, tile by tile; made when the model has room for it. */
export const enlarge: StepMaker<EnlargeOptions> = {
  open: ({ scale: byDefault, scales, tileSide, halo, tensor: name }) => ({
    *apply([given], request) {
      const scale = Number(parameterOf(request, 'scale', byDefault, scales));
      const picture = new Bands(pictureOf(given as Tensor));
      listIn<Enlarging>(request, enlargingKey).push({ picture, scale, tileSide, halo });
      const { width, height } = picture;
      const brightness = new Brightness(picture);
      const enlarger = new Enlarger(brightness, scale);
      for (const { outer } of tilesOf(width * scale, height * scale, tileSide, halo)) {
        brightness.dropAbove(firstRow(outer.top, scale));
        const values = new Float32Array(outer.width * outer.height);
        enlarger.region(0, outer, values);
        for (let at = 0; at < values.length; at++) values[at] = clamped(values[at] as number) / 255;
        const shape = [1, 1, outer.height, outer.width];
        yield [{ name, datatype: 'FP32', shape, data: new Uint8Array(values.buffer) }];
      }
    },
  }),
};

/** The model's brightness with the colours of the enlarged image: as a whole image again, a large one in bands of rows. */
export const recolour: StepMaker<unknown> = {
  open: () => ({
    async *join(pieces, request) {
      const waiting = listIn<Enlarging>(request, enlargingKey);
      let image: Recoloured | undefined;
      for await (const [tensor] of pieces) {
        if (image === undefined) {
          image = new Recoloured(waiting.shift() as Enlarging);
          listIn<Outline>(request, outlinesKey).push(image.outline);
        }
        request.check();
        const band = image.put(tensor as Tensor);
        if (image.isFull) image = undefined;
        if (band !== undefined) yield [tensorOf(band)];
      }
    },
  }),
};

export const encode: StepMaker<EncodeOptions> = {
  open: ({ format: byDefault, quality: usual, tensor: name }) => ({
    async *join(pieces, request) {
      const asked = String(parameterOf(request, 'format', byDefault, ['same', 'jpg', ...imageFormats]));
      const quality = Number(parameterOf(request, 'quality', usual, { from: 1, to: 100 }));
      let writer: PictureWriter | undefined;
      let rowsLeft = 0;
      for await (const [tensor] of pieces) {
        const band = pictureOf(tensor as Tensor);
        if (writer === undefined) {
          const outline = outlineOf(band, listIn<Outline>(request, outlinesKey).shift());
          const came = listIn<string>(request, formatsKey).shift() ?? '';
          writer = pictureWriter(outline, writtenAs(asked, came, outline), quality);
          rowsLeft = outline.height;
        }
        request.check();
        await writer.rows(band.data);
        rowsLeft -= band.height;
        if (rowsLeft > 0) continue;
        yield [elementOf(name, await writer.end(elementHead))];
        writer = undefined;
      }
    },
  }),
};

const elementHead = 4;

function elementOf(name: string, data: Uint8Array): Tensor {
  new DataView(data.buffer, data.byteOffset).setUint32(0, data.length - elementHead, true);
  return { name, datatype: 'BYTES', shape: [1], data };
}

/** Of the whole that a band belongs to; what a step in between has made of a whole image is one itself. */
function outlineOf(band: Picture, whole: Outline | undefined): Outline {
  if (whole === undefined || whole.width * whole.height < bandedPixels) return band;
  if (whole.width === band.width && whole.channels === band.channels) return whole;
  throw new StepError(
    'MODEL_FAILED',
    `a band of an image has ${band.width} columns of ${band.channels}, wanted are ${whole.width} of ${whole.channels}`,
  );
}

/** What comes in as something that is not written goes out as PNG, and what its format can't hold as another. */
function writtenAs(asked: string, came: string, outline: Outline): ImageFormat {
  const format = asked === 'same' ? came : asked === 'jpg' ? 'jpeg' : asked;
  const wanted = imageFormats.find((known) => known === format) ?? 'png';
  if (asked !== 'same' || canBeWritten(outline, wanted)) return wanted;
  return outline.channels % 2 === 1 && canBeWritten(outline, 'jpeg') ? 'jpeg' : 'png';
}

/** Tiles put in their places; the colours of each are enlarged when it comes. */
class Recoloured {
  readonly outline: Outline;
  readonly #bandRows: number;
  readonly #tiles: Iterator<Tile>;
  readonly #enlarger: Enlarger;
  readonly #planes: Float32Array[];
  readonly #source: Bands;
  readonly #scale: number;
  #next: IteratorResult<Tile>;
  #band: Picture | undefined;
  #bandTop = 0;

  constructor({ picture, scale, tileSide, halo }: Enlarging) {
    const { channels } = picture;
    const width = picture.width * scale;
    const height = picture.height * scale;
    this.outline = { width, height, channels };
    this.#bandRows = width * height < bandedPixels ? height : tileSide;
    this.#source = picture;
    this.#scale = scale;
    this.#enlarger = new Enlarger(picture, scale);
    this.#planes = Array.from({ length: channels }, () => new Float32Array(tileSide * tileSide));
    this.#tiles = tilesOf(width, height, tileSide, halo);
    this.#next = this.#tiles.next();
  }

  get isFull(): boolean {
    return this.#next.done === true;
  }

  /** The band that it makes complete. */
  put({ shape, datatype, data }: Tensor): Picture | undefined {
    const { inner, outer } = this.#next.value as Tile;
    const wanted = [1, 1, outer.height, outer.width];
    if (datatype !== 'FP32' || shape.join() !== wanted.join()) {
      throw new StepError(
        'MODEL_FAILED',
        `the model gave ${datatype} [${shape}], wanted is FP32 [${wanted}]`,
      );
    }
    this.#source.dropAbove(firstRow(inner.top, this.#scale));
    this.#band ??= this.#bandAt(inner.top);
    const values = new Float32Array(data.buffer, data.byteOffset, data.length / 4);
    this.#colour(this.#band, values, inner, outer);
    this.#next = this.#tiles.next();
    const below = this.#next.done === true ? this.outline.height : this.#next.value.inner.top;
    if (below < this.#bandTop + this.#band.height) return undefined;
    const band = this.#band;
    this.#band = undefined;
    return band;
  }

  #bandAt(top: number): Picture {
    const { width, height: whole, channels } = this.outline;
    const height = Math.min(this.#bandRows, whole - top);
    this.#bandTop = top;
    return { width, height, channels, data: new Uint8Array(width * height * channels) };
  }

  #colour({ data, width, channels }: Picture, values: Float32Array, inner: Region, outer: Region): void {
    const isGrey = channels < 3;
    for (let channel = isGrey ? 1 : 0; channel < channels; channel++) {
      this.#enlarger.region(channel, inner, this.#planes[channel] as Float32Array);
    }
    const skip = (inner.top - outer.top) * outer.width + (inner.left - outer.left);
    for (let row = 0; row < inner.height; row++) {
      const to = ((inner.top - this.#bandTop + row) * width + inner.left) * channels;
      const from = skip + row * outer.width;
      if (isGrey) this.#putGrey(data, values, from, row * inner.width, to, inner.width);
      else this.#putColour(data, values, from, row * inner.width, to, inner.width);
    }
  }

  #putGrey(
    data: Uint8Array,
    values: Float32Array,
    from: number,
    at: number,
    to: number,
    width: number,
  ): void {
    const { channels } = this.outline;
    const alpha = this.#planes[1];
    for (let column = 0; column < width; column++) {
      const place = to + column * channels;
      data[place] = clamped((values[from + column] as number) * 255);
      if (alpha !== undefined && channels === 2) data[place + 1] = clamped(alpha[at + column] as number);
    }
  }

  /** One step towards light or dark in all three changes the brightness and leaves the colour difference as it is. */
  #putColour(
    data: Uint8Array,
    values: Float32Array,
    from: number,
    at: number,
    to: number,
    width: number,
  ): void {
    const { channels } = this.outline;
    const [reds, greens, blues, alphas] = this.#planes as [
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array?,
    ];
    const { red, green, blue } = luminanceOf;
    for (let column = 0; column < width; column++) {
      const place = to + column * channels;
      const r = reds[at + column] as number;
      const g = greens[at + column] as number;
      const b = blues[at + column] as number;
      const step = (values[from + column] as number) * 255 - (red * r + green * g + blue * b);
      data[place] = clamped(r + step);
      data[place + 1] = clamped(g + step);
      data[place + 2] = clamped(b + step);
      if (alphas !== undefined) data[place + 3] = clamped(alphas[at + column] as number);
    }
  }
}

/** Of the source, that a row of the enlarged image looks at. */
function firstRow(top: number, scale: number): number {
  return Math.max(0, Math.floor((top + 0.5) / scale - 0.5) - 1);
}

function clamped(value: number): number {
  return value <= 0 ? 0 : value >= 255 ? 255 : (value + 0.5) | 0;
}

function tensorOf({ width, height, channels, data }: Picture): Tensor {
  return { name: 'image', datatype: 'UINT8', shape: [height, width, channels], data };
}

function pictureOf({ shape, datatype, data }: Tensor): Picture {
  const [height = 0, width = 0, channels = 0] = shape;
  if (datatype === 'UINT8' && shape.length === 3 && channels >= 1 && channels <= 4)
    return { width, height, channels, data };
  throw new StepError(
    'MODEL_FAILED',
    `wanted is an image as UINT8 [height, width, 1 to 4], given is ${datatype} [${shape}]`,
  );
}
