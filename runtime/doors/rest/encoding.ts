// Compressed bodies in both directions, bounded: what unpacks to more than is allowed stops before it is all there.
import { deflate, gunzip, gzip, inflate, inflateRaw } from 'node:zlib';
import { SignalboxError } from '../../../proto/errors.js';
import { quote } from '../sentence.js';

export type Encoding = 'gzip' | 'deflate';

/** Smaller answers go out as they are: packing them costs more than it saves. */
export const compressedSizeMin = 1024;
const level = 1;

/** Gives undefined when it can't: the body may always go out as it is. */
export function compress(body: Buffer, encoding: Encoding, done: (packed: Buffer | undefined) => void): void {
  const pack = encoding === 'gzip' ? gzip : deflate;
  pack(body, { level }, (fault, packed) => done(fault === null ? packed : undefined));
}

/** What the client takes; undefined: only as it is. */
export function encodingFor(accepted: string | undefined): Encoding | undefined {
  if (accepted === undefined) return undefined;
  const taken = accepted
    .toLowerCase()
    .split(',')
    .map((entry) => entry.trim().split(/\s*;\s*/))
    .filter((entry) => !entry.some((part) => /^q=0(\.0*)?$/.test(part)))
    .map((entry) => entry[0]);
  if (taken.includes('gzip')) return 'gzip';
  return taken.includes('deflate') ? 'deflate' : undefined;
}

/** Refuses encodings that nobody here can read before the body is waited for. */
export function encodingOf(header: string | undefined): Encoding | undefined {
  const name = header?.trim().toLowerCase() ?? 'identity';
  if (name === 'identity' || name === '') return undefined;
  if (name === 'gzip' || name === 'x-gzip') return 'gzip';
  if (name === 'deflate') return 'deflate';
  throw new SignalboxError(
    'UNSUPPORTED',
    `Content-Encoding ${quote(name)} is not known here; gzip and deflate are`,
  );
}

export function unpack(
  body: Buffer,
  encoding: Encoding,
  bytesMax: number,
  done: (result: Buffer | SignalboxError) => void,
): void {
  // Some clients send deflate without the zlib wrapper that the standard asks for.
  const bare = encoding === 'deflate' && ((body[0] ?? 8) & 0x0f) !== 8;
  const open = encoding === 'gzip' ? gunzip : bare ? inflateRaw : inflate;
  open(body, { maxOutputLength: bytesMax }, (fault, unpacked) => {
    if (fault === null) done(unpacked);
    else if ((fault as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      done(new SignalboxError('PAYLOAD_TOO_LARGE', `the body unpacks to more than ${bytesMax} bytes`));
    } else {
      const sentence = `the body is not ${encoding}, which its Content-Encoding says: ${fault.message}`;
      done(new SignalboxError('INPUT_INVALID', sentence));
    }
  });
}
