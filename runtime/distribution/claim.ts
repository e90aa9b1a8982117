// Nodes of one machine may share a cache folder: one at a time fetches into a folder of it, the others wait for what comes of
// that. Who holds the claim writes it again and again; one that nobody writes any more, or whose process is gone, is taken over.
import { readFileSync, readlinkSync, rmSync } from 'node:fs';
import { type FileHandle, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, now, pause, type Timer } from '../clock.js';

export interface ClaimTimes {
  readonly renewMs: number;
  /** By the clock of who waits. */
  readonly silentMs: number;
  readonly lookMs: number;
}

const usual: ClaimTimes = { renewMs: 1000, silentMs: 8000, lookMs: 100 };
/** Begins with a dot, so that it belongs to no model. */
const claimFile = '.fetching';

export class Claim {
  private readonly path: string;
  private readonly file: FileHandle;
  private readonly holder: string;
  private timer: Timer | undefined;

  private constructor(path: string, file: FileHandle, holder: string, renewMs: number) {
    this.path = path;
    this.file = file;
    this.holder = holder;
    this.renew(renewMs);
  }

  /** Undefined once another has done it. `isDone` may throw where nobody wants it any more. */
  static async on(
    folder: string,
    isDone: () => Promise<boolean>,
    times: ClaimTimes = usual,
  ): Promise<Claim | undefined> {
    const path = join(folder, claimFile);
    const sight = sightOf();
    let seen = '';
    let seenAt = now();
    for (;;) {
      const file = await openNew(path);
      if (file !== undefined) {
        const holder = `${sight} ${process.pid}\n`;
        await file.write(holder, 0);
        return new Claim(path, file, holder, times.renewMs);
      }
      const mark = await markOf(path);
      if (mark !== seen) {
        seen = mark;
        seenAt = now();
      } else if (now() - seenAt > times.silentMs) await rm(path, { force: true });
      dropDead(path, sight);
      await pause(times.lookMs);
      if (await isDone()) return undefined;
    }
  }

  async release(): Promise<void> {
    this.timer?.cancel();
    await this.file.close();
    await rm(this.path, { force: true });
  }

  private renew(renewMs: number): void {
    this.timer = after(
      renewMs,
      () => {
        this.file.write(this.holder, 0).catch(() => {});
        this.renew(renewMs);
      },
      false,
    );
  }
}

async function openNew(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'wx');
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
    throw fault;
  }
}

/** Changes whenever it is written. */
async function markOf(path: string): Promise<string> {
  const about = await stat(path, { bigint: true }).catch(() => undefined);
  return about === undefined ? '' : `${about.ino} ${about.mtimeNs} ${about.size}`;
}

/** The same for those alone who see the same processes under the same numbers; empty where the system does not tell. */
function sightOf(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8');
    return `${boot.trim()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return '';
  }
}

/** Takes away what is held by a process of which can be told from here that it is gone; in one go, lest another has it by then. */
function dropDead(path: string, sight: string): void {
  if (sight === '') return;
  try {
    const holder = readFileSync(path, 'utf8');
    const pid = Number(/ (\d+)\n$/.exec(holder)?.[1] ?? 0);
    if (pid > 0 && holder.startsWith(`${sight} `) && !isThere(pid)) rmSync(path, { force: true });
  } catch {
    // It has been released meanwhile.
  }
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (fault) {
    return (fault as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
