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

export function shapeText(shape: readonly (number | bigint)[]): string {
  return shape.length > 20 ? `[${shape.slice(0, 20).join(',')},...]` : `[${shape.join(',')}]`;
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

/** Printable ASCII only, as headers want it. */
export function headerSafe(text: string, lengthMax: number): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, lengthMax);
}
