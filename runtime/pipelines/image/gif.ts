// An animated GIF made of still ones: each brings its own colours and is put behind the others as it comes. And whether one that
// came is whole, which the library does not tell.
import type { AnimationPart, FrameHead } from './animation.js';

const [extension, image, trailer] = [0x21, 0x2c, 0x3b];
const [control, application] = [0xf9, 0xff];
/** What becomes of a frame when its time is over. */
const [stays, goes] = [1 << 2, 2 << 2];
export const gifEnd = Uint8Array.of(trailer);

export function gifHead({ width, height, loop }: FrameHead): Uint8Array {
  const head = Buffer.alloc(13);
  head.write('GIF89a', 0, 'latin1');
  head.writeUInt16LE(width, 6);
  head.writeUInt16LE(height, 8);
  // Once is what is said by nothing; other numbers are those of the repeats.
  if (loop === 1) return head;
  const repeats = Math.min(Math.max(0, loop - 1), 0xffff);
  const again = Buffer.from([extension, application, 11, ...Buffer.from('NETSCAPE2.0'), 3, 1, 0, 0, 0]);
  again.writeUInt16LE(repeats, 16);
  return Buffer.concat([head, again]);
}

export function gifPart(still: Uint8Array, { width, height }: FrameHead, delayMs: number): AnimationPart {
  const bytes = Buffer.from(still.buffer, still.byteOffset, still.length);
  const { colours, depth, clear, data } = placesIn(bytes);
  const head = Buffer.alloc(18);
  head.set([extension, control, 4, clear === undefined ? stays : stays | 1]);
  head.writeUInt16LE(Math.min(Math.round(delayMs / 10), 0xffff), 4);
  head.writeUInt8(clear ?? 0, 6);
  head.writeUInt8(image, 8);
  head.writeUInt16LE(width, 13);
  head.writeUInt16LE(height, 15);
  head.writeUInt8(0x80 | depth, 17);
  return { bytes: Buffer.concat([head, colours, data]), hasAlpha: clear !== undefined };
}

/** Or it would be seen through the clear pixels of the next one. */
export function goesBeforeNext(part: Uint8Array): void {
  part[3] = goes | ((part[3] as number) & 1);
}

interface Places {
  readonly colours: Uint8Array;
  /** Of the table of colours, as GIF counts it. */
  readonly depth: number;
  /** The colour that is none. */
  readonly clear: number | undefined;
  readonly data: Uint8Array;
}

function placesIn(bytes: Buffer): Places {
  const tableAt = (flags: number, at: number) => bytes.subarray(at, at + 3 * 2 ** ((flags & 7) + 1));
  let flags = bytes.readUInt8(10);
  let colours = (flags & 0x80) === 0 ? new Uint8Array(0) : tableAt(flags, 13);
  let clear: number | undefined;
  let at = 13 + colours.length;
  while (bytes.readUInt8(at) === extension) {
    if (bytes.readUInt8(at + 1) === control && (bytes.readUInt8(at + 3) & 1) === 1)
      clear = bytes.readUInt8(at + 6);
    at = behindBlocks(bytes, at + 2);
  }
  const own = bytes.readUInt8(at + 9);
  if ((own & 0x80) !== 0) {
    flags = own;
    colours = tableAt(own, at + 10);
    at += colours.length;
  }
  return {
    colours,
    depth: flags & 7,
    clear,
    data: bytes.subarray(at + 10, behindBlocks(bytes, at + 11)),
  };
}

/** What is wrong with its outline, or undefined. */
export function gifFlaw(given: Uint8Array): string | undefined {
  const bytes = Buffer.from(given.buffer, given.byteOffset, given.length);
  let frames = 0;
  try {
    const tableLength = (flags: number): number => ((flags & 0x80) === 0 ? 0 : 3 * 2 ** ((flags & 7) + 1));
    for (let at = 13 + tableLength(bytes.readUInt8(10)); ; ) {
      const sign = bytes.readUInt8(at);
      if (sign === trailer) return frames === 0 ? 'it has no frame' : undefined;
      if (sign === extension) at = behindBlocks(bytes, at + 2);
      else if (sign === image) {
        at = behindBlocks(bytes, at + 11 + tableLength(bytes.readUInt8(at + 9)));
        frames++;
      }
      // Some writers leave zeros between the parts.
      else if (sign === 0) at++;
      else return `it is damaged behind its frame ${frames}`;
    }
  } catch {
    return `it is cut off: ${frames === 1 ? '1 frame is' : `${frames} frames are`} whole, and its end is missing`;
  }
}

function behindBlocks(bytes: Buffer, from: number): number {
  let at = from;
  while (bytes.readUInt8(at) > 0) at += 1 + bytes.readUInt8(at);
  return at + 1;
}
