// Whose a unix socket is. Links over it have no keys: what keeps strangers out is the file system. So a node with keys calls
// only where this user or root alone can put a socket, for its list of members may be written by others.
import { lstatSync, realpathSync, type Stats } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Why somebody else may listen at the path, now or later; nothing where nobody can. */
export function whoElse(path: string, self = process.getuid?.()): string | undefined {
  if (self === undefined) return undefined;
  return inOtherHands(path, self) ?? inOtherHands(join(realOf(dirname(path)), basename(path)), self);
}

function inOtherHands(path: string, self: number): string | undefined {
  const folder = dirname(path);
  // What a sticky folder for all holds is safe there, what is yet to come into it is not.
  if (isForAll(folder) && !isSticky(folder)) return `all may change what is in ${folder}`;
  if (isForAll(folder) && lookAt(path)?.isDirectory() !== true) return `all may put a socket into ${folder}`;
  const owner = lookAt(path)?.uid ?? self;
  if (owner !== self && owner !== 0) return `${path} belongs to another user`;
  return folder === path ? undefined : inOtherHands(folder, self);
}

function isForAll(folder: string): boolean {
  const found = lookAt(folder);
  return found?.isDirectory() === true && (found.mode & 0o002) !== 0;
}

function isSticky(folder: string): boolean {
  return ((lookAt(folder)?.mode ?? 0) & 0o1000) !== 0;
}

function realOf(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder;
  }
}

function lookAt(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}
