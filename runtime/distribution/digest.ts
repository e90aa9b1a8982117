// SHA-256 of files and of their parts, a piece at a time: nobody else in the process waits long, and no file is in memory as
// a whole.
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { settle } from '../clock.js';

const pieceBytes = 256 * 1024;

export interface Digested {
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly parts: readonly string[];
}

/** Of the whole, and of each of its parts. */
export async function digestFile(path: string, partBytes: number): Promise<Digested> {
  const file = await open(path, 'r');
  try {
    const whole = createHash('sha256');
    const parts: string[] = [];
    let sizeBytes = 0;
    for (;;) {
      const part = createHash('sha256');
      const count = await readPieces(file, sizeBytes, partBytes, (piece) => {
        whole.update(piece);
        part.update(piece);
      });
      if (count > 0) parts.push(part.digest('hex'));
      sizeBytes += count;
      if (count < partBytes) return { sizeBytes, sha256: whole.digest('hex'), parts };
    }
  } finally {
    await file.close();
  }
}

/** Of a stretch of the file; undefined where it is shorter. */
export async function digestStretch(
  file: FileHandle,
  offset: number,
  sizeBytes: number,
): Promise<string | undefined> {
  const hash = createHash('sha256');
  const count = await readPieces(file, offset, sizeBytes, (piece) => hash.update(piece));
  return count === sizeBytes ? hash.digest('hex') : undefined;
}

export async function digestBytes(bytes: Uint8Array): Promise<string> {
  const hash = createHash('sha256');
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    hash.update(bytes.subarray(at, at + pieceBytes));
    await new Promise<void>((resolve) => settle(resolve));
  }
  return hash.digest('hex');
}

/** One buffer for all pieces: what is read is gone after `take`. */
async function readPieces(
  file: FileHandle,
  offset: number,
  sizeBytes: number,
  take: (piece: Uint8Array) => void,
): Promise<number> {
  const buffer = Buffer.allocUnsafe(Math.min(pieceBytes, sizeBytes));
  let total = 0;
  while (total < sizeBytes) {
    const most = Math.min(buffer.length, sizeBytes - total);
    const { bytesRead } = await file.read(buffer, 0, most, offset + total);
    if (bytesRead === 0) break;
    take(buffer.subarray(0, bytesRead));
    total += bytesRead;
  }
  return total;
}
