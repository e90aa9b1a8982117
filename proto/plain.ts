// Reads the plain part of MessagePack that envelopes are made of: nil, booleans, numbers, text, and arrays of them. In
// one pass over bytes that nobody vouches for: an extension, a map, an array longer than the bytes that are there, or
// anything after the value makes it no envelope.

const depthMax = 6;

export class NotPlain extends Error {}

/** The value, or NotPlain. */
export function readPlain(bytes: Uint8Array): unknown {
  const reader = new Reader(bytes);
  const value = reader.value(depthMax);
  if (reader.at !== bytes.length) throw new NotPlain();
  return value;
}

/** Names and ids are short and plain: those are read faster here than by a call out of JavaScript. */
function shortText(bytes: Uint8Array, from: number, length: number): string | undefined {
  if (length > 24) return undefined;
  let text = '';
  for (let at = from; at < from + length; at++) {
    const code = bytes[at] as number;
    if (code > 127) return undefined;
    text += String.fromCharCode(code);
  }
  return text;
}

class Reader {
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #text: Buffer;

  constructor(bytes: Uint8Array) {
    const { buffer, byteOffset, byteLength } = bytes;
    this.#bytes = bytes;
    this.#view = new DataView(buffer, byteOffset, byteLength);
    this.#text = Buffer.isBuffer(bytes) ? bytes : Buffer.from(buffer, byteOffset, byteLength);
  }

  value(depth: number): unknown {
    const head = this.#bytes[this.#skip(1)] as number;
    if (head < 0x80) return head;
    if (head >= 0xe0) return head - 0x100;
    if (head >= 0xa0 && head < 0xc0) return this.#string(head & 0x1f);
    if (head >= 0x90 && head < 0xa0) return this.#array(head & 0x0f, depth);
    return this.#wide(head, depth);
  }

  #wide(head: number, depth: number): unknown {
    const view = this.#view;
    switch (head) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xca:
        return view.getFloat32(this.#skip(4));
      case 0xcb:
        return view.getFloat64(this.#skip(8));
      case 0xcc:
        return view.getUint8(this.#skip(1));
      case 0xcd:
        return view.getUint16(this.#skip(2));
      case 0xce:
        return view.getUint32(this.#skip(4));
      case 0xcf:
        return Number(view.getBigUint64(this.#skip(8)));
      case 0xd0:
        return view.getInt8(this.#skip(1));
      case 0xd1:
        return view.getInt16(this.#skip(2));
      case 0xd2:
        return view.getInt32(this.#skip(4));
      case 0xd3:
        return Number(view.getBigInt64(this.#skip(8)));
      case 0xd9:
        return this.#string(view.getUint8(this.#skip(1)));
      case 0xda:
        return this.#string(view.getUint16(this.#skip(2)));
      case 0xdb:
        return this.#string(view.getUint32(this.#skip(4)));
      case 0xdc:
        return this.#array(view.getUint16(this.#skip(2)), depth);
      case 0xdd:
        return this.#array(view.getUint32(this.#skip(4)), depth);
      default:
        throw new NotPlain();
    }
  }

  #string(length: number): string {
    const from = this.#skip(length);
    return shortText(this.#bytes, from, length) ?? this.#text.toString('utf8', from, from + length);
  }

  #array(length: number, depth: number): unknown[] {
    // Every value takes a byte at least: a longer array is a lie.
    if (length > this.#bytes.length - this.at || depth === 0) throw new NotPlain();
    const values: unknown[] = [];
    for (let index = 0; index < length; index++) values.push(this.value(depth - 1));
    return values;
  }

  /** Where the next bytes begin, after making sure that they are there. */
  #skip(length: number): number {
    const from = this.at;
    this.at += length;
    if (this.at > this.#bytes.length) throw new NotPlain();
    return from;
  }
}
