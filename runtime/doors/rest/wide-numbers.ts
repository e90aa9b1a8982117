// JSON with whole numbers beyond 2^53: JSON.parse would round them, so they are marked as text first and come out as
// bigint. Only needed where a tensor has 64-bit elements.

const mark = '\u0001';
const digitsMin = 16;

export function hasWideNumbers(text: string): boolean {
  return text.includes('INT64') && /\d{16}/.test(text);
}

/** The same JSON with each long whole number in quotes, behind a mark that no text of JSON begins with by accident. */
export function markWideNumbers(text: string): string {
  let marked = '';
  let copied = 0;
  let at = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === 0x22) {
      at = endOfText(text, at + 1);
      continue;
    }
    if (code !== 0x2d && !isDigit(code)) {
      at++;
      continue;
    }
    const start = at;
    let whole = true;
    for (at++; at < text.length && isNumberPart(text.charCodeAt(at)); at++) {
      whole &&= isDigit(text.charCodeAt(at));
    }
    if (!whole || at - start < digitsMin) continue;
    marked += `${text.slice(copied, start)}"\\u0001${text.slice(start, at)}"`;
    copied = at;
  }
  return marked + text.slice(copied);
}

/** A marked number as bigint, anything else as it is. */
export function unmark(value: unknown): unknown {
  if (typeof value !== 'string' || !value.startsWith(mark)) return value;
  return /^-?\d{15,}$/.test(value.slice(1)) ? BigInt(value.slice(1)) : value;
}

/** For text that quotes marked JSON. */
export function withoutMarks(text: string): string {
  return text.replaceAll('\\u0001', '').replaceAll(mark, '');
}

function endOfText(text: string, from: number): number {
  let at = from;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === 0x22) return at + 1;
    at += code === 0x5c ? 2 : 1;
  }
  return at;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** Of a number: digits, point, exponent and signs. */
function isNumberPart(code: number): boolean {
  return isDigit(code) || code === 0x2e || code === 0x65 || code === 0x45 || code === 0x2b || code === 0x2d;
}
