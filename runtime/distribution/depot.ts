// The models that a cluster shares: manifests in one bucket, the parts of their files in another. What people do with them:
// put a version in, see what there is, take one out. Parts are there once, whoever is made of them.
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import {
  bytesOf,
  type Manifest,
  manifestKey,
  ofKey,
  partsOf,
  readManifest,
  shortDigest,
  writeManifest,
} from '../../cluster/manifest.js';
import type { Parts } from '../../cluster/parts.js';
import type { PartsConnection, Store, WatchEvents } from '../../cluster/store.js';
import { SignalboxError } from '../../proto/errors.js';
import { digestBytes } from './digest.js';

/** One message of NATS has 1 MiB. */
const manifestBytesMax = 1_000_000;
/** Longer than anybody takes to put a part: its pieces are given up one by one, within seconds each. */
const quietMs = 600_000;

export interface Kept {
  readonly key: string;
  readonly revision: number;
  /** The manifest, or why it is none. */
  readonly manifest: Manifest | string;
}

export interface Pushed {
  readonly model: string;
  readonly version: string;
  readonly digest: string;
  readonly change: 'none' | 'new' | 'replaced';
  readonly bytes: number;
  readonly parts: number;
  /** The others were there. */
  readonly sentParts: number;
  readonly sentBytes: number;
}

export interface Removed {
  /** As people call them. */
  readonly names: string[];
  readonly versions: string[];
  /** How many of them nobody could read: their parts stay until they are swept out. */
  readonly unread: number;
  readonly parts: number;
}

/** Why a manifest can't be read, and what to do about it. */
export function wayOut(key: string, amiss: string): string {
  const { model, version } = ofKey(key) ?? { model: key, version: '' };
  const name = model.startsWith('-') ? `-- ${model}` : model;
  return `${amiss}; take it out with: models remove ${version === '' ? '' : `--version ${version} `}${name}`;
}

/** Both buckets, made where there are none. */
export async function openDepot(
  connection: PartsConnection,
  cluster: string,
): Promise<{ readonly manifests: Store; readonly parts: Parts }> {
  const manifests = await connection.open({ name: `signalbox-${cluster}-manifests`, keepMs: 0 });
  return { manifests, parts: await connection.parts(`signalbox-${cluster}-models`) };
}

export class Depot {
  private readonly manifests: Store;
  private readonly parts: Parts;

  private constructor(manifests: Store, parts: Parts) {
    this.manifests = manifests;
    this.parts = parts;
  }

  static async open(connection: PartsConnection, cluster: string): Promise<Depot> {
    const { manifests, parts } = await openDepot(connection, cluster);
    return new Depot(manifests, parts);
  }

  /** Everything that the store has, by model and version. */
  async list(): Promise<Kept[]> {
    const kept = new Map<string, Kept>();
    let end = (): void => {};
    try {
      await new Promise<void>((resolve, reject) => {
        const events: WatchEvents = {
          put: (key, { text, revision }) =>
            kept.set(key, { key, revision, manifest: readManifest(key, text) }),
          removed: (key) => kept.delete(key),
          caughtUp: resolve,
          ended: (reason) => reject(new Error(reason)),
        };
        this.manifests.watch(events).then((stop) => {
          end = stop;
        }, reject);
      });
    } finally {
      end();
    }
    return [...kept.values()].sort((one, other) => (one.key < other.key ? -1 : 1));
  }

  /** Throws where the store has any of them with other content: of several that are pushed together either all go or none. */
  async refuseOthers(manifests: readonly Manifest[]): Promise<void> {
    const kept = new Map((await this.list()).map(({ key, manifest }) => [key, manifest]));
    const others = manifests.flatMap(({ model, version, digest }) => {
      const before = kept.get(manifestKey(model, version));
      return typeof before === 'object' && before.digest !== digest ? [before] : [];
    });
    if (others.length > 0)
      throw new SignalboxError('STORE_CONFLICT', `${otherwise(others)}; nothing was pushed`);
  }

  /** Parts that are there already are not sent: a push that was interrupted goes on where it was. */
  async push(
    manifest: Manifest,
    folder: string,
    {
      mayReplace,
      sent = () => {},
    }: { readonly mayReplace: boolean; readonly sent?: (bytes: number) => void },
  ): Promise<Pushed> {
    const { model, version, digest } = manifest;
    const text = writeManifest(manifest);
    if (text.length > manifestBytesMax)
      throw new SignalboxError(
        'MODEL_INVALID',
        `${model}:${version} has more parts than one manifest can name: it is too large for the store`,
      );
    const key = manifestKey(model, version);
    const own = readManifest(key, text);
    if (typeof own === 'string') throw new SignalboxError('MODEL_INVALID', own);
    const there = await this.manifests.read(key);
    const before = there === undefined ? undefined : readManifest(key, there.text);
    const bytes = bytesOf(manifest);
    const wanted = partsOf(manifest);
    const about = { model, version, digest, bytes, parts: wanted.size };
    if (typeof before === 'object' && before.digest !== digest && !mayReplace)
      throw new SignalboxError('STORE_CONFLICT', otherwise([before]));
    const isSame = typeof before === 'object' && writeManifest(before) === text;
    // Of one that is to be replaced by itself something may be corrupt there.
    const known = isSame && mayReplace ? new Set<string>() : await this.parts.list();
    if (isSame && [...wanted].every((part) => known.has(part)))
      return { ...about, change: 'none', sentParts: 0, sentBytes: 0 };
    const tally = { parts: 0, bytes: 0, told: sent };
    await this.send(manifest, folder, known, tally);
    if (!isSame && (await this.manifests.write(key, text, there?.revision ?? 0)) === undefined) {
      // Somebody else may have pushed the same.
      if ((await this.manifests.read(key))?.text !== text)
        throw new SignalboxError(
          'STORE_CONFLICT',
          `${model}:${version} was changed in the store by somebody else meanwhile: push it again`,
        );
    }
    // Somebody may have swept out what had been sent before anybody could know what for.
    await this.send(manifest, folder, await this.parts.list(), tally);
    if (typeof before === 'object' && !isSame) await this.drop(partsOf(before));
    const change = there === undefined ? 'new' : 'replaced';
    return { ...about, change, sentParts: tally.parts, sentBytes: tally.bytes };
  }

  private async send(
    manifest: Manifest,
    folder: string,
    known: ReadonlySet<string>,
    tally: { parts: number; bytes: number; readonly told: (bytes: number) => void },
  ): Promise<void> {
    for await (const { name, piece } of piecesOf(manifest, folder, known)) {
      await this.parts.put(name, piece);
      tally.parts++;
      tally.bytes += piece.length;
      tally.told(tally.bytes);
    }
  }

  /** Takes a version out, or all of a model, with the parts of which nothing else is made. What can't be read goes by its key. */
  async remove(model: string, version = ''): Promise<Removed> {
    const names: string[] = [];
    const versions: string[] = [];
    const parts = new Set<string>();
    let unread = 0;
    for (const { key, revision, manifest } of await this.list()) {
      const of = typeof manifest === 'string' ? (ofKey(key) ?? { model: key, version: '' }) : manifest;
      if (of.model !== model || (version !== '' && of.version !== version)) continue;
      const name = of.version === '' ? key : `${model}:${of.version}`;
      if (!(await this.manifests.remove(key, revision)))
        throw new SignalboxError(
          'STORE_CONFLICT',
          `${name} was changed in the store meanwhile: remove it again`,
        );
      names.push(name);
      if (of.version !== '') versions.push(of.version);
      if (typeof manifest === 'string') unread++;
      else for (const part of partsOf(manifest)) parts.add(part);
    }
    return { names, versions, unread, parts: parts.size === 0 ? 0 : await this.drop(parts) };
  }

  /** All of which nothing is made: of pushes that never came to an end. Those of one that is under way it sends again. */
  async sweep(): Promise<number> {
    const unread = (await this.list()).flatMap(({ key, manifest }) =>
      typeof manifest === 'string' ? [wayOut(key, manifest)] : [],
    );
    if (unread.length > 0)
      throw new SignalboxError(
        'STORE_CONFLICT',
        `nothing is taken out while nobody knows which parts are needed: ${unread.join('; ')}`,
      );
    return (await this.drop(await this.parts.list())) + (await this.parts.sweep(quietMs));
  }

  /** Those of them that nothing is made of any more. */
  private async drop(names: ReadonlySet<string>): Promise<number> {
    const kept = await this.list();
    // Of one that can't be read nobody knows what it is made of.
    if (kept.some(({ manifest }) => typeof manifest === 'string')) return 0;
    const used = new Set(
      kept.flatMap(({ manifest }) => (typeof manifest === 'string' ? [] : [...partsOf(manifest)])),
    );
    const idle = new Set([...names].filter((name) => !used.has(name)));
    for (const name of idle) await this.parts.remove(name);
    if (idle.size > 0) await this.lookAfter(idle);
    return idle.size;
  }

  /** A push that came to its end meanwhile may have counted on what is gone now: another one sends that again. */
  private async lookAfter(gone: ReadonlySet<string>): Promise<void> {
    const harmed = (await this.list()).flatMap(({ manifest }) =>
      typeof manifest === 'object' && [...partsOf(manifest)].some((part) => gone.has(part))
        ? [`${manifest.model}:${manifest.version}`]
        : [],
    );
    if (harmed.length > 0)
      throw new SignalboxError(
        'STORE_CONFLICT',
        `${harmed.join(', ')} came into the store while parts were taken out that nothing was made of, and lacks some of ` +
          'them now: push it again',
      );
  }
}

async function* piecesOf(
  { files, partBytes, model, version }: Manifest,
  folder: string,
  known: ReadonlySet<string>,
): AsyncGenerator<{ readonly name: string; readonly piece: Uint8Array }> {
  const sent = new Set(known);
  for (const { path, parts, sizeBytes } of files) {
    if (parts.every((part) => sent.has(part))) continue;
    const file = await open(join(folder, path), 'r');
    try {
      for (const [at, name] of parts.entries()) {
        if (sent.has(name)) continue;
        const piece = Buffer.allocUnsafeSlow(Math.min(partBytes, sizeBytes - at * partBytes));
        const { bytesRead } = await file.read(piece, 0, piece.length, at * partBytes);
        if (bytesRead < piece.length || (await digestBytes(piece)) !== name)
          throw new SignalboxError(
            'STORE_CONFLICT',
            `${join(folder, path)} has changed while ${model}:${version} was pushed: push it again`,
          );
        sent.add(name);
        yield { name, piece };
      }
    } finally {
      await file.close();
    }
  }
}

function otherwise(others: readonly Manifest[]): string {
  const shown = others.map(
    ({ model, version, digest }) => `${model}:${version} with other content (${shortDigest(digest)})`,
  );
  return `the store has ${shown.join(', ')}: give what is new a higher version, or replace it with --replace`;
}
