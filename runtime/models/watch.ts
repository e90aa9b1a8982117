// Watches a model repository: looks at its folders in turn and says which of them is new, has changed or is gone, once two
// looks have found the same, for what is still being copied is nobody's model yet.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, type Timer } from '../clock.js';
import type { Log } from '../log.js';
import { folderStampOf } from './stamp.js';

export interface WatchOptions {
  readonly folder: string;
  readonly intervalMs: number;
  readonly log: Log;
  /** Resolves when the folder as it is now serves, or rejects with the reason why it does not; nobody waits for either. */
  changed(name: string): Promise<void>;
  removed(name: string): Promise<void>;
}

/** Of a folder that isn't there. */
const none = '';

export class ModelWatch {
  private readonly options: WatchOptions;
  /** As it was when it was acted on, and as it was at the last look. */
  private readonly known = new Map<string, string>();
  private seen = new Map<string, string>();
  /** Those that are being acted on: what changes meanwhile is seen after that. */
  private readonly busy = new Set<string>();
  private timer: Timer | undefined;
  private isBlind = false;
  private isStopped = false;

  constructor(options: WatchOptions) {
    this.options = options;
  }

  /** Before the repository is read: what changes after that is a change. */
  async remember(): Promise<void> {
    for (const [name, stamp] of (await this.look()) ?? []) this.known.set(name, stamp);
  }

  begin(): void {
    if (this.isStopped) return;
    this.timer = after(this.options.intervalMs, () => void this.review().finally(() => this.begin()), false);
  }

  stop(): void {
    this.isStopped = true;
    this.timer?.cancel();
  }

  async review(): Promise<void> {
    const found = await this.look();
    if (found === undefined || this.isStopped) return;
    for (const name of new Set([...found.keys(), ...this.known.keys()])) {
      const stamp = found.get(name) ?? none;
      if (stamp === this.stampKnown(name) || this.busy.has(name)) continue;
      if (stamp === (this.seen.get(name) ?? none)) void this.act(name, stamp);
    }
    this.seen = found;
  }

  private stampKnown(name: string): string {
    return this.known.get(name) ?? none;
  }

  private async act(name: string, stamp: string): Promise<void> {
    const { log, changed, removed } = this.options;
    log.info('folder.changed', { model: name, is: this.changeOf(name, stamp) });
    this.busy.add(name);
    if (stamp === none) this.known.delete(name);
    else this.known.set(name, stamp);
    try {
      await (stamp === none ? removed(name) : changed(name));
    } catch (fault) {
      log.error('folder.unserved', { model: name, reason: (fault as Error).message });
    } finally {
      this.busy.delete(name);
    }
  }

  private changeOf(name: string, stamp: string): string {
    if (stamp === none) return 'gone';
    return this.known.has(name) ? 'changed' : 'new';
  }

  /** A repository that can't be read at present is none that was emptied. */
  private async look(): Promise<Map<string, string> | undefined> {
    const { folder, log } = this.options;
    const stamps = new Map<string, string>();
    try {
      for (const name of await readdir(folder)) {
        if (name.startsWith('.')) continue;
        const path = join(folder, name);
        const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() === true;
        if (isFolder) stamps.set(name, await folderStampOf(path));
      }
    } catch (fault) {
      if (!this.isBlind) log.warn('repository.unreadable', { folder, reason: (fault as Error).message });
      this.isBlind = true;
      return undefined;
    }
    this.isBlind = false;
    return stamps;
  }
}
