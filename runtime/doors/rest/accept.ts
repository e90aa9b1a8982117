// What a client would have its answer as, by its Accept header: the most wanted first, and whether that can be an image.
import { imageFormats } from '../../pipelines/image/formats.js';

const formats: readonly string[] = ['jpg', ...imageFormats];

/** Media types in small letters, by their q; of equal ones the first. */
function wantedTypes(accept: string): string[] {
  const entries = accept.split(',').map((entry) => {
    const [type = '', ...parameters] = entry.toLowerCase().split(';');
    const [, q] = /^\s*q=\s*([\d.]+)/.exec(parameters.find((text) => /^\s*q=/.test(text)) ?? '') ?? [];
    return { type: type.trim(), q: q === undefined ? 1 : Number(q) };
  });
  const wanted = entries.filter(({ type, q }) => type !== '' && q > 0);
  return wanted.sort((one, other) => other.q - one.q).map(({ type }) => type);
}

/** The most wanted format that can be made; undefined: whatever comes. One that can't be is named where it is all that is taken. */
export function wantedFormat(accept: string | undefined): string | undefined {
  const types = wantedTypes(accept ?? '');
  for (const type of types) {
    if (type === 'image/*' || type === '*/*') return undefined;
    if (formatIn(type) !== undefined) return formatIn(type);
  }
  const isAll = types.every((type) => type.startsWith('image/'));
  return isAll ? types[0]?.slice('image/'.length) : undefined;
}

/** Who sends an image takes one back unless it says otherwise. */
export function takesImage(accept: string | undefined, sendsImage: boolean): boolean {
  const types = wantedTypes(accept ?? '*/*');
  if (types.some((type) => type === 'image/*' || formatIn(type) !== undefined)) return true;
  return sendsImage && types.includes('*/*');
}

function formatIn(type: string): string | undefined {
  return formats.find((format) => type === `image/${format}`);
}
