// What a version of a model is known by on this file system: its configuration and the sizes, times and places of its files. Another
// stamp is another edition of the version, which is loaded beside the one that serves.
import { createHash, type Hash } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { ModelConfig } from './config.js';
import { Contents } from './contents.js';
import type { ModelEntry } from './entry.js';
import { configFile, versionPattern } from './folders.js';

const filesMax = 1000;
const depthMax = 3;
const digestLength = 10;
/** Nothing that is computed depends on them. */
const isBeside = /^\.|\.md$|^config\.ya?ml$/i;

export async function stampOf(folder: string, version: string, config: ModelConfig): Promise<string> {
  const digest = createHash('sha1').update(JSON.stringify(config));
  const files: string[] = [];
  await gather(folder, 0, (name) => !versionPattern.test(name) || name === version, files);
  return digestOf(digest, folder, files);
}

/** False when its files are others by now than when it was read: never is one edition taken for another. */
export async function isAsRead({
  file,
  stamp,
  version,
  config,
  content,
}: Pick<ModelEntry, 'file' | 'stamp' | 'version' | 'config' | 'content'>): Promise<boolean> {
  if (file === '' || stamp === undefined) return true;
  const folder = dirname(dirname(file));
  if (stamp === (await stampOf(folder, version, config))) return true;
  // Touched, or copied over, it may have the same in it.
  return content !== undefined && content === (await new Contents().of(folder, version).catch(() => ''));
}

/** Tells a model's folder as it is now from how it was: its configuration and all that its versions are made of. */
export async function folderStampOf(folder: string): Promise<string> {
  const files = [join(folder, configFile)];
  await gather(folder, 0, () => true, files);
  return digestOf(createHash('sha1'), folder, files);
}

async function digestOf(digest: Hash, folder: string, files: readonly string[]): Promise<string> {
  for (const file of [...files].sort()) {
    const about = await stat(file).catch(() => undefined);
    // A copy may bring its size and its times along; its place on the disk and the time of its change there it can't.
    const told = about && [about.size, about.mtimeMs, about.ctimeMs, about.ino].join(' ');
    digest.update(`\n${relative(folder, file)} ${told}`);
  }
  return digest.digest('hex').slice(0, digestLength);
}

async function gather(
  folder: string,
  depth: number,
  isWanted: (name: string) => boolean,
  files: string[],
): Promise<void> {
  const found = await readdir(folder, { withFileTypes: true }).catch(() => [] as Dirent[]);
  for (const entry of found) {
    if (files.length >= filesMax) return;
    if (isBeside.test(entry.name)) continue;
    const path = join(folder, entry.name);
    const isFolder = entry.isSymbolicLink()
      ? (await stat(path).catch(() => undefined))?.isDirectory() === true
      : entry.isDirectory();
    if (!isFolder) files.push(path);
    else if (depth < depthMax && isWanted(entry.name)) await gather(path, depth + 1, () => true, files);
  }
}
