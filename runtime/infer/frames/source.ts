// Where frames come from: the files of a folder in the order of the numbers in their names, or an animation, of which a few
// frames are unpacked at a time.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Animation } from '../../pipelines/image/codec.js';
import { contentOf } from '../files.js';
import type { Frame } from './stream.js';

export type Frames = AsyncIterable<Frame>;

const imageFile = /^[^.].*\.(png|jpe?g|webp|gif)$/i;

/** `frame2.png` goes before `frame10.png`. */
export async function folderFrames(folder: string): Promise<Frames> {
  const names = (await readdir(folder)).filter((name) => imageFile.test(name));
  if (names.length === 0) {
    throw new Error(
      `the folder ${folder} has no images; wanted are files such as 1.png, 2.png, or .jpg, .webp, .gif`,
    );
  }
  names.sort(new Intl.Collator('en', { numeric: true }).compare);
  return filesIn(folder, names);
}

async function* filesIn(folder: string, names: readonly string[]): Frames {
  for (const name of names) yield { name, bytes: await contentOf(join(folder, name)), delayMs: 0 };
}

export async function* animationFrames(bytes: Uint8Array, animation: Animation): AsyncGenerator<Frame> {
  const { framesOf, framesTogether } = await import('../../pipelines/image/codec.js');
  const { delaysMs } = animation;
  const together = framesTogether(animation);
  for (let from = 0; from < delaysMs.length; from += together) {
    const count = Math.min(together, delaysMs.length - from);
    for (const [at, frame] of (await framesOf(bytes, from, count)).entries()) {
      const index = from + at;
      yield { name: String(index + 1), bytes: frame, delayMs: delaysMs[index] as number };
    }
  }
}
