// Where a node keeps what it has fetched: a folder for each content, with the model's folder in it. What is complete says so; what
// is not goes on where it was.
import { createHash } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Manifest, manifestKey, readManifest, writeManifest } from '../../cluster/manifest.js';
import { makeFolder } from '../folder.js';

/** Begun, and done: both begin with a dot, so that they belong to no model. */
const manifestFile = '.manifest.json';
const completeFile = '.complete';
const nameLength = 24;

export interface Cached {
  readonly folder: string;
  readonly manifest: Manifest;
}

export class Cache {
  private readonly root: string;

  constructor(cacheFolder: string, cluster: string) {
    this.root = join(cacheFolder, 'models', cluster);
  }

  /** The model's folder, with this content. */
  folderOf({ model, version, digest }: Manifest): string {
    // Two versions may have the same content.
    const name = createHash('sha256').update(`${version} ${digest}`).digest('hex').slice(0, nameLength);
    return join(this.root, name, model);
  }

  async begin(manifest: Manifest): Promise<string> {
    const folder = this.folderOf(manifest);
    await makeFolder(folder);
    await writeFile(join(folder, manifestFile), writeManifest(manifest));
    return folder;
  }

  async finish(manifest: Manifest): Promise<void> {
    await writeFile(join(this.folderOf(manifest), completeFile), '');
  }

  /** All of it was there once, and every file still is, as large as it was. */
  async has(manifest: Manifest): Promise<boolean> {
    const folder = this.folderOf(manifest);
    if ((await sizeOf(join(folder, completeFile))) === undefined) return false;
    for (const { path, sizeBytes } of manifest.files)
      if ((await sizeOf(join(folder, path))) !== sizeBytes) return false;
    return true;
  }

  /** What was fetched, or begun to be. */
  async list(): Promise<Cached[]> {
    const cached: Cached[] = [];
    for (const name of await namesIn(this.root)) {
      for (const model of await namesIn(join(this.root, name))) {
        const folder = join(this.root, name, model);
        const text = await readFile(join(folder, manifestFile), 'utf8').catch(() => '');
        const manifest = readManifest(keyIn(text), text);
        if (typeof manifest === 'object') cached.push({ folder, manifest });
      }
    }
    return cached;
  }

  async remove(manifest: Manifest): Promise<void> {
    await rm(join(this.folderOf(manifest), completeFile), { force: true });
    await rm(this.folderOf(manifest), { recursive: true, force: true });
  }
}

function keyIn(text: string): string {
  try {
    const { model, version } = JSON.parse(text) as Manifest;
    return manifestKey(model, version);
  } catch {
    return '';
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.size;
}

async function namesIn(folder: string): Promise<string[]> {
  const found = await readdir(folder, { withFileTypes: true }).catch(() => [] as Dirent[]);
  return found.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
