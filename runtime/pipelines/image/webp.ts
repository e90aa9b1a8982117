// An animated WebP made of still ones: each is put behind the others as it comes, so that no animation is in memory as a whole.
import type { AnimationPart, FrameHead } from './animation.js';

/** Room for what is only known at the end. */
export const webpHeadBytes = 44;

interface WebpFrame {
  readonly chunks: Uint8Array;
  readonly hasAlpha: boolean;
}

/** The file's head, written again when its size and whether it has alpha are known. */
export function webpHead(
  { width, height, loop }: FrameHead,
  hasAlpha: boolean,
  fileBytes: number,
): Uint8Array {
  const head = Buffer.alloc(webpHeadBytes);
  head.write('RIFF', 0, 'latin1');
  head.writeUInt32LE(fileBytes - 8, 4);
  head.write('WEBPVP8X', 8, 'latin1');
  head.writeUInt32LE(10, 16);
  head.writeUInt8(hasAlpha ? 0x12 : 0x02, 20);
  head.writeUIntLE(width - 1, 24, 3);
  head.writeUIntLE(height - 1, 27, 3);
  head.write('ANIM', 30, 'latin1');
  head.writeUInt32LE(6, 34);
  head.writeUInt16LE(Math.min(loop, 0xffff), 42);
  return head;
}

/** A still image as one of many: it takes the place of what was there before. */
export function webpPart(still: Uint8Array, { width, height }: FrameHead, delayMs: number): AnimationPart {
  const { chunks, hasAlpha } = framesChunks(still);
  const head = Buffer.alloc(24);
  head.write('ANMF', 0, 'latin1');
  head.writeUInt32LE(16 + chunks.length, 4);
  head.writeUIntLE(width - 1, 14, 3);
  head.writeUIntLE(height - 1, 17, 3);
  head.writeUIntLE(Math.min(Math.round(delayMs), 0xffffff), 20, 3);
  head.writeUInt8(2, 23);
  return { bytes: Buffer.concat([head, chunks]), hasAlpha };
}

const imageChunks = new Set(['ALPH', 'VP8 ', 'VP8L']);

function framesChunks(still: Uint8Array): WebpFrame {
  const bytes = Buffer.from(still.buffer, still.byteOffset, still.length);
  const chunks: Uint8Array[] = [];
  let hasAlpha = false;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const name = bytes.toString('latin1', at, at + 4);
    const size = bytes.readUInt32LE(at + 4);
    const end = at + 8 + size + (size & 1);
    if (imageChunks.has(name)) chunks.push(bytes.subarray(at, end));
    hasAlpha ||= name === 'ALPH' || (name === 'VP8L' && (bytes.readUInt8(at + 12) & 0x10) !== 0);
    at = end;
  }
  return { chunks: Buffer.concat(chunks), hasAlpha };
}
