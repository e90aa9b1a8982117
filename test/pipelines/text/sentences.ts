// The fifty sentences of examples/data/minilm-test.json and what all-MiniLM-L6-v2 in 64 bits makes of them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { examples } from './lines.js';

export type Vector = readonly number[];

const size = 384;
const one = 32_767;

export function readSentences(): {
  readonly sentences: readonly string[];
  readonly vectors: readonly Vector[];
} {
  const content = JSON.parse(readFileSync(join(examples, 'data/minilm-test.json'), 'utf8')) as {
    readonly sentences: readonly string[];
    readonly vectors: string;
  };
  const all = new Int16Array(Uint8Array.from(Buffer.from(content.vectors, 'base64')).buffer);
  const vectors = content.sentences.map((_, at) =>
    Array.from(all.subarray(at * size, (at + 1) * size), (value) => value / one),
  );
  return { sentences: content.sentences, vectors };
}

/** Of vectors that have unit length, or nearly. */
export function cosine(a: Vector, b: Vector): number {
  const product = (x: Vector, y: Vector): number =>
    x.reduce((sum, value, at) => sum + value * (y[at] as number), 0);
  return product(a, b) / Math.sqrt(product(a, a) * product(b, b));
}
