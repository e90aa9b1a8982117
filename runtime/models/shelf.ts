// Where a node has its models from: its own folder, and what it has fetched out of the store of its cluster. Of a version that is
// in both the own one counts.
import { dirname, join, resolve, sep } from 'node:path';
import type { Log } from '../log.js';
import type { Contents } from './contents.js';
import type { ModelEntry } from './entry.js';
import { scanOne } from './repository.js';
import { folderStampOf } from './stamp.js';

interface Fetched {
  /** The model's folder, with this version alone. */
  readonly folder: string;
  /** What is in it, in short: the same on every node. */
  readonly content: string;
}

/** Whoever goes on writing is looked at again when the folder is. */
const readsMax = 4;

export class Shelf {
  private readonly folder: string;
  private readonly log: Log;
  private readonly contents: Contents | undefined;
  private readonly fetched = new Map<string, Map<string, Fetched>>();
  /** Versions that are in both, with what the own one is. */
  private readonly inBoth = new Map<string, string>();
  private readonly told = new Set<string>();

  /** With `contents` what is in the own folder is named by what is in it too. */
  constructor(folder: string, log: Log, contents?: Contents) {
    this.folder = folder;
    this.log = log;
    this.contents = contents;
  }

  put(model: string, version: string, fetched: Fetched): void {
    const versions = this.fetched.get(model) ?? new Map<string, Fetched>();
    versions.set(version, fetched);
    this.fetched.set(model, versions);
  }

  /** False when that content of it was not there. */
  drop(model: string, version: string, content: string): boolean {
    const versions = this.fetched.get(model);
    return versions?.get(version)?.content === content && versions.delete(version);
  }

  /** It lies in the own folder. */
  isOwn({ folder }: Pick<ModelEntry, 'folder'>): boolean {
    return resolve(folder).startsWith(resolve(this.folder) + sep);
  }

  /** The version is in both, and the own one counts. */
  hasOwn(model: string, version: string): boolean {
    return this.inBoth.has(`${model}:${version}`);
  }

  /** The own one counts, and is something else than that. */
  passesOver(model: string, version: string, content: string): boolean {
    return (this.inBoth.get(`${model}:${version}`) ?? content) !== content;
  }

  /** Every version of the model as it is now; undefined where there is none. */
  async scan(model: string): Promise<readonly ModelEntry[] | undefined> {
    const own = await this.own(model);
    const entries = [...own];
    for (const [version, { folder, content }] of this.fetched.get(model) ?? []) {
      const counts = own.find((entry) => entry.version === version);
      if (counts !== undefined) {
        if (counts.content !== content) this.tell(model, version, folder);
        this.inBoth.set(`${model}:${version}`, counts.content ?? '');
        continue;
      }
      this.inBoth.delete(`${model}:${version}`);
      this.told.delete(`${model}:${version}`);
      const found = (await scanOne(dirname(folder), model)) ?? [];
      const entry = found.find((other) => other.version === version);
      if (entry !== undefined) entries.push({ ...withContent(entry, content), isShared: true });
    }
    if (entries.length === 0) return undefined;
    return entries.sort((one, other) => Number(one.version) - Number(other.version));
  }

  /** An entry is of one moment: what is named by its content is read again where it changed meanwhile. */
  private async own(model: string): Promise<ModelEntry[]> {
    const read = async () => this.named((await scanOne(this.folder, model)) ?? []);
    if (this.contents === undefined) return read();
    const stamp = () => folderStampOf(join(this.folder, model));
    for (let tries = 1; ; tries++) {
      const before = await stamp();
      const own = await read();
      if (tries === readsMax || before === (await stamp())) return own;
    }
  }

  /** Those of the own folder. What can't be read has no name of its own. */
  async named(entries: readonly ModelEntry[]): Promise<ModelEntry[]> {
    const { contents, folder } = this;
    if (contents === undefined) return [...entries];
    const named: ModelEntry[] = [];
    for (const entry of entries) {
      const { name, version, state } = entry;
      const content =
        state === 'available' ? await contents.of(join(folder, name), version).catch(() => '') : '';
      named.push(content === '' ? entry : withContent(entry, content));
    }
    await contents.keep();
    return named;
  }

  /** Once, where both are not the same. */
  private tell(model: string, version: string, fetched: string): void {
    const own = join(this.folder, model);
    if (this.told.has(`${model}:${version}`)) return;
    this.told.add(`${model}:${version}`);
    this.log.warn('model.inBoth', { model, version, serves: own, passedOver: fetched });
  }
}

function withContent(entry: ModelEntry, content: string): ModelEntry {
  return { ...entry, content, edition: `${entry.version}+${content}` };
}
