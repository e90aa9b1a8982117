// The files that `node runtime infer` reads and writes: no more of them than fits, and never one in the place of what was given.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ConfigError } from '../config/load.js';

/** Of an image or an animation as a file; what of it goes to a server is bounded there. */
export const fileBytesMax = 2 ** 30;

/** A pipe will do; a device may never end. */
export async function contentOf(file: string): Promise<Buffer> {
  try {
    const about = await stat(file);
    if (about.isDirectory()) throw new Error('it is a folder');
    if (!about.isFile() && !about.isFIFO()) throw new Error('it is neither a file nor a pipe');
    const pieces: Buffer[] = [];
    let total = 0;
    if (about.size > fileBytesMax) throw tooLarge();
    for await (const piece of createReadStream(file)) {
      total += (piece as Buffer).length;
      if (total > fileBytesMax) throw tooLarge();
      pieces.push(piece as Buffer);
    }
    return Buffer.concat(pieces, total);
  } catch (fault) {
    throw new Error(`the image ${file} can't be read: ${(fault as Error).message}`);
  }
}

function tooLarge(): Error {
  return new Error(`it has more than the ${fileBytesMax} bytes that are allowed`);
}

/** Before anything is asked: what can't be written there, or would be written over what it is made from. */
export async function checkPlace(image: string, out: string, isFolder: boolean): Promise<void> {
  const told = `--out is ${JSON.stringify(out)}`;
  const there = await stat(out).catch(() => undefined);
  if (there !== undefined && there.isDirectory() !== isFolder)
    throw new ConfigError(`${told}, which is ${isFolder ? 'no' : 'a'} folder`);
  for (const written of isFolder ? [out] : [out, partOf(out)]) {
    if (!(await isSame(image, written))) continue;
    const what = isFolder ? 'the folder' : 'the file';
    throw new ConfigError(`${told}: ${what} that is given as --image would be written over`);
  }
  if (isFolder) return;
  const folder = dirname(out);
  if ((await stat(folder).catch(() => undefined))?.isDirectory() !== true)
    throw new ConfigError(`${told}, but there is no folder ${folder}`);
}

/** What an animation is called while it is written. */
export function partOf(file: string): string {
  return `${file}.part`;
}

/** With the fault of the system, which may name no file. */
export function unwritable(file: string, fault: unknown): Error {
  return new Error(`${file} can't be written: ${(fault as Error).message}`);
}

/** Whatever links lead there. */
async function isSame(one: string, other: string): Promise<boolean> {
  const [first, second] = await Promise.all(
    [one, other].map((path) => stat(path, { bigint: true }).catch(() => undefined)),
  );
  return first !== undefined && first.dev === second?.dev && first.ino === second.ino;
}
