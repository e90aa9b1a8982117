// What the store says of one version of a model: of which files it is made, of which parts each of them, and where it is to be.
import { createHash } from 'node:crypto';
import { limits } from '../proto/limits.js';

export interface ManifestFile {
  /** Below the model's folder, with / between. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** Each but the last of `partBytes`. */
  readonly parts: readonly string[];
}

/** Which nodes are to have a model. */
export interface Spread {
  /** On so many of those that fit; 0: on all. */
  readonly replicas: number;
  /** Tags that a worker there must have. */
  readonly needs: readonly string[];
}

export interface Manifest {
  readonly model: string;
  readonly version: string;
  /** Of all its files: the same content has the same one, whoever pushed it. */
  readonly digest: string;
  readonly partBytes: number;
  readonly files: readonly ManifestFile[];
  readonly spread: Spread;
}

export const everywhere: Spread = { replicas: 0, needs: [] };
export const filesMax = 1000;
const versionPattern = /^[1-9]\d{0,14}$/;
const namePattern = /^(?!\.)[A-Za-z0-9._-]{1,128}$/;
const digestPattern = /^[0-9a-f]{64}$/;
const formatNow = 1;
const shownLength = 10;
/** A node has a few parts in memory while it fetches. */
const partBytesMax = 16 * 2 ** 20;

export const modelNameWanted =
  '1 to 128 letters, digits, dots, - or _, the first neither a dot nor -, with which flags of commands begin';

/** By which one may be put into the store. One that was put there before is read, whatever it begins with. */
export function isModelName(name: string): boolean {
  return namePattern.test(name) && !name.startsWith('-');
}

/** Names of models may hold dots, which part the words of a key. */
export function manifestKey(model: string, version: string): string {
  return `${model.replaceAll('.', '=')}.${version}`;
}

/** The model and the version that a key is of; undefined for a key of another form. */
export function ofKey(key: string): { readonly model: string; readonly version: string } | undefined {
  const [word = '', version = '', ...more] = key.split('.');
  const model = word.replaceAll('=', '.');
  const isKey = more.length === 0 && namePattern.test(model) && versionPattern.test(version);
  return isKey ? { model, version } : undefined;
}

export function writeManifest(manifest: Manifest): string {
  return JSON.stringify({ format: formatNow, ...manifest });
}

/** The manifest, or why it is none that can be used. */
export function readManifest(key: string, text: string): Manifest | string {
  let told: unknown;
  try {
    told = JSON.parse(text);
  } catch {
    return `the manifest ${key} is not JSON`;
  }
  if (typeof told !== 'object' || told === null) return `the manifest ${key} is none`;
  const manifest = told as Manifest & { readonly format: unknown };
  if (manifest.format !== formatNow)
    return `the manifest ${key} is of format ${JSON.stringify(manifest.format)}, this node reads ${formatNow}`;
  const amiss = amissIn(manifest);
  if (amiss !== undefined) return `the manifest ${key} has no good ${amiss}`;
  if (manifest.partBytes > partBytesMax)
    return `the manifest ${key} has parts of ${manifest.partBytes} bytes, this node takes ${partBytesMax} at most`;
  const digest = digestOf(manifest.files);
  if (digest !== manifest.digest)
    return (
      `the manifest ${key} is called ${shortDigest(manifest.digest)}, and its files make ${shortDigest(digest)}: ` +
      'push it again'
    );
  if (manifestKey(manifest.model, manifest.version) !== key)
    return `the manifest ${key} is of ${manifest.model}:${manifest.version}`;
  return manifest;
}

/** The same files under the same names have the same one. */
export function digestOf(files: readonly Pick<ManifestFile, 'path' | 'sizeBytes' | 'sha256'>[]): string {
  const digest = createHash('sha256');
  const lines = files.map(({ path, sizeBytes, sha256 }) => `${path} ${sizeBytes} ${sha256}\n`);
  for (const line of lines.sort()) digest.update(line);
  return digest.digest('hex');
}

/** What tells the content of a version from another one, for people and in names. */
export function shortDigest(digest: string): string {
  return digest.slice(0, shownLength);
}

export function bytesOf({ files }: Pick<Manifest, 'files'>): number {
  return files.reduce((sum, file) => sum + file.sizeBytes, 0);
}

/** Each of its parts once. */
export function partsOf({ files }: Pick<Manifest, 'files'>): Set<string> {
  return new Set(files.flatMap(({ parts }) => parts));
}

function amissIn({
  model,
  version,
  digest,
  partBytes,
  files,
  spread,
}: Partial<Manifest>): string | undefined {
  if (typeof model !== 'string' || !namePattern.test(model)) return 'model';
  if (typeof version !== 'string' || !versionPattern.test(version)) return 'version';
  if (!isDigest(digest)) return 'digest';
  if (!isCount(partBytes) || partBytes === 0) return 'partBytes';
  if (!Array.isArray(files) || files.length === 0 || files.length > filesMax) return 'files';
  if (!files.every((file) => isFile(file, partBytes as number))) return 'files';
  if (new Set(files.map(({ path }) => path)).size < files.length) return 'files: one is named twice';
  const isSpread = isCount(spread?.replicas) && Array.isArray(spread?.needs) && spread.needs.every(isText);
  return isSpread ? undefined : 'spread';
}

function isFile(given: unknown, partBytes: number): boolean {
  const { path, sizeBytes, sha256, parts } = (given ?? {}) as Partial<ManifestFile>;
  if (!isText(path) || !isInside(path as string)) return false;
  if (!isCount(sizeBytes) || !isDigest(sha256) || !Array.isArray(parts)) return false;
  return parts.length === Math.ceil((sizeBytes as number) / partBytes) && parts.every(isDigest);
}

/** A manifest must not say where else on the disk of a node something is written. */
export function isInside(path: string): boolean {
  const steps = path.split('/');
  return (
    !path.includes('\\') &&
    !path.includes('\0') &&
    steps.every((step) => step !== '' && !step.startsWith('.'))
  );
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value.length > 0 && value.length <= limits.textLengthMax;
}

function isDigest(value: unknown): value is string {
  return typeof value === 'string' && digestPattern.test(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
