// Fetches one version out of the store: each part is looked at before it counts, what is there from before is kept, nodes that
// share a folder take turns, and what goes wrong is said by name.
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { bytesOf, type Manifest, type ManifestFile } from '../../cluster/manifest.js';
import type { Parts } from '../../cluster/parts.js';
import { after, pause } from '../clock.js';
import { makeFolder } from '../folder.js';
import type { Log } from '../log.js';
import type { Cache } from './cache.js';
import { digestBytes, digestStretch } from './digest.js';

export interface Fetch {
  readonly manifest: Manifest;
  readonly cache: Cache;
  /** As long as there is a connection. */
  readonly parts: () => Parts | undefined;
  readonly log: Log;
  /** Nobody wants it any more. */
  readonly givenUp: AbortSignal;
}

export interface Fetched {
  readonly folder: string;
  readonly parts: number;
  /** The others were there from before. */
  readonly fetchedParts: number;
}

/** The store did not answer: what it was asked for may be there. */
export class Unreached extends Error {}

interface Piece {
  readonly file: FileHandle;
  readonly path: string;
  readonly name: string;
  readonly offset: number;
  readonly sizeBytes: number;
}

/** Of one version, at the same time: each is in memory meanwhile. */
const atOnce = 3;
const triesMax = 4;
const againMs = 100;
const partLongestMs = 60_000;

/** Resolves when all of it is there and is what the manifest says; rejects with a sentence. */
export async function fetchVersion(fetch: Fetch): Promise<Fetched> {
  const { manifest, cache } = fetch;
  const about = { parts: manifest.files.reduce((sum, { parts }) => sum + parts.length, 0), fetchedParts: 0 };
  const folder = cache.folderOf(manifest);
  cache.use(manifest);
  if (await cache.has(manifest)) return { folder, ...about };
  try {
    const claim = await cache.claim(manifest, () => doneElsewhere(fetch));
    if (claim === undefined) return { folder, ...about };
    try {
      await cache.begin(manifest);
      for (const file of manifest.files) about.fetchedParts += await fetchFile(fetch, folder, file);
      await cache.finish(manifest);
    } finally {
      await claim.release();
    }
  } catch (fault) {
    throw toldOf(fault, manifest, folder);
  }
  return { folder, ...about };
}

async function doneElsewhere({ manifest, cache, givenUp }: Fetch): Promise<boolean> {
  stopIf(givenUp);
  return cache.has(manifest);
}

async function fetchFile(fetch: Fetch, folder: string, told: ManifestFile): Promise<number> {
  const path = join(folder, told.path);
  await makeFolder(dirname(path));
  const file = await openFile(path);
  try {
    if ((await file.stat()).size > told.sizeBytes) await file.truncate(told.sizeBytes);
    const missing = await missingOf(fetch, file, told);
    await inPool(missing, (piece) => fetchPiece(fetch, piece));
    await file.datasync();
    const sha256 = await digestStretch(file, 0, told.sizeBytes);
    if (sha256 !== told.sha256)
      throw new Error(
        `${told.path} has the SHA-256 ${sha256}, its manifest says ${told.sha256}: push it again`,
      );
    return missing.length;
  } finally {
    await file.close();
  }
}

/** Whatever is in it already stays. */
async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+');
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code !== 'ENOENT') throw fault;
    return open(path, 'w+');
  }
}

async function missingOf(fetch: Fetch, file: FileHandle, told: ManifestFile): Promise<Piece[]> {
  const { partBytes } = fetch.manifest;
  const { size } = await file.stat();
  const missing: Piece[] = [];
  for (const [at, name] of told.parts.entries()) {
    const offset = at * partBytes;
    const sizeBytes = Math.min(partBytes, told.sizeBytes - offset);
    stopIf(fetch.givenUp);
    if (offset < size && (await digestStretch(file, offset, sizeBytes)) === name) continue;
    missing.push({ file, path: told.path, name, offset, sizeBytes });
  }
  return missing;
}

async function inPool(pieces: readonly Piece[], work: (piece: Piece) => Promise<void>): Promise<void> {
  const left = [...pieces];
  let fault: unknown;
  const run = async (): Promise<void> => {
    for (let piece = left.shift(); piece !== undefined && fault === undefined; piece = left.shift()) {
      await work(piece).catch((reason: unknown) => {
        fault ??= reason;
      });
    }
  };
  await Promise.all(Array.from({ length: atOnce }, run));
  if (fault !== undefined) throw fault;
}

async function fetchPiece(fetch: Fetch, piece: Piece): Promise<void> {
  const { manifest, log, givenUp } = fetch;
  let amiss = new Error();
  for (let tries = 1; tries <= triesMax; tries++) {
    stopIf(givenUp);
    const bytes = await bytesFor(fetch, piece).catch((fault: Error) => {
      amiss = fault;
    });
    stopIf(givenUp);
    if (bytes !== undefined) {
      await writeAll(piece.file, bytes, piece.offset);
      return;
    }
    const { model, version } = manifest;
    const reason = amiss.message;
    log.warn('part.amiss', { model, version, file: piece.path, part: piece.name, reason, tries });
    if (tries < triesMax) await pause(againMs * 2 ** (tries - 1));
  }
  const told = `a part of ${piece.path} can't be had, tried ${triesMax} times: ${amiss.message}`;
  throw amiss instanceof Unreached ? new Unreached(told) : new Error(told);
}

async function bytesFor({ parts, givenUp }: Fetch, { name, sizeBytes }: Piece): Promise<Uint8Array> {
  const store = parts();
  if (store === undefined) throw new Unreached('NATS is away');
  const late = new AbortController();
  const giveUp = (): void => late.abort(givenUp.reason);
  const timer = after(partLongestMs, () => late.abort(`it did not come within ${partLongestMs} ms`));
  givenUp.addEventListener('abort', giveUp);
  try {
    const bytes = await store.get(name, sizeBytes, late.signal).catch((fault: Error) => {
      // It was there to be asked, and told of the part without ever sending it.
      const isTold = late.signal.aborted && parts() === store;
      throw isTold ? fault : new Unreached(fault.message);
    });
    if (bytes === undefined) throw new Error(`the store does not have part ${name}: push the model again`);
    if (bytes !== 'otherSize' && (await digestBytes(bytes)) === name) return bytes;
    throw new Error(`part ${name} is corrupt in the store`);
  } finally {
    timer.cancel();
    givenUp.removeEventListener('abort', giveUp);
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, offset + at);
    at += bytesWritten;
  }
}

function stopIf(givenUp: AbortSignal): void {
  if (givenUp.aborted) throw new Error('it is not wanted here any more');
}

function toldOf(fault: unknown, manifest: Manifest, folder: string): Error {
  if (fault instanceof Unreached) return fault;
  const { code, message } = fault as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const needed = Math.ceil(bytesOf(manifest) / 1e6);
    return new Error(
      `the disk with ${folder} is full: it takes ${needed} MB; make room, or name another --cache-folder`,
    );
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return new Error(`this user may not write to ${folder}: name another --cache-folder`);
  return new Error(message);
}
