// The list of the keys that a node talks to: a text file with one key a line, each with a name behind it where it has
// one, and comments. People write it too, so what is wrong in it is said with its line. Whoever writes it says who is let in.
import { existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { readTextFile } from '../file.js';
import { isKey, keyWanted } from './pair.js';

export interface Trusted {
  readonly key: string;
  readonly name: string;
}

const fileBytesMax = 2 ** 20;
const nameText = /^[A-Za-z0-9._@:-]{1,100}$/;
export const nameWanted = '1 to 100 letters, digits, . _ @ : or -';
const lockWaitMs = 3000;
const lockLookMs = 10;
const head =
  '# The public keys of the nodes that this one talks to: one a line, a name behind it, comments after #.\n';

export function isName(text: string): boolean {
  return nameText.test(text);
}

/** Empty where there is no such file yet. Throws a sentence. */
export function readTrusted(path: string): Trusted[] {
  if (!existsSync(path)) return [];
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o002) !== 0 && process.platform !== 'win32') {
    throw new Error(`everybody on this machine may write it (mode ${mode.toString(8)}): chmod 644 ${path}`);
  }
  return parseTrusted(readTextFile(path, fileBytesMax));
}

export function parseTrusted(text: string): Trusted[] {
  const found = new Map<string, Trusted>();
  for (const [index, line] of text.split('\n').entries()) {
    const words = line.replace(/#.*$/, '').trim().split(/\s+/);
    const [key = '', name = '', ...more] = words;
    if (key === '') continue;
    const where = `line ${index + 1}`;
    if (!isKey(key)) throw new Error(`${where} has ${shown(key)} where a key is wanted: ${keyWanted}`);
    if (more.length > 0 || (name !== '' && !isName(name)))
      throw new Error(`${where} has ${shown(words.slice(1).join(' '))} as a name, wanted is ${nameWanted}`);
    if (found.has(key)) throw new Error(`${where} has a key that an earlier line has already: ${key}`);
    found.set(key, { key, name });
  }
  return [...found.values()];
}

/** Throws a sentence where the key is there already. */
export function addTrusted(path: string, trusted: Trusted, waitMs = lockWaitMs): void {
  alone(path, waitMs, () => add(path, trusted));
}

/** By its key or its name. Its comments stay. */
export function removeTrusted(path: string, keyOrName: string, waitMs = lockWaitMs): Trusted {
  return alone(path, waitMs, () => remove(path, keyOrName));
}

function add(path: string, { key, name }: Trusted): void {
  const known = readTrusted(path);
  const same = known.find((one) => one.key === key);
  if (same !== undefined) throw new Error(`${key} is listed already${named(same)}`);
  const other = known.find((one) => name !== '' && one.name === name);
  if (other !== undefined) throw new Error(`the name ${name} is taken by ${other.key}: choose another`);
  const text = existsSync(path) ? readTextFile(path, fileBytesMax) : head;
  write(path, `${text}${text.endsWith('\n') ? '' : '\n'}${key}${name === '' ? '' : ` ${name}`}\n`);
}

function remove(path: string, keyOrName: string): Trusted {
  const gone = readTrusted(path).find(({ key, name }) => key === keyOrName || name === keyOrName);
  if (gone === undefined) throw new Error(`${keyOrName} is neither a key nor a name there`);
  const lines = readTextFile(path, fileBytesMax).split('\n');
  write(path, lines.filter((line) => !line.trimStart().startsWith(gone.key)).join('\n'));
  return gone;
}

/** Of two commands at once the later one reads what the earlier one wrote. */
function alone<T>(path: string, waitMs: number, change: () => T): T {
  const folder = dirname(path);
  // Below one that is not there either it is more likely a slip: no node would read the list.
  if (!existsSync(dirname(folder))) throw new Error(`the folder ${dirname(folder)} is not there`);
  if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700 });
  const lock = `${path}.lock`;
  for (let waitedMs = 0; !takes(lock); waitedMs += lockLookMs) {
    if (waitedMs >= waitMs)
      throw new Error(`another command is changing it, or was killed at it: then remove ${lock}`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, lockLookMs);
  }
  try {
    return change();
  } finally {
    rmSync(lock, { force: true });
  }
}

function takes(lock: string): boolean {
  try {
    writeFileSync(lock, `${process.pid}\n`, { flag: 'wx' });
    return true;
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw fault;
  }
}

/** Whole or not at all: a node may read it at any moment. */
function write(path: string, text: string): void {
  const half = `${path}.${process.pid}.new`;
  writeFileSync(half, text, { mode: 0o644 });
  renameSync(half, path);
}

function named({ name }: Trusted): string {
  return name === '' ? '' : ` as ${name}`;
}

function shown(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}
