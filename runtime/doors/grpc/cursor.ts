// Walks over a protobuf message without building anything. Whatever it can't make sense of it throws as `unusual`: the
// general codec then decides whether the message is merely rare or none at all.

/** Thrown, never shown: says that the general codec has to read this message. */
export const unusual = new Error('for the general codec');

const safeMax = Number.MAX_SAFE_INTEGER;

export class Cursor {
  readonly #buffer: Buffer;
  #at: number;
  #end: number;

  constructor(buffer: Buffer, at: number, end: number) {
    this.#buffer = buffer;
    this.#at = at;
    this.#end = end;
  }

  more(): boolean {
    return this.#at < this.#end;
  }

  tag(): number {
    return this.whole();
  }

  /** A varint that fits in a number. */
  whole(): number {
    const buffer = this.#buffer;
    let at = this.#at;
    let byte = at < this.#end ? (buffer[at++] as number) : 0x80;
    let value = byte & 0x7f;
    let unit = 0x80;
    while (byte >= 0x80) {
      if (at >= this.#end || unit > safeMax) throw unusual;
      byte = buffer[at++] as number;
      value += (byte & 0x7f) * unit;
      unit *= 0x80;
    }
    if (value > safeMax) throw unusual;
    this.#at = at;
    return value;
  }

  double(): number {
    const at = this.#at;
    if (at + 8 > this.#end) throw unusual;
    this.#at = at + 8;
    return this.#buffer.readDoubleLE(at);
  }

  text(): string {
    const end = this.#length();
    const text = this.#buffer.toString('utf8', this.#at, end);
    this.#at = end;
    return text;
  }

  bytes(): Uint8Array {
    const end = this.#length();
    const view = this.#buffer.subarray(this.#at, end);
    this.#at = end;
    return view;
  }

  /** Over the value that belongs to a tag, whatever it is. */
  skip(tag: number): void {
    const kind = tag % 8;
    if (kind === 0) this.#varint();
    else if (kind === 2) this.#at = this.#length();
    else if (kind === 1 || kind === 5) this.#at += kind === 1 ? 8 : 4;
    else throw unusual;
    if (this.#at > this.#end) throw unusual;
  }

  #varint(): void {
    const last = this.#at + 10;
    while (this.#at < this.#end && this.#at < last) {
      if ((this.#buffer[this.#at++] as number) < 0x80) return;
    }
    throw unusual;
  }

  /** Goes into the message that follows and says where the one around it ends: give that to `leave`. */
  enter(): number {
    const outer = this.#end;
    this.#end = this.#length();
    return outer;
  }

  leave(outer: number): void {
    this.#at = this.#end;
    this.#end = outer;
  }

  /** Whether all of it is fields that lie within its bounds. */
  framed(): boolean {
    try {
      while (this.more()) this.skip(this.tag());
      return true;
    } catch {
      return false;
    }
  }

  #length(): number {
    const end = this.whole() + this.#at;
    if (end > this.#end) throw unusual;
    return end;
  }
}
