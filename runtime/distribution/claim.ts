// Nodes of one machine may share a cache folder: one at a time fetches into a folder of it or takes it away, the others wait for
// what comes of that. Who holds the claim writes it again and again; one that nobody writes any more, or whose process is gone, is
// taken away by one alone of those who find that, lest another takes away what came in its place.
import { createHash } from 'node:crypto';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { after, now, pause, type Timer } from '../clock.js';
import { holderHere, whereaboutsOf } from './holder.js';

export interface ClaimTimes {
  readonly renewMs: number;
  /** By the clock of who waits. */
  readonly silentMs: number;
  readonly lookMs: number;
}

const usual: ClaimTimes = { renewMs: 1000, silentMs: 8000, lookMs: 100 };
/** Begins with a dot, so that it belongs to no model. */
const claimFile = '.fetching';
const idLength = 16;

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
    const holder = holderHere();
    let seen = '';
    let seenAt = now();
    for (;;) {
      const file = await openNew(path);
      if (file !== undefined) {
        await sign(file, path, holder);
        return new Claim(path, file, holder, times.renewMs);
      }
      const sight = sightOf(path);
      if (sight?.mark !== seen) {
        seen = sight?.mark ?? '';
        seenAt = now();
      }
      const isSilent = now() - seenAt > times.silentMs;
      if (sight !== undefined && (isSilent || isDead(sight))) takeAway(path, sight);
      await pause(times.lookMs);
      if (await isDone()) return undefined;
    }
  }

  /** No other one has taken it away, for this one may have been silent for long. */
  get isHeld(): boolean {
    return sightOf(this.path)?.holder === this.holder;
  }

  /** Another's stays. */
  async release(): Promise<void> {
    this.timer?.cancel();
    await this.file.close();
    if (this.isHeld) rmSync(this.path, { force: true });
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

/** What nobody has signed would be waited for: it does not stay, as on a disk that is full. */
async function sign(file: FileHandle, path: string, holder: string): Promise<void> {
  try {
    await file.write(holder, 0);
  } catch (fault) {
    await file.close();
    rmSync(path, { force: true });
    throw fault;
  }
}

interface Sight {
  readonly holder: string;
  /** Another where another file took its place. */
  readonly id: string;
  /** Changes whenever it is written. */
  readonly mark: string;
}

/** Undefined: nobody holds it any more. */
function sightOf(path: string): Sight | undefined {
  try {
    const { ino, mtimeNs, size } = statSync(path, { bigint: true });
    const holder = readFileSync(path, 'utf8');
    const id = createHash('sha256').update(`${ino} ${holder}`).digest('hex').slice(0, idLength);
    return { holder, id, mark: `${ino} ${mtimeNs} ${size}` };
  } catch {
    return undefined;
  }
}

function isDead({ holder }: Sight): boolean {
  return whereaboutsOf(holder) === 'gone';
}

/** Who makes the file that is called after it may take it away, if it is still there then: so nobody else can. In one go. */
function takeAway(path: string, { id }: Sight): void {
  const right = `${path}.${id}`;
  try {
    writeFileSync(right, holderHere(), { flag: 'wx' });
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code !== 'EEXIST') throw fault;
    // Who had that right may be gone as well.
    const other = sightOf(right);
    if (other !== undefined && isDead(other)) takeAway(right, other);
    return;
  }
  if (sightOf(path)?.id === id) rmSync(path, { force: true });
  rmSync(right, { force: true });
}
