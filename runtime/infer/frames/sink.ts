// Where frames go: files of a folder under the names that they came with, or an animation that is written while they come.
import { open, rename, rm, writeFile } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { makeFolder } from '../../folder.js';
import { AnimationWriter } from '../../pipelines/image/animation.js';
import type { MovingFormat } from '../../pipelines/image/formats.js';
import { partOf, unwritable } from '../files.js';
import type { Frame, PassedFrame } from './stream.js';

export interface FrameSink {
  /** In their order, those too that came too late. */
  take(passed: PassedFrame): Promise<void>;
  /** All have been taken. */
  end(): Promise<void>;
  /** They have not: what is half written goes. Says what is left. */
  giveUp(): Promise<string>;
}

const endings: Readonly<Record<string, string>> = {
  'image/png': '.png',
  'image/jpeg': '.jpg',
  'image/webp': '.webp',
  'image/gif': '.gif',
};

export async function folderSink(folder: string): Promise<FrameSink> {
  await makeFolder(folder);
  /** By what is written, what it came from. */
  const written = new Map<string, string>();
  return {
    async take({ frame, image }) {
      if (image === undefined) return;
      const was = extname(frame.name);
      const is = endings[image.type] ?? was;
      const isSame = is === was || (is === '.jpg' && /^\.jpe?g$/i.test(was));
      const name = isSame ? frame.name : `${basename(frame.name, was)}${is}`;
      const other = written.get(name);
      if (other !== undefined) {
        const both = `frame ${frame.name} would be written as ${name}, as ${other} was`;
        throw new Error(`${both}: name one of them otherwise`);
      }
      await writeFile(join(folder, name), image.bytes).catch((fault: unknown) => {
        throw unwritable(join(folder, name), fault);
      });
      written.set(name, frame.name);
    },
    end: async () => {},
    giveUp: async () => {
      if (written.size === 0) return 'nothing is written';
      return `${written.size === 1 ? '1 frame is' : `${written.size} frames are`} written to ${folder}`;
    },
  };
}

interface Held {
  readonly still: Uint8Array;
  delayMs: number;
}

/** A frame that came too late is made up for by the one before it, which is shown for longer. */
export async function animationSink(file: string, format: MovingFormat, loop: number): Promise<FrameSink> {
  const { gifOf, readAnimation } = await import('../../pipelines/image/codec.js');
  const begun = partOf(file);
  const handle = await open(begun, 'w').catch((fault: unknown) => {
    throw unwritable(file, fault);
  });
  const append = async (bytes: Uint8Array): Promise<void> => handle.appendFile(bytes);
  const rewriteHead = async (bytes: Uint8Array): Promise<void> => {
    await handle.write(bytes, 0, bytes.length, 0);
  };
  let writer: AnimationWriter | undefined;
  let held: Held | undefined;
  let owedMs = 0;

  async function flush(): Promise<void> {
    if (held === undefined) return;
    const { still, delayMs } = held;
    if (writer === undefined) {
      const { width, height } = await readAnimation(still);
      writer = await AnimationWriter.open(format, { width, height, loop }, { append, rewriteHead });
    }
    await writer.add(still, delayMs);
  }

  async function put(still: Uint8Array, { delayMs }: Frame): Promise<void> {
    await flush();
    held = { still: format === 'gif' ? await gifOf(still) : still, delayMs: delayMs + owedMs };
    owedMs = 0;
  }

  return {
    async take({ frame, image }) {
      if (image !== undefined) await put(image.bytes, frame);
      else if (held !== undefined) held.delayMs += frame.delayMs;
      else owedMs += frame.delayMs;
    },
    async end() {
      await flush();
      await writer?.end();
      await handle.close();
      await rename(begun, file);
    },
    async giveUp() {
      await handle.close();
      await rm(begun, { force: true });
      return 'nothing is written';
    },
  };
}
