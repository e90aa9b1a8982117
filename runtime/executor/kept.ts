// The measured costs of models, kept in one file of this user, so that the next start need not measure again. They hold
// for one content of the model file on one device with so many threads.
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { limits } from '../../proto/limits.js';
import { makeFolder } from '../folder.js';
import type { Cost } from './executor.js';
import type { LoadOrder } from './order.js';

const format = 1;
const entriesMost = 1000;

type Entries = Map<string, readonly Cost[]>;

export class KeptCosts {
  readonly #path: string;
  readonly #note: (reason: string) => void;
  /** As the files were when they were asked for first: what is measured later is of those. */
  readonly #keys = new WeakMap<LoadOrder, string>();
  /** One after the other: what two would write at once would be torn. */
  #last: Promise<void> = Promise.resolve();

  /** An empty path keeps nothing. What is wrong with the file is said, and never in the way. */
  constructor(path: string, note: (reason: string) => void) {
    this.#path = path;
    this.#note = note;
  }

  async find(order: LoadOrder): Promise<readonly Cost[] | undefined> {
    const key = await this.#keyOf(order);
    return key === undefined ? undefined : (await this.#read()).get(key);
  }

  /** Reads the file again first: other workers of this user keep theirs in it too. */
  keep(order: LoadOrder, costs: readonly Cost[]): Promise<void> {
    this.#last = this.#last.then(() => this.#keepNext(order, costs));
    return this.#last;
  }

  async #keepNext(order: LoadOrder, costs: readonly Cost[]): Promise<void> {
    const key = costs.length === 0 ? undefined : await this.#keyOf(order);
    if (key === undefined) return;
    const entries = await this.#read();
    entries.delete(key);
    entries.set(key, costs);
    for (const oldest of entries.keys()) {
      if (entries.size <= entriesMost) break;
      entries.delete(oldest);
    }
    await this.#write(entries);
  }

  /** Of a file that is gone nothing is kept. */
  async #keyOf(order: LoadOrder): Promise<string | undefined> {
    const { file, device, threads, rowSizes, rowsMax } = order;
    if (this.#path === '' || file === '') return undefined;
    const known = this.#keys.get(order);
    if (known !== undefined) return known;
    const about = await stat(file).catch(() => undefined);
    if (about === undefined) return undefined;
    const key = JSON.stringify([file, about.size, about.mtimeMs, device, threads, rowsMax, ...rowSizes]);
    this.#keys.set(order, key);
    return key;
  }

  async #read(): Promise<Entries> {
    let content: string;
    try {
      content = await readFile(this.#path, 'utf8');
    } catch (fault) {
      const { code, message } = fault as NodeJS.ErrnoException;
      if (code !== 'ENOENT') this.#note(`the kept costs can't be read: ${message}`);
      return new Map();
    }
    const entries = entriesOf(content);
    if (entries !== undefined) return entries;
    this.#note(`${this.#path} is no file of kept costs: it is not used, and written anew`);
    return new Map();
  }

  async #write(entries: Entries): Promise<void> {
    const draft = `${this.#path}.${process.pid}`;
    try {
      await makeFolder(dirname(this.#path));
      await writeFile(draft, JSON.stringify({ format, costs: Object.fromEntries(entries) }));
      await rename(draft, this.#path);
    } catch (fault) {
      this.#note(`the measured costs can't be kept: ${(fault as Error).message}`);
      await rm(draft, { force: true }).catch(() => undefined);
    }
  }
}

function entriesOf(content: string): Entries | undefined {
  let given: unknown;
  try {
    given = JSON.parse(content);
  } catch {
    return undefined;
  }
  const { format: found, costs } = (given ?? {}) as { format?: unknown; costs?: unknown };
  if (found !== format || typeof costs !== 'object' || costs === null) return undefined;
  const entries = Object.entries(costs);
  return entries.every(([, list]) => isCosts(list)) ? new Map(entries) : undefined;
}

function isCosts(given: unknown): given is readonly Cost[] {
  if (!Array.isArray(given) || given.length > limits.batchSizesMax) return false;
  return given.every((cost: unknown, at) => {
    if (!Array.isArray(cost) || cost.length !== 2) return false;
    const [rows, ms] = cost as unknown[];
    const before = at === 0 ? 0 : (given[at - 1] as Cost)[0];
    return (
      Number.isSafeInteger(rows) && (rows as number) > before && Number.isFinite(ms) && (ms as number) > 0
    );
  });
}
