// Walks the fields of protobuf messages in a file or in memory without copying what nobody asks for. The bytes are never
// trusted: reading stays inside the message at hand, ends after a bounded number of steps, and fails with a sentence.
import { readSync } from 'node:fs';

export class Malformed extends Error {}

export interface Field {
  readonly number: number;
  /** Of a number field; numbers above 2^53 lose their last digits. */
  readonly value: number;
  /** Of a field with content: where it begins and ends. Equal for numbers. */
  readonly from: number;
  readonly to: number;
}

const windowBytes = 65_536;
const fieldsMax = 5_000_000;
const varintBytesMax = 10;
const decoder = new TextDecoder('utf-8', { fatal: true });

/** Bytes by position, fetched a window at a time. */
export class Pages {
  readonly size: number;
  private readonly fetch: (at: number, length: number) => Uint8Array;
  private page: Uint8Array = new Uint8Array();
  private pageAt = 0;
  private at = 0;
  private fieldsLeft = fieldsMax;

  private constructor(size: number, fetch: (at: number, length: number) => Uint8Array) {
    this.size = size;
    this.fetch = fetch;
  }

  static ofBytes(bytes: Uint8Array): Pages {
    return new Pages(bytes.length, (at, length) => bytes.subarray(at, at + length));
  }

  /** The file stays the caller's, to close. */
  static ofFile(descriptor: number, size: number): Pages {
    const buffer = Buffer.allocUnsafe(Math.min(size, windowBytes));
    return new Pages(size, (at, length) => buffer.subarray(0, readSync(descriptor, buffer, 0, length, at)));
  }

  /** The fields of the message between two positions. Other messages may be read between two fields. */
  *fields(from: number, to: number): Generator<Field> {
    let next = from;
    while (next < to) {
      if (this.fieldsLeft-- === 0) throw new Malformed(`it has more than ${fieldsMax} fields`);
      this.at = next;
      const field = this.field(to);
      next = this.at;
      yield field;
    }
  }

  text(field: Field, bytesMax: number): string {
    const length = field.to - field.from;
    if (length > bytesMax) throw new Malformed(`it has a name of ${length} bytes, allowed are ${bytesMax}`);
    const bytes = Uint8Array.from({ length }, (_, index) => this.byte(field.from + index));
    try {
      return decoder.decode(bytes);
    } catch {
      throw new Malformed(`the name at byte ${field.from} is not UTF-8`);
    }
  }

  private field(to: number): Field {
    const tagAt = this.at;
    const tag = this.varint(to);
    const number = Math.floor(tag / 8);
    if (number === 0 || number >= 2 ** 29) throw new Malformed(`at byte ${tagAt} is no field`);
    const kind = tag % 8;
    if (kind === 0) return { number, value: this.varint(to), from: this.at, to: this.at };
    const length = kind === 2 ? this.varint(to) : kind === 1 ? 8 : kind === 5 ? 4 : undefined;
    if (length === undefined) throw new Malformed(`the field at byte ${tagAt} is of an unknown kind`);
    const from = this.at;
    this.at += length;
    if (this.at > to) throw new Malformed(cutOff(tagAt, this.at - to, to === this.size));
    return { number, value: 0, from, to: this.at };
  }

  private varint(to: number): number {
    const from = this.at;
    let value = 0;
    for (let step = 0; step < varintBytesMax; step++) {
      if (this.at >= to) throw new Malformed(cutOff(from, 1, to === this.size));
      const byte = this.byte(this.at++);
      value += (byte & 127) * 2 ** (7 * step);
      if (byte < 128) return value;
    }
    throw new Malformed(`the number at byte ${from} has no end`);
  }

  private byte(at: number): number {
    if (at < this.pageAt || at >= this.pageAt + this.page.length) {
      this.page = this.fetch(at, Math.min(windowBytes, this.size - at));
      this.pageAt = at;
    }
    const byte = this.page[at - this.pageAt];
    if (byte === undefined) throw new Malformed('it became shorter while it was read');
    return byte;
  }
}

function cutOff(at: number, missing: number, atEnd: boolean): string {
  if (atEnd) return `it is cut off: the field at byte ${at} ends ${missing} bytes after the file`;
  return `the field at byte ${at} ends ${missing} bytes after what it is part of`;
}
