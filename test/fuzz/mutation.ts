// Changes bytes by chance from a seed, as damage and malice do: bits, lengths, pieces left out, put in twice or taken from
// another file. The sums of a PNG are put right again half the time, or nothing behind them would ever be looked at.
import { chance } from '../bench/floor/chance.js';

const telling = [0, 1, 0x7f, 0x80, 0xff];
const tellingWords = [0, 1, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];
/** Of the list below those that leave the file as long as it is. */
const inPlaceCount = 4;
const changesMost = 5;
const headBytes = 256;

type Random = () => number;
type Change = (bytes: Buffer, at: number, random: Random, others: readonly Buffer[]) => Buffer;

const changes: readonly Change[] = [
  (bytes, at, random) => set(bytes, at, (bytes[at] ?? 0) ^ (1 << below(random, 8))),
  (bytes, at, random) => set(bytes, at, telling[below(random, telling.length)] as number),
  (bytes, at, random) => set(bytes, at, below(random, 256)),
  (bytes, at, random) => {
    const word = Buffer.alloc(4);
    const value = tellingWords[below(random, tellingWords.length)] as number;
    if (random() < 0.5) word.writeUInt32BE(value);
    else word.writeUInt32LE(value);
    return spliced(bytes, at, 4, word);
  },
  (bytes, at, random) => spliced(bytes, at, below(random, 64), Buffer.alloc(0)),
  (bytes, at, random) => spliced(bytes, at, 0, bytes.subarray(at, at + below(random, 64))),
  (bytes, at, random) => spliced(bytes, at, 0, Buffer.alloc(below(random, 32), below(random, 256))),
  (bytes, at) => bytes.subarray(0, at),
  (bytes, at, random, others) => {
    const other = others[below(random, others.length)] as Buffer;
    const from = below(random, other.length);
    return spliced(bytes, at, below(random, 128), other.subarray(from, from + below(random, 256)));
  },
];

/** The same number gives the same bytes; in so many of all cases nothing is moved, which format checks seldom survive. */
export function mutated(bases: readonly Buffer[], number: number, inPlaceShare = 0.2): Buffer {
  const random = chance(number);
  const kinds = random() < inPlaceShare ? inPlaceCount : changes.length;
  let bytes = Buffer.from(bases[below(random, bases.length)] as Buffer);
  for (let left = 1 + below(random, changesMost); left > 0; left--) {
    const at = below(random, random() < 0.5 ? Math.min(headBytes, bytes.length) : bytes.length);
    const change = changes[below(random, kinds)] as Change;
    bytes = Buffer.from(change(bytes, at, random, bases));
  }
  if (random() < 0.5) mendSums(bytes);
  return bytes;
}

function below(random: Random, most: number): number {
  return Math.floor(random() * Math.max(1, most));
}

function set(bytes: Buffer, at: number, value: number): Buffer {
  if (at < bytes.length) bytes[at] = value;
  return bytes;
}

function spliced(bytes: Buffer, at: number, out: number, into: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), into, bytes.subarray(at + out)]);
}

/** Of each part of a PNG, as far as they can be told apart. */
function mendSums(bytes: Buffer): void {
  if (bytes.length < 8 || bytes.readUInt32BE(0) !== 0x89504e47) return;
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    if (at + 12 + length > bytes.length) return;
    bytes.writeUInt32BE(sumOf(bytes.subarray(at + 4, at + 8 + length)), at + 8 + length);
    at += 12 + length;
  }
}

const sums = Uint32Array.from({ length: 256 }, (_, value) => {
  let sum = value;
  for (let bit = 0; bit < 8; bit++) sum = (sum & 1) === 1 ? 0xedb88320 ^ (sum >>> 1) : sum >>> 1;
  return sum;
});

function sumOf(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = (sums[(sum ^ byte) & 0xff] as number) ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
}
