// A PNG written a few rows at a time, so that an image of any size needs the memory of a few of its rows.
import { constants, createDeflate, type Deflate } from 'node:zlib';
import type { Outline } from './picture.js';

const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
/** PNG's numbers for grey, grey and alpha, RGB, RGB and alpha. */
const colourTypes = [0, 4, 2, 6];
/** Each byte less whichever of those to the left, above and between is nearest to what they promise. */
const paeth = 4;
/** What was enlarged has slopes and hardly anything that comes again: runs alone pack it as well, in a quarter of the time. */
const strategy = constants.Z_RLE;

export class PngRows {
  readonly #channels: number;
  readonly #rowBytes: number;
  readonly #add: (piece: Uint8Array) => void;
  readonly #deflate: Deflate = createDeflate({ strategy, chunkSize: 1 << 18 });
  readonly #done: Promise<void>;
  #above: Uint8Array;

  constructor({ width, height, channels }: Outline, add: (piece: Uint8Array) => void) {
    this.#channels = channels;
    this.#rowBytes = width * channels;
    this.#above = new Uint8Array(this.#rowBytes);
    this.#add = add;
    const head = Buffer.alloc(13);
    head.writeUInt32BE(width, 0);
    head.writeUInt32BE(height, 4);
    head.set([8, colourTypes[channels - 1] as number], 8);
    add(signature);
    this.#chunk('IHDR', head);
    this.#deflate.on('data', (packed: Buffer) => this.#chunk('IDAT', packed));
    this.#done = new Promise((resolve, reject) => this.#deflate.once('end', resolve).once('error', reject));
    this.#done.catch(() => {});
  }

  rows(data: Uint8Array): Promise<void> {
    const bytes = this.#rowBytes;
    const count = data.length / bytes;
    const filtered = new Uint8Array(data.length + count);
    for (let row = 0; row < count; row++) {
      const from = row * bytes;
      const to = from + row;
      const above = row === 0 ? this.#above : data.subarray(from - bytes, from);
      filtered[to] = paeth;
      filterRow(data, from, above, this.#channels, filtered.subarray(to + 1, to + 1 + bytes));
    }
    this.#above = data.slice(data.length - bytes);
    return new Promise((resolve, reject) =>
      this.#deflate.write(filtered, (fault) => (fault ? reject(fault) : resolve())),
    );
  }

  async end(): Promise<void> {
    this.#deflate.end();
    await this.#done;
    this.#chunk('IEND', Buffer.alloc(0));
  }

  #chunk(name: string, content: Uint8Array): void {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(content.length, 0);
    head.write(name, 4, 'latin1');
    const sum = Buffer.alloc(4);
    sum.writeInt32BE(~checksum(content, checksum(head.subarray(4), -1)));
    this.#add(head);
    this.#add(content);
    this.#add(sum);
  }
}

function filterRow(
  data: Uint8Array,
  from: number,
  above: Uint8Array,
  channels: number,
  filtered: Uint8Array,
): void {
  for (let at = 0; at < filtered.length; at++) {
    const left = at < channels ? 0 : (data[from + at - channels] as number);
    const corner = at < channels ? 0 : (above[at - channels] as number);
    const up = above[at] as number;
    const toLeft = Math.abs(up - corner);
    const toUp = Math.abs(left - corner);
    const toCorner = Math.abs(left + up - 2 * corner);
    const promised = toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner;
    filtered[at] = (data[from + at] as number) - promised;
  }
}

const table = Int32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  return sum;
});

/** CRC-32, begun with -1 and inverted by whoever is done. */
function checksum(bytes: Uint8Array, from: number): number {
  let sum = from;
  for (let at = 0; at < bytes.length; at++)
    sum = (table[(sum ^ (bytes[at] as number)) & 0xff] as number) ^ (sum >>> 8);
  return sum;
}
