// The content of a version, in short: whoever has the same files calls them the same, on whatever machine. What was read once is
// not read again as long as the file system says that nothing has changed.
import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { digestOf, type ManifestFile, shortDigest } from '../../cluster/manifest.js';
import { filesOf, partBytes } from '../distribution/contents.js';
import { digestFile } from '../distribution/digest.js';
import { makeFolder } from '../folder.js';

interface Kept {
  /** Size, times and place of the file when it was read. */
  readonly seen: string;
  readonly sha256: string;
}

const keptFile = 'digests.json';
const keptMax = 10_000;

export class Contents {
  private readonly path: string;
  private kept: Map<string, Kept> | undefined;
  private isNew = false;

  /** `folder` is where digests are kept; empty: nowhere. */
  constructor(folder = '') {
    this.path = folder === '' ? '' : join(folder, keptFile);
  }

  /** Of one version of the model that lies in the folder. Rejects where its files can't be read. */
  async of(folder: string, version: string): Promise<string> {
    this.kept ??= await this.read();
    const files: ManifestFile[] = [];
    for (const path of await filesOf(folder, version)) files.push(await this.file(folder, path));
    return shortDigest(digestOf(files));
  }

  /** What was read anew is kept for the next start, beside what other nodes of this machine have read meanwhile. */
  async keep(): Promise<void> {
    if (!this.isNew || this.path === '' || this.kept === undefined) return;
    this.isNew = false;
    const all = new Map([...(await this.read()), ...this.kept]);
    const beside = `${this.path}.${randomUUID()}`;
    // Without it the next start takes longer, and nothing else.
    await makeFolder(dirname(this.path))
      .then(() => writeFile(beside, JSON.stringify([...all].slice(-keptMax))))
      .then(() => rename(beside, this.path))
      .catch(() => rm(beside, { force: true }).catch(() => {}));
  }

  private async file(folder: string, path: string): Promise<ManifestFile> {
    const whole = resolve(folder, path);
    const about = await stat(whole);
    const seen = [about.size, about.mtimeMs, about.ctimeMs, about.ino].join(' ');
    const known = this.kept?.get(whole);
    if (known?.seen === seen) return { path, sizeBytes: about.size, sha256: known.sha256, parts: [] };
    const { sizeBytes, sha256 } = await digestFile(whole, partBytes);
    this.kept?.delete(whole);
    this.kept?.set(whole, { seen, sha256 });
    this.isNew = true;
    return { path, sizeBytes, sha256, parts: [] };
  }

  private async read(): Promise<Map<string, Kept>> {
    try {
      const told = JSON.parse(await readFile(this.path, 'utf8')) as [string, Kept][];
      return new Map(told.filter(([path, { seen, sha256 }]) => [path, seen, sha256].every(isText)));
    } catch {
      return new Map();
    }
  }
}

function isText(value: unknown): boolean {
  return typeof value === 'string';
}
