// A quick reader for the JSON that nearly every request is: short numbers, plain ASCII texts, nothing deep. It reads the
// bytes where they lie; at whatever is not of that kind, faulty JSON too, it gives up, and the careful reader begins anew.

const bytesMax = 16 * 1024;
const depthMax = 8;
/** So many digits a double holds, and by such a power of ten it is divided, without any rounding but the last. */
const digitsMax = 15;
const powers = Float64Array.from({ length: digitsMax + 1 }, (_, exponent) => 10 ** exponent);

const code = (character: string): number => character.charCodeAt(0);
const quoteCode = code('"');
const backslash = code('\\');
const comma = code(',');
const colon = code(':');
const listBegin = code('[');
const listEnd = code(']');
const objectBegin = code('{');
const objectEnd = code('}');
const minus = code('-');
const point = code('.');
const zero = code('0');
const nine = code('9');
/** What the point would be as a digit. */
const pointDigit = (point - zero) >>> 0;

/** Nothing was read: not to be confused with a value that JSON has. */
const gaveUp = Symbol('gave up');

/** What JSON.parse would give for the first `end` bytes, or undefined when they are not plain. */
export function readPlainJson(bytes: Uint8Array, end: number): unknown {
  if (end > bytesMax) return undefined;
  const reader = new Reader(bytes, end);
  const value = reader.value(0);
  return value === gaveUp || !reader.isAtEnd() ? undefined : value;
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at = 0;

  constructor(bytes: Uint8Array, end: number) {
    this.#bytes = bytes;
    this.#end = end;
  }

  isAtEnd(): boolean {
    return this.#next() === -1;
  }

  value(depth: number): unknown {
    const next = this.#next();
    if (isNumber(next)) {
      const number = this.#number();
      return Number.isNaN(number) ? gaveUp : number;
    }
    if (next === quoteCode) return this.#text();
    if (depth === depthMax) return gaveUp;
    if (next === listBegin) return this.#list(depth);
    if (next === objectBegin) return this.#object(depth);
    return gaveUp;
  }

  /** The next byte that is no white space; -1 at the end. */
  #next(): number {
    while (this.#at < this.#end) {
      const next = this.#bytes[this.#at] as number;
      if (next !== 0x20 && next !== 0x0a && next !== 0x0d && next !== 0x09) return next;
      this.#at++;
    }
    return -1;
  }

  #list(depth: number): unknown {
    const list: unknown[] = [];
    this.#at++;
    if (this.#next() === listEnd) {
      this.#at++;
      return list;
    }
    if (isNumber(this.#next())) return this.#numbers();
    for (;;) {
      const value = this.value(depth + 1);
      if (value === gaveUp) return gaveUp;
      list.push(value);
      const next = this.#next();
      this.#at++;
      if (next === listEnd) return list;
      if (next !== comma) return gaveUp;
    }
  }

  /** The rest of a list that begins with a number. */
  #numbers(): unknown {
    const numbers: number[] = [];
    for (;;) {
      const number = this.#number();
      if (Number.isNaN(number)) return gaveUp;
      numbers.push(number);
      let next = this.#bytes[this.#at];
      if (next !== comma) next = this.#next();
      this.#at++;
      if (next === listEnd) return numbers;
      if (next !== comma || !isNumber(this.#next())) return gaveUp;
    }
  }

  #object(depth: number): unknown {
    const object: Record<string, unknown> = {};
    this.#at++;
    if (this.#next() === objectEnd) {
      this.#at++;
      return object;
    }
    for (;;) {
      if (this.#next() !== quoteCode) return gaveUp;
      const key = this.#text();
      // A name like __proto__ is more than a name where it is set.
      if (typeof key !== 'string' || key.startsWith('_') || this.#next() !== colon) return gaveUp;
      this.#at++;
      const value = this.value(depth + 1);
      if (value === gaveUp) return gaveUp;
      object[key] = value;
      const next = this.#next();
      this.#at++;
      if (next === objectEnd) return object;
      if (next !== comma) return gaveUp;
    }
  }

  #text(): unknown {
    const bytes = this.#bytes;
    const from = this.#at + 1;
    let hash = 0;
    for (let at = from; at < this.#end; at++) {
      const next = bytes[at] as number;
      if (next === quoteCode) {
        this.#at = at + 1;
        return textOf(bytes, from, at, hash & (textsKept - 1));
      }
      if (next < 0x20 || next > 0x7e || next === backslash) return gaveUp;
      hash = (hash * 31 + next) | 0;
    }
    return gaveUp;
  }

  /** NaN when it is no plain one. */
  #number(): number {
    const bytes = this.#bytes;
    const end = this.#end;
    let at = this.#at;
    const isNegative = bytes[at] === minus;
    if (isNegative) at++;
    const from = at;
    let whole = 0;
    let digit = digitAt(bytes, at, end);
    while (digit <= 9) {
      whole = whole * 10 + digit;
      digit = digitAt(bytes, ++at, end);
    }
    const before = at - from;
    if (before === 0 || (before > 1 && bytes[from] === zero)) return Number.NaN;
    let places = 0;
    if (digit === pointDigit) {
      const first = at + 1;
      digit = digitAt(bytes, ++at, end);
      while (digit <= 9) {
        whole = whole * 10 + digit;
        digit = digitAt(bytes, ++at, end);
      }
      places = at - first;
      if (places === 0) return Number.NaN;
    }
    if (before + places > digitsMax) return Number.NaN;
    // Not a number that goes on in some other way, as with an exponent.
    const next = bytes[at] as number;
    if (at < end && next !== comma && next !== listEnd && next !== objectEnd && next > 0x20)
      return Number.NaN;
    this.#at = at;
    const value = places === 0 ? whole : whole / (powers[places] as number);
    return isNegative ? -value : value;
  }
}

function isNumber(next: number): boolean {
  return next === minus || (next >= zero && next <= nine);
}

/** Over 9 for what is no digit, and at the end. */
function digitAt(bytes: Uint8Array, at: number, end: number): number {
  return at < end ? ((bytes[at] as number) - zero) >>> 0 : 255;
}

/** The same few texts come again and again: the latest of each place is kept. */
const textsKept = 256;
const texts: string[] = new Array(textsKept).fill('');

function textOf(bytes: Uint8Array, from: number, to: number, place: number): string {
  const kept = texts[place] as string;
  if (kept.length === to - from && isSame(kept, bytes, from)) return kept;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');
  if (text.length <= 64) texts[place] = text;
  return text;
}

function isSame(text: string, bytes: Uint8Array, from: number): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) !== bytes[from + at]) return false;
  return true;
}
