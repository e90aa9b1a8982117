// Where a node keeps what it has fetched: a folder for each content, with the model's folder in it. What is complete says so; what
// is not goes on where it was. Other nodes may have theirs in the same place: what one of them uses stays.
import { createHash, randomUUID } from 'node:crypto';
import { type Dirent, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Manifest, manifestKey, readManifest, writeManifest } from '../../cluster/manifest.js';
import { makeFolder } from '../folder.js';
import { Claim, type ClaimTimes } from './claim.js';
import { Users, type UserTimes } from './users.js';

/** Begun, and done: both begin with a dot, so that they belong to no model. */
const manifestFile = '.manifest.json';
const completeFile = '.complete';
/** Those of the cluster's folder that begin with a dot are no contents. */
const usersFolder = '.users';
const leavingFolder = '.leaving-';
const nameLength = 24;

export interface CacheTimes {
  readonly claims?: ClaimTimes;
  readonly users?: UserTimes;
}

export interface Cached {
  readonly folder: string;
  readonly manifest: Manifest;
}

export class Cache {
  private readonly root: string;
  private readonly users: Users;
  private readonly claimTimes: ClaimTimes | undefined;
  private isClosed = false;

  constructor(cacheFolder: string, cluster: string, times: CacheTimes = {}) {
    this.root = join(cacheFolder, 'models', cluster);
    this.users = new Users(join(this.root, usersFolder), times.users);
    this.claimTimes = times.claims;
  }

  /** The model's folder, with this content. */
  folderOf(manifest: Manifest): string {
    return join(this.root, nameOf(manifest), manifest.model);
  }

  /** From now on its files stay: to be said before they are looked at. */
  use(manifest: Manifest): void {
    this.users.begin(useOf(manifest));
  }

  /** Whoever has it is alone in fetching it, or in taking it away. Undefined once another has done it. */
  async claim(manifest: Manifest, isDone: () => Promise<boolean>): Promise<Claim | undefined> {
    const above = dirname(this.folderOf(manifest));
    await makeFolder(above);
    return Claim.on(above, isDone, this.claimTimes);
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
      if (name.startsWith('.')) continue;
      for (const model of await namesIn(join(this.root, name))) {
        const folder = join(this.root, name, model);
        const text = await readFile(join(folder, manifestFile), 'utf8').catch(() => '');
        const manifest = readManifest(keyIn(text), text);
        if (typeof manifest === 'object') cached.push({ folder, manifest });
      }
    }
    return cached;
  }

  /** This node uses it no more: its files go, unless another does. False: they are there. */
  async remove(manifest: Manifest): Promise<boolean> {
    this.users.end(useOf(manifest));
    const folder = this.folderOf(manifest);
    const isThere = async (): Promise<boolean> => (await sizeOf(folder)) !== undefined;
    const stays = (): boolean => this.isClosed || this.users.has(useOf(manifest));
    if (!(await isThere())) return true;
    if (stays()) return false;
    const claim = await this.claim(manifest, async () => stays());
    if (claim === undefined) return false;
    const aside = join(this.root, `${leavingFolder}${randomUUID()}`);
    try {
      if (!(await isThere())) return true;
      if (!setAside(folder, aside, () => claim.isHeld && !stays())) return false;
    } finally {
      await claim.release();
    }
    await rm(aside, { recursive: true, force: true });
    return true;
  }

  /** What was being removed by those that came to no end. */
  async sweep(): Promise<void> {
    const found = await readdir(this.root).catch(() => []);
    for (const name of found)
      if (name.startsWith(leavingFolder)) await rm(join(this.root, name), { recursive: true, force: true });
  }

  /** This node uses nothing of it any more. */
  close(): void {
    this.isClosed = true;
    this.users.close();
  }
}

/** Two versions may have the same content. */
function nameOf({ version, digest }: Manifest): string {
  return createHash('sha256').update(`${version} ${digest}`).digest('hex').slice(0, nameLength);
}

/** Two models as well. */
function useOf(manifest: Manifest): string {
  return `${nameOf(manifest)}.${manifest.model}`;
}

/** In one go. Who begins to use it is seen before, or finds it incomplete and waits for the claim. */
function setAside(folder: string, aside: string, may: () => boolean): boolean {
  const complete = join(folder, completeFile);
  const wasComplete = existsSync(complete);
  rmSync(complete, { force: true });
  if (may()) {
    renameSync(folder, aside);
    return true;
  }
  if (wasComplete) writeFileSync(complete, '');
  return false;
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
