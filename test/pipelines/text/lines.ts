// The thousand lines of examples/data/minilm-lines.json, drawn by the rule that examples/training/minilm_tokens.py follows.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const examples = join(
  dirname(dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))))),
  'examples',
);

interface Content {
  readonly seed: number;
  readonly count: number;
  readonly longEvery: number;
  readonly longUnits: number;
  readonly fragments: readonly (readonly string[])[];
  readonly digests: readonly string[];
}

const joints = ['', ' ', ' ', '  '];

export function readLines(): { readonly lines: readonly string[]; readonly digests: readonly string[] } {
  const content = JSON.parse(readFileSync(join(examples, 'data/minilm-lines.json'), 'utf8')) as Content;
  const below = drawn(content.seed);
  const { fragments, count, longEvery, longUnits } = content;
  const lines = Array.from({ length: count }, (_, index) => {
    const wanted = index % longEvery === 0 ? longUnits : below(160);
    const joint = joints[below(joints.length)];
    const pool = fragments[below(fragments.length + 3)] ?? fragments.flat();
    let line = '';
    while (line.length < wanted) line += `${pool[below(pool.length)]}${joint}`;
    return line;
  });
  return { lines, digests: content.digests.flatMap((row) => row.split(' ')) };
}

export function digestOf(ids: readonly number[]): string {
  return createHash('sha256').update(ids.join(',')).digest('hex').slice(0, 8);
}

function drawn(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) % limit;
  };
}
