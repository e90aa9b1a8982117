// Keeps the folders of this user's cache within bounds: what was used longest ago goes first, and what a process left behind
// that ended over it goes as well.
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { wallTime } from '../clock.js';

/** Whoever writes one is done with it long before. */
const draftAgeMaxMs = 600_000;
/** Of folders that hold what is written in one go. */
export const runPrefix = 'run-';

/** Of the files with this ending the oldest beyond so many bytes, and folders and drafts that nobody writes any more. */
export async function trim(folder: string, ending: string, bytesMost: number): Promise<void> {
  const files = [];
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) continue;
    const isDraft = name.endsWith('.draft') || (found.isDirectory() && name.startsWith(runPrefix));
    const isLeftBehind = isDraft && wallTime() - found.mtimeMs > draftAgeMaxMs;
    if (isLeftBehind) await rm(path, { recursive: true, force: true });
    else if (found.isFile() && name.endsWith(ending))
      files.push({ path, bytes: found.size, usedAt: found.mtimeMs });
  }
  let bytes = 0;
  for (const file of files.sort((one, other) => other.usedAt - one.usedAt)) {
    bytes += file.bytes;
    if (bytes > bytesMost) await rm(file.path, { force: true });
  }
}
