// Reads files that people write: only regular ones, and no more of them than they may have. Anything else that a path may
// lead to (a pipe that nobody writes to, a device without end) would be waited for or read for ever.
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

const pieceBytes = 65_536;

/** The text of the file. Throws a sentence, or what the system says where it can't be opened. */
export function readTextFile(path: string, bytesMax: number): string {
  const descriptor = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const about = fstatSync(descriptor);
    if (about.isDirectory()) throw new Error('it is a folder, wanted is a file');
    if (!about.isFile()) throw new Error('it is not a file');
    if (about.size > bytesMax) throw new Error(`it has ${about.size} bytes, allowed are ${bytesMax}`);
    return read(descriptor, about.size, bytesMax).toString('utf8');
  } finally {
    closeSync(descriptor);
  }
}

/** The size is only a first guess: files of the system have none, and others grow while they are read. */
function read(descriptor: number, size: number, bytesMax: number): Buffer {
  const pieces: Buffer[] = [];
  let total = 0;
  for (;;) {
    const piece = Buffer.allocUnsafe(Math.max(pieceBytes, size - total + 1));
    const count = readSync(descriptor, piece, 0, piece.length, null);
    if (count === 0) return Buffer.concat(pieces, total);
    pieces.push(piece.subarray(0, count));
    total += count;
    if (total > bytesMax) throw new Error(`it has more than the ${bytesMax} bytes that are allowed`);
  }
}
