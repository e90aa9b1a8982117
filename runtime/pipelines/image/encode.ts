// The last step of the image pipeline: pixels to bytes, band by band, and frame by frame of what moves.
import type { Tensor } from '../../../proto/tensor.js';
import { parameterOf } from '../parameter.js';
import { StepError, type StepMaker, type StepRequest } from '../step.js';
import { AnimationWriter } from './animation.js';
import { type ImageFormat, imageFormats, isMoving } from './formats.js';
import { StoredFile } from './gathered.js';
import { type Given, givenKey, listIn, outlinesKey, pictureOf } from './kept.js';
import type { EncodeOptions } from './kinds.js';
import type { Outline, Picture } from './picture.js';
import { bandedPixels, canBeWritten, type PictureWriter, pictureWriter } from './writer.js';

/** The length of an element, before it. */
const elementHead = 4;

export const encode: StepMaker<EncodeOptions> = {
  open: ({ format: byDefault, quality: usual, tensor: name }) => ({
    async *join(pieces, request) {
      const asked = String(parameterOf(request, 'format', byDefault, ['same', 'jpg', ...imageFormats]));
      const quality = Number(parameterOf(request, 'quality', usual, { from: 1, to: 100 }));
      let file: ImageFile | undefined;
      for await (const [tensor] of pieces) {
        request.check();
        file ??= new ImageFile(request, asked, quality);
        const data = await file.take(pictureOf(tensor as Tensor));
        if (data === undefined) continue;
        file = undefined;
        new DataView(data.buffer, data.byteOffset).setUint32(0, data.length - elementHead, true);
        yield [{ name, datatype: 'BYTES', shape: [1], data }];
      }
    },
  }),
};

/** The file of one image. */
class ImageFile {
  readonly #given: Given;
  readonly #outlines: Outline[];
  readonly #asked: string;
  readonly #quality: number;
  readonly #stored = new StoredFile();
  #format: ImageFormat = 'png';
  #outline: Outline = { width: 0, height: 0, channels: 0 };
  #writer: PictureWriter | undefined;
  #rowsLeft = 0;
  #moving: AnimationWriter | undefined;
  #still: Uint8Array | undefined;
  #framesDone = 0;

  constructor(request: StepRequest, asked: string, quality: number) {
    this.#given = listIn<Given>(request, givenKey).shift() ?? { format: '' };
    this.#outlines = listIn<Outline>(request, outlinesKey);
    this.#asked = asked;
    this.#quality = quality;
  }

  /** The whole of it, once it has all its bands and frames. */
  async take(band: Picture): Promise<Uint8Array | undefined> {
    this.#writer ??= this.#begin(band);
    await this.#writer.rows(band.data);
    this.#rowsLeft -= band.height;
    if (this.#rowsLeft > 0) return undefined;
    const file = await this.#writer.end(elementHead);
    this.#writer = undefined;
    const { animation } = this.#given;
    if (animation === undefined) return file;
    await this.#addFrame(file);
    if (this.#framesDone < animation.delaysMs.length) return undefined;
    await this.#moving?.end();
    return this.#moving === undefined ? this.#still : this.#stored.taken(elementHead);
  }

  #begin(band: Picture): PictureWriter {
    this.#outline = outlineOf(band, this.#outlines.shift());
    this.#format = writtenAs(this.#asked, this.#given, this.#outline);
    this.#rowsLeft = this.#outline.height;
    return pictureWriter(this.#outline, this.#format, this.#quality);
  }

  async #addFrame(file: Uint8Array): Promise<void> {
    const { loop = 0, delaysMs = [] } = this.#given.animation ?? {};
    const at = this.#framesDone++;
    if (isMoving(this.#format)) {
      const head = { ...this.#outline, loop };
      this.#moving ??= await AnimationWriter.open(this.#format, head, this.#stored);
      await this.#moving.add(file.subarray(elementHead), delaysMs[at] ?? 0);
    } else this.#still ??= file;
  }
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

/** A GIF has too few colours for one image: that goes out as PNG. What its format can't hold goes out as another. */
function writtenAs(asked: string, { format: came, animation }: Given, outline: Outline): ImageFormat {
  const same = came === 'gif' && animation === undefined ? 'png' : came;
  const format = asked === 'same' ? same : asked === 'jpg' ? 'jpeg' : asked;
  const wanted = imageFormats.find((known) => known === format) ?? 'png';
  if (asked !== 'same' || animation !== undefined || canBeWritten(outline, wanted)) return wanted;
  return outline.channels % 2 === 1 && canBeWritten(outline, 'jpeg') ? 'jpeg' : 'png';
}
