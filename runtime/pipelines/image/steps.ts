// The steps of the image pipeline: bytes to pixels, the enlarged brightness in tiles, the colours put back, pixels to bytes.
import { bytesElementOffsets, elementCount, type Tensor } from '../../../proto/tensor.js';
import { BufferSweep } from '../../heap.js';
import { parameterOf } from '../parameter.js';
import { StepError, type StepMaker, type StepRequest } from '../step.js';
import { Enlarger } from './bicubic.js';
import { checkPixels, framesTogether, readAnimation, readFrames, readPicture } from './codec.js';
import { formatOf, isMoving } from './formats.js';
import { type Given, givenKey, listIn, outlinesKey, pictureOf, tensorOf } from './kept.js';
import type { DecodeOptions, EnlargeOptions } from './kinds.js';
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
import { bandedPixels } from './writer.js';

export { encode } from './encode.js';

/** An image on its way: what it was, and what it is to become. */
interface Enlarging {
  readonly picture: Bands;
  readonly scale: number;
  readonly tileSide: number;
  readonly halo: number;
}

const enlargingKey = 'image.enlarging';

/** Of what the image library decoded and was copied. */
const sweep = new BufferSweep(16 << 20, 'major');

/** BYTES, an image an element, to UINT8 [height, width, channels], one piece an image, or one a frame of what moves. */
export const decode: StepMaker<DecodeOptions> = {
  open: ({ pixelsMax, imagesMax, framesMax }) => ({
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
      const frames = takesFrames(request) ? framesMax : 1;
      for (let at = 0; at < count; at++) {
        const bytes = data.subarray((offsets[at] as number) + 4, offsets[at + 1]);
        try {
          for await (const picture of picturesIn(request, bytes, pixelsMax, frames)) {
            sweep.passed(picture.data.length);
            yield [tensorOf(picture)];
          }
        } catch (fault) {
          if (count > 1 && fault instanceof Error)
            fault.message = `image ${at + 1} of ${count}: ${fault.message}`;
          throw fault;
        }
      }
    },
  }),
};

/** Where the answer is to be a JPEG or a PNG, one frame is all that it shows. */
function takesFrames({ parameters }: StepRequest): boolean {
  const format = String(parameters.get('format') ?? 'same').toLowerCase();
  return format === 'same' || isMoving(format);
}

async function* picturesIn(
  request: StepRequest,
  bytes: Uint8Array,
  pixelsMax: number,
  framesMax: number,
): AsyncGenerator<Picture> {
  const given = listIn<Given>(request, givenKey);
  const came = formatOf(bytes);
  const animation =
    framesMax > 1 && came !== undefined && isMoving(came) ? await readAnimation(bytes) : undefined;
  const count = animation?.delaysMs.length ?? 1;
  if (animation === undefined || count === 1) {
    const { format, ...picture } = await readPicture(bytes, pixelsMax);
    given.push({ format });
    yield picture;
    return;
  }
  if (count > framesMax) {
    const message = `the image has ${count} frames; allowed are ${framesMax} (framesMax)`;
    throw new StepError('PAYLOAD_TOO_LARGE', message);
  }
  checkPixels(animation, pixelsMax);
  given.push({ format: came ?? '', animation });
  const together = framesTogether(animation);
  for (let from = 0; from < count; from += together) {
    request.check();
    yield* await readFrames(bytes, from, Math.min(together, count - from));
  }
}

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
