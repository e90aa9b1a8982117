// Nodes that share a cache folder tell each other which contents of it they use: each has a folder of its own there, with an empty
// file for each content, and with one that says which process it is and is written again and again. Who is gone uses nothing any
// more; nor does one that is seen from another machine or container alone and has been silent for long.
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, type Timer } from '../clock.js';
import { makeFolderNow } from '../folder.js';
import { holderHere, whereaboutsOf } from './holder.js';

export interface UserTimes {
  readonly renewMs: number;
  /** So many times this one has written while nothing came of the other: no clock of either is trusted, nor that it ran. */
  readonly silentCount: number;
}

const usual: UserTimes = { renewMs: 10_000, silentCount: 6 };
/** Begins with a dot, so that it is no content. */
const holderFile = '.holder';

interface Seen {
  readonly mark: string;
  /** How often this one had written by then. */
  readonly at: number;
}

/** What it does it does in one go: nothing of its own process comes in between. */
export class Users {
  private readonly folder: string;
  private readonly own: string;
  private readonly holderPath: string;
  private readonly times: UserTimes;
  private readonly holder = holderHere();
  private readonly used = new Set<string>();
  private readonly unwritten = new Set<string>();
  private readonly seen = new Map<string, Seen>();
  private timer: Timer | undefined;
  private written = 0;
  private isClosed = false;

  constructor(folder: string, times: UserTimes = usual) {
    this.folder = folder;
    this.own = join(folder, randomUUID());
    this.holderPath = join(this.own, holderFile);
    this.times = times;
  }

  /** Where it can't be written, as on a full disk, that is tried again: what is there serves all the same. */
  begin(content: string): void {
    if (this.isClosed) return;
    this.used.add(content);
    this.unwritten.add(content);
    this.keep();
  }

  end(content: string): void {
    this.used.delete(content);
    this.unwritten.delete(content);
    rmSync(join(this.own, content), { force: true });
  }

  /** By this node or by another one that lives. Throws where that can't be found out. */
  has(content: string): boolean {
    if (this.used.has(content)) return true;
    const others = this.others().filter((folder) => isThere(join(folder, content)));
    // Who has been silent for long is told by how often this one was not.
    if (others.length > 0 && this.timer === undefined) this.keep();
    return others.some((folder) => this.lives(folder));
  }

  /** It uses nothing any more. */
  close(): void {
    this.isClosed = true;
    this.timer?.cancel();
    this.used.clear();
    rmSync(this.own, { recursive: true, force: true });
  }

  private keep(): void {
    try {
      this.write();
    } catch {
      // The next time.
    }
    this.timer ??= this.renewal();
  }

  /** Before it says what it uses it says who it is. It may have been taken for one that is gone. */
  private write(): void {
    if (isThere(this.holderPath)) writeFileSync(this.holderPath, this.holder, { flag: 'r+' });
    else {
      makeFolderNow(this.own);
      writeFileSync(this.holderPath, this.holder);
      for (const content of this.used) this.unwritten.add(content);
    }
    for (const content of this.unwritten) {
      writeFileSync(join(this.own, content), '');
      this.unwritten.delete(content);
    }
  }

  private renewal(): Timer {
    return after(this.times.renewMs, () => this.renew(), false);
  }

  private renew(): void {
    this.timer = this.renewal();
    try {
      this.write();
      this.written++;
      if (this.written % this.times.silentCount === 0) this.sweep();
    } catch {
      // The next time.
    }
  }

  /** What those have left that are gone. */
  private sweep(): void {
    for (const folder of this.others())
      if (!this.lives(folder)) rmSync(folder, { recursive: true, force: true });
  }

  private others(): string[] {
    if (!isThere(this.folder)) return [];
    const folders = readdirSync(this.folder).map((name) => join(this.folder, name));
    return folders.filter((folder) => folder !== this.own);
  }

  private lives(folder: string): boolean {
    const path = join(folder, holderFile);
    const about = statSync(path, { bigint: true, throwIfNoEntry: false });
    if (about === undefined) return false;
    const whereabouts = whereaboutsOf(readFileSync(path, 'utf8'));
    if (whereabouts !== 'elsewhere') return whereabouts === 'here';
    const mark = `${about.ino} ${about.mtimeNs}`;
    const seen = this.seen.get(folder);
    if (seen?.mark === mark) return this.written - seen.at < this.times.silentCount;
    this.seen.set(folder, { mark, at: this.written });
    return true;
  }
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
