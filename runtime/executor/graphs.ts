// Graphs that a library has optimised, kept in a folder of this user so that the next start is spared that. A kept file is
// found by the hash of all that it was made from, and is not used unless it has its own hash at its end.
import { createHash } from 'node:crypto';
import { readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { wallTime } from '../clock.js';
import { makeFolder } from '../folder.js';
import { trim } from './trim.js';

/** For all graphs together: those that were used longest ago go first. */
export const folderBytesMax = 256 << 20;
const digestBytes = 32;

/** What optimising takes for each node, and reading and hashing both files for each megabyte, about: as measured. */
const nodeMs = 0.025;
const megabyteMs = 2;
const gainLeastMs = 5;

/** Large weights cost more to be hashed than a few nodes to be optimised. */
export function isWorthKeeping(nodeCount: number, sizeBytes: number): boolean {
  const gainMs = nodeCount * nodeMs;
  return gainMs >= gainLeastMs && gainMs >= 2 * megabyteMs * (sizeBytes / 1e6);
}

let drafts = 0;

/** One graph's place in the folder. What goes wrong with files is never in the way: then there is none. */
export class KeptGraph {
  readonly #folder: string;
  readonly #key: string;
  readonly #draft: string;

  /** `madeFrom`: the model file and everything else that the optimised graph depends on. */
  constructor(folder: string, model: Uint8Array, madeFrom: readonly string[]) {
    this.#folder = folder;
    const hash = createHash('sha256').update(JSON.stringify(madeFrom)).update('\0').update(model);
    this.#key = hash.digest('hex');
    drafts += 1;
    this.#draft = join(folder, `${this.#key}.${process.pid}-${threadId}-${drafts}.draft`);
  }

  async find(): Promise<Uint8Array | undefined> {
    const kept = await readFile(this.#path()).catch(() => undefined);
    if (kept === undefined || kept.length <= digestBytes) return undefined;
    const graph = kept.subarray(0, kept.length - digestBytes);
    if (!this.#digest(graph).equals(kept.subarray(graph.length))) return undefined;
    const usedAt = wallTime() / 1000;
    await utimes(this.#path(), usedAt, usedAt).catch(() => undefined);
    return graph;
  }

  /** Where the library is to write it; undefined where nothing can be written. */
  async draft(): Promise<string | undefined> {
    try {
      await makeFolder(this.#folder, 0o700);
      // Found out here, for a library that can't write gives no model either.
      await writeFile(this.#draft, '');
      return this.#draft;
    } catch {
      return undefined;
    }
  }

  /** Takes over what was written; others see all of it or nothing. */
  async keep(): Promise<void> {
    try {
      const graph = await readFile(this.#draft);
      if (graph.length === 0) return;
      await writeFile(this.#draft, this.#digest(graph), { flag: 'a' });
      await rename(this.#draft, this.#path());
      await trim(this.#folder, '.graph', folderBytesMax);
    } catch {
      // The next start tries again.
    } finally {
      await this.drop();
    }
  }

  async drop(): Promise<void> {
    await rm(this.#draft, { force: true }).catch(() => undefined);
  }

  #path(): string {
    return join(this.#folder, `${this.#key}.graph`);
  }

  /** Of the key too, so that no file passes for another. */
  #digest(graph: Uint8Array): Buffer {
    return createHash('sha256').update(this.#key).update(graph).digest();
  }
}
