// Words for people: what clients sent is quoted, cut to a length and made safe for wherever the sentence goes.
import type { Port } from './signature.js';

const textLengthMax = 1200;
const quoteLengthMax = 80;

export function quote(name: string): string {
  const cut = name.length > quoteLengthMax ? `${name.slice(0, quoteLengthMax - 3)}...` : name;
  return JSON.stringify(cut);
}

export function list(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  const shown = names.slice(0, 12).map(quote).join(', ');
  return names.length > 12 ? `${shown} and ${names.length - 12} more` : shown;
}

export function shapeText(shape: readonly unknown[]): string {
  const sizes = shape.slice(0, 20).map(sizeText).join(',');
  return shape.length > 20 ? `[${sizes},...]` : `[${sizes}]`;
}

/** A number that JavaScript has rounded is not told as if it were the one that was given. */
function sizeText(size: unknown): string {
  if (typeof size !== 'number' || Math.abs(size) <= Number.MAX_SAFE_INTEGER) return shown(size);
  return size > 0 ? `more than ${Number.MAX_SAFE_INTEGER}` : `less than ${Number.MIN_SAFE_INTEGER}`;
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** What was given where something else is wanted; what has parts is named only. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

export function portText(port: Port): string {
  return `${quote(port.name)} (${port.datatype} ${shapeText(port.shape)})`;
}

/** Without what can't be encoded or shown: half surrogates become U+FFFD, control characters spaces. */
export function tidyText(text: string): string {
  const cut = text.length > textLengthMax ? `${text.slice(0, textLengthMax - 3)}...` : text;
  return (
    cut
      .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to be taken out
      .replace(/[\u0000-\u001f\u007f]/g, ' ')
  );
}

/** Printable ASCII only, as headers want it; one that is cut ends in dots. */
export function headerSafe(text: string, lengthMax: number): string {
  const cut = text.length > lengthMax ? `${text.slice(0, lengthMax - 3)}...` : text;
  return cut.replace(/[^\x20-\x7e]/g, '?');
}
