// Which kind of image bytes are, told by how they begin: what is no image is refused before any decoder sees it.

export const imageFormats = ['png', 'jpeg', 'webp', 'gif'] as const;
export type ImageFormat = (typeof imageFormats)[number];

/** Those that can hold several frames. */
export type MovingFormat = 'gif' | 'webp';

export function isMoving(format: string): format is MovingFormat {
  return format === 'gif' || format === 'webp';
}

const beginnings: readonly [format: ImageFormat, at: number, signs: string][] = [
  ['png', 0, '\x89PNG\r\n\x1a\n'],
  ['jpeg', 0, '\xff\xd8\xff'],
  ['webp', 8, 'WEBP'],
  ['gif', 0, 'GIF8'],
];
/** Known well enough to be named in a refusal. */
const others: readonly [name: string, pattern: RegExp][] = [
  ['SVG', /^\s*(<\?xml|<!--|<!DOCTYPE svg|<svg)/i],
  ['PDF', /^%PDF/],
  ['TIFF', /^(II\*\0|MM\0\*)/],
  ['AVIF or HEIC', /^....ftyp/s],
  ['BMP', /^BM/],
];

export function formatOf(bytes: Uint8Array): ImageFormat | undefined {
  const head = headOf(bytes);
  return beginnings.find(([, at, signs]) => head.startsWith(signs, at))?.[0];
}

/** The sentence that says why bytes are no image that is read here. */
export function strangeFormat(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'it has no bytes';
  const head = headOf(bytes);
  const known = others.find(([, pattern]) => pattern.test(head))?.[0];
  const is = known === undefined ? 'it does not begin like an image' : `it is ${known}`;
  return `${is}; taken are ${imageFormats.join(', ')}`;
}

function headOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 64)).toString('latin1');
}
