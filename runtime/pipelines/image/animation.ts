// Animations of any length, taken apart and put together frame by frame: at no time is more of one in memory than a few of its
// frames, and what they were packed in.
import type { MovingFormat } from './formats.js';
import { gifEnd, gifHead, gifPart, goesBeforeNext } from './gif.js';
import { webpHead, webpHeadBytes, webpPart } from './webp.js';

export interface FrameHead {
  readonly width: number;
  readonly height: number;
  /** How often it is shown; 0: without end. */
  readonly loop: number;
}

export interface AnimationPart {
  readonly bytes: Uint8Array;
  readonly hasAlpha: boolean;
}

/** Where the file goes: behind what is there, or at its beginning once more. */
export interface AnimationFile {
  append(bytes: Uint8Array): Promise<void>;
  rewriteHead(bytes: Uint8Array): Promise<void>;
}

/** Frames as still files of its format, all of one size. */
export class AnimationWriter {
  readonly #format: MovingFormat;
  readonly #head: FrameHead;
  readonly #file: AnimationFile;
  #bytes = 0;
  #hasAlpha = false;
  /** Held back until it is known what comes behind it. */
  #last: AnimationPart | undefined;

  private constructor(format: MovingFormat, head: FrameHead, file: AnimationFile) {
    this.#format = format;
    this.#head = head;
    this.#file = file;
  }

  static async open(format: MovingFormat, head: FrameHead, file: AnimationFile): Promise<AnimationWriter> {
    const writer = new AnimationWriter(format, head, file);
    await writer.#append(format === 'gif' ? gifHead(head) : webpHead(head, false, webpHeadBytes));
    return writer;
  }

  async add(still: Uint8Array, delayMs: number): Promise<void> {
    const part = (this.#format === 'gif' ? gifPart : webpPart)(still, this.#head, delayMs);
    this.#hasAlpha ||= part.hasAlpha;
    if (this.#last !== undefined) {
      if (part.hasAlpha && this.#format === 'gif') goesBeforeNext(this.#last.bytes);
      await this.#append(this.#last.bytes);
    }
    this.#last = part;
  }

  async end(): Promise<void> {
    if (this.#last !== undefined) await this.#append(this.#last.bytes);
    if (this.#format === 'gif') await this.#append(gifEnd);
    else await this.#file.rewriteHead(webpHead(this.#head, this.#hasAlpha, this.#bytes));
  }

  async #append(bytes: Uint8Array): Promise<void> {
    this.#bytes += bytes.length;
    await this.#file.append(bytes);
  }
}
