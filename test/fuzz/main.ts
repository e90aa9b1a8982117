// `npm run fuzz -- --minutes 5`: mutated pictures and mutated models against a real node, and a summary of what became of
// them. The same seed makes the same files; those that broke something down are kept.
import { join } from 'node:path';
import { Args } from '../bench/figures.js';
import { root } from '../processes/harness.js';
import { fuzzModels } from './models.js';
import { fuzzPictures } from './pictures.js';
import { FuzzScene } from './scene.js';
import type { Tally } from './tally.js';

const usage = `Usage: npm run fuzz -- [--minutes N] [--seed N] [--only pictures|models]

Mutated JPEG, PNG, WebP and GIF files through the image pipeline, and mutated ONNX files through the loader, of a node with
two workers. Ends with 1 where a process of pictures broke down or an answer was neither right nor a clear refusal.

  --minutes N     how long (5)
  --seed N        of the first case; the others follow (1)
  --only WHICH    one of the two`;

export interface Fuzzed {
  readonly tallies: readonly Tally[];
  readonly peakNodeMb: number;
  readonly peakAllMb: number;
}

export async function fuzz(minutes: number, seed: number, only: string, kept: string): Promise<Fuzzed> {
  const scene = new FuzzScene(kept);
  try {
    await scene.node();
    const until = performance.now() + minutes * 60_000;
    const tallies = await Promise.all([
      ...(only === 'models' ? [] : [fuzzPictures(scene, seed, until)]),
      ...(only === 'pictures' ? [] : [fuzzModels(scene, seed, until)]),
    ]);
    return { tallies, peakNodeMb: scene.peakNodeMb, peakAllMb: scene.peakAllMb };
  } finally {
    await scene.end();
  }
}

async function main(words: readonly string[]): Promise<number> {
  if (words.includes('--help')) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  const args = Args.parse(words);
  const stray = args.names().find((name) => !['minutes', 'seed', 'only'].includes(name));
  if (stray !== undefined) throw new Error(`--${stray} is not known\n${usage}`);
  const [minutes, seed] = [args.number('minutes', 5), args.number('seed', 1)];
  const { tallies, peakNodeMb, peakAllMb } = await fuzz(
    minutes,
    seed,
    args.text('only', ''),
    join(root, '.cache/fuzz'),
  );
  for (const tally of tallies) process.stdout.write(`${tally.text()}\n`);
  process.stdout.write(
    `memory at most: ${peakNodeMb.toFixed(0)} MB in the node, ${peakAllMb.toFixed(0)} MB with its workers\n`,
  );
  const isGood = tallies.every(
    ({ name, wrong, crashes }) => wrong.length === 0 && (name === 'models' || crashes.length === 0),
  );
  return isGood ? 0 : 1;
}

if (process.argv[1]?.endsWith('fuzz/main.js') === true) process.exitCode = await main(process.argv.slice(2));
