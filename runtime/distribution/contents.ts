// What of a model's folder makes one version of it: its configuration, the version's own folder and what lies beside, without
// the other versions. From that its manifest.
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import {
  digestOf,
  filesMax,
  isInside,
  type Manifest,
  type ManifestFile,
  type Spread,
} from '../../cluster/manifest.js';
import { configFile, versionPattern } from '../models/folders.js';
import { digestFile } from './digest.js';

export const partBytes = 4 * 1024 * 1024;
const depthMax = 8;
/** Nothing that is computed depends on them. */
const isBeside = /\.md$|^config\.yml$/i;

export interface Wanted {
  readonly folder: string;
  readonly model: string;
  readonly version: string;
  readonly spread: Spread;
}

/** Reads every byte of it. */
export async function manifestOf({ folder, model, version, spread }: Wanted): Promise<Manifest> {
  const files: ManifestFile[] = [];
  for (const path of await filesOf(folder, version))
    files.push({ path, ...(await digestFile(join(folder, path), partBytes)) });
  return { model, version, digest: digestOf(files), partBytes, files, spread };
}

/** Paths below the model's folder, with / between. */
export async function filesOf(folder: string, version: string): Promise<string[]> {
  const paths: string[] = [];
  await gather(folder, '', (name) => !versionPattern.test(name) || name === version, paths, 0);
  if (paths.length === 0) throw new Error(`${folder} has no files`);
  return paths.sort();
}

async function gather(
  folder: string,
  below: string,
  isWanted: (name: string) => boolean,
  paths: string[],
  depth: number,
): Promise<void> {
  const found: Dirent[] = await readdir(join(folder, below), { withFileTypes: true });
  for (const { name } of found) {
    if (name.startsWith('.') || (isBeside.test(name) && name !== configFile)) continue;
    const path = below === '' ? name : `${below}/${name}`;
    if (name.includes(sep) || !isInside(path))
      throw new Error(
        `${join(folder, path)} can't be sent: its name has signs that no name of a file should have`,
      );
    const about = await stat(join(folder, path));
    if (about.isDirectory()) {
      if (!isWanted(name)) continue;
      if (depth === depthMax) throw new Error(`${join(folder, path)} is more than ${depthMax} folders deep`);
      await gather(folder, path, () => true, paths, depth + 1);
    } else if (!about.isFile()) {
      throw new Error(`${join(folder, path)} is no file and no folder`);
    } else {
      paths.push(path);
      if (paths.length > filesMax)
        throw new Error(
          `${folder} has more than ${filesMax} files of one version: wanted is a model's folder`,
        );
    }
  }
}
