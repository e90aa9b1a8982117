// The steps of the image pipeline: bytes to pixels, the enlarged brightness in tiles, the colours put back, pixels to bytes.
import { bytesElementOffsets, elementCount, type Tensor } from '../../../proto/tensor.js';
import { parameterOf } from '../parameter.js';
import { StepError, type StepMaker, type StepRequest } from '../step.js';
import { Enlarger } from './bicubic.js';
import { readPicture, writePicture } from './codec.js';
import { type ImageFormat, imageFormats } from './formats.js';
import type { DecodeOptions, EncodeOptions, EnlargeOptions } from './kinds.js';
import { Bands, Brightness, luminanceOf, type Picture, type Tile, tilesOf } from './picture.js';

/** An image on its way: what it was, and what it is to become. */
interface Enlarging {
  readonly picture: Bands;
  readonly scale: number;
  readonly tileSide: number;
  readonly halo: number;
}

const enlargingKey = 'image.enlarging';
const formatsKey = 'image.formats';

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

/** The model's brightness with the colours of the enlarged image, as a whole image again. */
export const recolour: StepMaker<unknown> = {
  open: () => ({
    async *join(pieces, request) {
      const waiting = listIn<Enlarging>(request, enlargingKey);
      let image: Whole | undefined;
      for await (const [tensor] of pieces) {
        if (image === undefined) image = new Whole(waiting.shift() as Enlarging);
        request.check();
        image.put(tensor as Tensor);
        if (!image.isFull) continue;
        const full = [tensorOf(image.result)];
        image = undefined;
        yield full;
      }
    },
  }),
};

export const encode: StepMaker<EncodeOptions> = {
  open: ({ format: byDefault, quality: usual, tensor: name }) => ({
    async apply([given], request) {
      const came = listIn<string>(request, formatsKey).shift() ?? '';
      const asked = String(parameterOf(request, 'format', byDefault, ['same', 'jpg', ...imageFormats]));
      const quality = Number(parameterOf(request, 'quality', usual, { from: 1, to: 100 }));
      const bytes = await writePicture(pictureOf(given as Tensor), writtenAs(asked, came), quality);
      const data = new Uint8Array(4 + bytes.length);
      new DataView(data.buffer).setUint32(0, bytes.length, true);
      data.set(bytes, 4);
      return [{ name, datatype: 'BYTES', shape: [1], data }];
    },
  }),
};

/** What comes in as something that is not written goes out as PNG. */
function writtenAs(asked: string, came: string): ImageFormat {
  const format = asked === 'same' ? came : asked === 'jpg' ? 'jpeg' : asked;
  return imageFormats.find((known) => known === format) ?? 'png';
}

/** Tiles put in their places; the colours of each are enlarged when it comes. */
class Whole {
  readonly result: Picture;
  readonly #tiles: Iterator<Tile>;
  readonly #enlarger: Enlarger;
  readonly #planes: Float32Array[];
  readonly #source: Bands;
  readonly #scale: number;
  #next: IteratorResult<Tile>;

  constructor({ picture, scale, tileSide, halo }: Enlarging) {
    const { channels } = picture;
    const width = picture.width * scale;
    const height = picture.height * scale;
    this.result = { width, height, channels, data: new Uint8Array(width * height * channels) };
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

  put({ shape, datatype, data }: Tensor): void {
    const { inner, outer } = this.#next.value as Tile;
    const wanted = [1, 1, outer.height, outer.width];
    if (datatype !== 'FP32' || shape.join() !== wanted.join()) {
      throw new StepError(
        'MODEL_FAILED',
        `the model gave ${datatype} [${shape}], wanted is FP32 [${wanted}]`,
      );
    }
    this.#source.dropAbove(firstRow(inner.top, this.#scale));
    const { channels } = this.result;
    const values = new Float32Array(data.buffer, data.byteOffset, data.length / 4);
    const isGrey = channels < 3;
    for (let channel = isGrey ? 1 : 0; channel < channels; channel++) {
      this.#enlarger.region(channel, inner, this.#planes[channel] as Float32Array);
    }
    const skip = (inner.top - outer.top) * outer.width + (inner.left - outer.left);
    for (let row = 0; row < inner.height; row++) {
      const to = ((inner.top + row) * this.result.width + inner.left) * channels;
      const from = skip + row * outer.width;
      if (isGrey) this.#putGrey(values, from, row * inner.width, to, inner.width);
      else this.#putColour(values, from, row * inner.width, to, inner.width);
    }
    this.#next = this.#tiles.next();
  }

  #putGrey(values: Float32Array, from: number, at: number, to: number, width: number): void {
    const { data, channels } = this.result;
    const alpha = this.#planes[1];
    for (let column = 0; column < width; column++) {
      const place = to + column * channels;
      data[place] = clamped((values[from + column] as number) * 255);
      if (alpha !== undefined && channels === 2) data[place + 1] = clamped(alpha[at + column] as number);
    }
  }

  /** One step towards light or dark in all three changes the brightness and leaves the colour difference as it is. */
  #putColour(values: Float32Array, from: number, at: number, to: number, width: number): void {
    const { data, channels } = this.result;
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
