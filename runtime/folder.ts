// Makes a folder with all above it, one level after the other: Node's own way tries for ever where the system lets nothing be
// made below a folder that is there, as below /proc. Whoever can't have it hears which and why, and the system's code stays.
import { mkdirSync, statSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

const modeUsual = 0o777;

/** Nothing where it is there already. Only what is made gets the mode. */
export async function makeFolder(folder: string, mode = modeUsual): Promise<void> {
  const isThere = async (path: string): Promise<boolean> =>
    (await stat(path).catch(() => undefined))?.isDirectory() === true;
  if (await isThere(folder)) return;
  for (const level of levelsOf(folder)) {
    const fault = await mkdir(level, { mode }).then(() => undefined, told);
    if (fault !== undefined && !(await isThere(level))) throw unmade(folder, level, fault);
  }
}

/** The same at once, for commands that do nothing else. */
export function makeFolderNow(folder: string, mode = modeUsual): void {
  const isThere = (path: string): boolean =>
    statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  for (const level of levelsOf(folder)) {
    try {
      mkdirSync(level, { mode });
    } catch (fault) {
      if (!isThere(level)) throw unmade(folder, level, told(fault));
    }
  }
}

/** From the top. */
function levelsOf(folder: string): string[] {
  const levels: string[] = [];
  for (let level = resolve(folder); dirname(level) !== level; level = dirname(level)) levels.unshift(level);
  return levels;
}

function told(fault: unknown): NodeJS.ErrnoException {
  return fault as NodeJS.ErrnoException;
}

function unmade(folder: string, level: string, { code = '', message }: NodeJS.ErrnoException): Error {
  const above = dirname(level);
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: `the system lets nothing be made in ${above}`,
    EEXIST: `${level} is no folder`,
    ENOTDIR: `${above} is no folder`,
    EACCES: `this user may not write to ${above}`,
    EPERM: `this user may not write to ${above}`,
    EROFS: `${above} can only be read`,
  };
  const reason = reasons[code] ?? message;
  return Object.assign(new Error(`the folder ${folder} can't be made: ${reason}; name another`), { code });
}
