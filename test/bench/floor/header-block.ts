// Blocks of HTTP/2 headers (HPACK, RFC 7541) for a client that allows no dynamic table and uses none: names of the fixed
// table and literals.
import { decodeHuffman } from './huffman.js';

const fixedNames = [
  ':authority :method :method :path :path :scheme :scheme :status :status :status :status :status :status :status',
  'accept-charset accept-encoding accept-language accept-ranges accept access-control-allow-origin age allow',
  'authorization cache-control content-disposition content-encoding content-language content-length',
  'content-location content-range content-type cookie date etag expect expires from host if-match',
  'if-modified-since if-none-match if-range if-unmodified-since last-modified link location max-forwards',
  'proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie',
  'strict-transport-security transfer-encoding user-agent vary via www-authenticate',
]
  .join(' ')
  .split(' ');
const fixedValues = new Map([
  [2, 'GET'],
  [3, 'POST'],
  [4, '/'],
  [5, '/index.html'],
  [6, 'http'],
  [7, 'https'],
  ...[200, 204, 206, 304, 400, 404, 500].map((status, at): [number, string] => [8 + at, String(status)]),
  [16, 'gzip, deflate'],
]);

/** As literals that no table keeps. */
export function headerBlock(fields: Readonly<Record<string, string>>): Buffer {
  const parts = Object.entries(fields).flatMap(([name, value]) => [Buffer.of(0), plain(name), plain(value)]);
  return Buffer.concat(parts);
}

function plain(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  if (bytes.length < 0x7f) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  const more: number[] = [0x7f];
  let left = bytes.length - 0x7f;
  for (; left >= 0x80; left >>= 7) more.push(0x80 | (left & 0x7f));
  return Buffer.concat([Buffer.from([...more, left]), bytes]);
}

/** Reads a block and hands over the fields whose names are wanted; the values of others are passed over. */
export class BlockReader {
  private bytes: Buffer = Buffer.alloc(0);
  private at = 0;

  constructor(
    private readonly wants: (name: string) => boolean,
    private readonly take: (name: string, value: string) => void,
  ) {}

  read(bytes: Buffer, from: number, to: number): void {
    this.bytes = bytes;
    this.at = from;
    while (this.at < to) this.field();
    if (this.at > to) throw new Error('a block of headers is cut short');
  }

  private field(): void {
    const first = this.bytes[this.at] as number;
    if ((first & 0xe0) === 0x20) {
      if (this.number(5) > 0)
        throw new Error('the server keeps a table of headers, which it was told not to');
      return;
    }
    const whole = first >= 0x80;
    const index = this.number(whole ? 7 : first >= 0x40 ? 6 : 4);
    if (index > fixedNames.length || (whole && index === 0))
      throw new Error(`header ${index} is of no table that there is`);
    const name = index > 0 ? (fixedNames[index - 1] as string) : this.text();
    if (!this.wants(name)) {
      if (!whole) this.skip();
      return;
    }
    this.take(name, whole ? (fixedValues.get(index) ?? '') : this.text());
  }

  /** A number that begins in the low `bits` of this byte. */
  private number(bits: number): number {
    const most = (1 << bits) - 1;
    let value = (this.bytes[this.at++] as number) & most;
    if (value < most) return value;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.bytes[this.at++] ?? 0;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new Error('a header has a number without end');
  }

  private skip(): void {
    const length = this.number(7);
    this.at += length;
  }

  private text(): string {
    const coded = (this.bytes[this.at] as number) >= 0x80;
    const length = this.number(7);
    const from = this.at;
    this.at += length;
    if (this.at > this.bytes.length) throw new Error('a block of headers is cut short');
    return coded ? decodeHuffman(this.bytes, from, this.at) : this.bytes.toString('latin1', from, this.at);
  }
}
