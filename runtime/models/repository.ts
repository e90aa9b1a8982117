// The model repository: a folder with one folder a model, in it config.yaml and numbered versions. A model that can't be
// read is kept with its reason; the others are not touched by that.
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { readTextFile } from '../file.js';
import { isSentences, studyPipeline } from '../pipelines/declaration.js';
import { agreed } from './agreement.js';
import { findModule } from './backend.js';
import { defaultModelConfig, type ModelConfig, salvaged, studyModelConfig } from './config.js';
import type { ModelEntry } from './entry.js';
import {
  configFile,
  foldersIn,
  hiddenModels,
  missing,
  modelFile,
  versionPattern,
  whyNot,
} from './folders.js';
import { type Graph, readOnnxFile } from './onnx.js';
import { stampOf } from './stamp.js';
import { type Fault, readVariants } from './variant-files.js';
import { variantFor } from './variants.js';
import { missingVersions, unchosen } from './versions.js';

/** What is wrong in a model's folder, and where. */
export interface Mistake {
  readonly model: string;
  /** Empty where it is not of one version. */
  readonly version: string;
  readonly file: string;
  /** A sentence; where it is of a key in the file it begins with that. */
  readonly says: string;
}

export class Repository {
  /** By name, then by version. */
  readonly models: readonly ModelEntry[];
  /** What lies in the folder and was passed over, with the reason. */
  readonly notes: readonly string[];
  readonly mistakes: readonly Mistake[];
  private readonly newest = new Map<string, ModelEntry>();
  private readonly byVersion = new Map<string, ModelEntry>();

  constructor(
    models: readonly ModelEntry[],
    notes: readonly string[] = [],
    mistakes: readonly Mistake[] = [],
  ) {
    this.models = models;
    this.notes = notes;
    this.mistakes = mistakes;
    for (const entry of models) {
      this.byVersion.set(`${entry.name}:${entry.version}`, entry);
      const newest = this.newest.get(entry.name);
      if (newest?.state !== 'available' || entry.state === 'available') this.newest.set(entry.name, entry);
    }
  }

  /** Without a version: the highest that is available. */
  find(name: string, version: string): ModelEntry | undefined {
    return version === '' ? this.newest.get(name) : this.byVersion.get(`${name}:${version}`);
  }
}

const configBytesMax = 1 << 20;
const reasonLengthMax = 1000;
const namePattern = /^[A-Za-z0-9._-]{1,128}$/;
const noTensors = { inputs: [], outputs: [] };

/** With `only` nothing but that model is looked at. */
export async function scanRepository(folder: string, only?: string): Promise<Repository> {
  const found = await readdir(folder, { withFileTypes: true }).catch((fault: NodeJS.ErrnoException) => {
    throw new Error(
      `the model repository ${folder} can't be read: ${whyNot(fault)}; name another with --models`,
    );
  });
  const models: ModelEntry[] = [];
  const notes: string[] = [];
  const mistakes: Mistake[] = [];
  const looked = only === undefined ? found : found.filter(({ name }) => name === only);
  const names = await foldersIn(folder, looked, notes);
  notes.push(...(await hiddenModels(folder, looked)));
  for (const name of names) await forbidModel(folder, name);
  for (const name of names) models.push(...(await scanModel(join(folder, name), name, { notes, mistakes })));
  if (models.length === 0)
    notes.push(`${folder} has no models; each is a folder in it: ${join(folder, 'NAME', '1', modelFile)}`);
  return new Repository(models, notes, mistakes);
}

/** A folder one level too deep is easily named. */
async function forbidModel(folder: string, name: string): Promise<void> {
  const file = join(folder, name, modelFile);
  if (!versionPattern.test(name) || !(await stat(file).catch(() => undefined))?.isFile()) return;
  throw new Error(
    `${folder} is one model, for ${file} is a version of it; name the folder of models with --models ${dirname(resolve(folder))}`,
  );
}

/** One model of the repository; undefined where it has no such folder, or nothing of a model in it. */
export async function scanOne(folder: string, name: string): Promise<readonly ModelEntry[] | undefined> {
  const path = join(folder, name);
  if (!namePattern.test(name) || name.startsWith('.')) return undefined;
  if (!(await stat(path).catch(() => undefined))?.isDirectory()) return undefined;
  const models = await scanModel(path, name, { notes: [], mistakes: [] });
  return models.length === 0 ? undefined : models;
}

interface Found {
  readonly notes: string[];
  readonly mistakes: Mistake[];
}

async function scanModel(folder: string, name: string, found: Found): Promise<ModelEntry[]> {
  if (!namePattern.test(name)) {
    found.notes.push(`${folder} is passed over: a model's name is 1 to 128 letters, digits, dots, - or _`);
    return [];
  }
  const inside = await readdir(folder, { withFileTypes: true }).catch(
    (fault: NodeJS.ErrnoException) => fault,
  );
  if (inside instanceof Error)
    return [unavailable({ model: name, version: '1', file: folder }, [whyNot(inside)], found)];
  const versions = await versionsIn(folder, inside, found.notes);
  const configPath = join(folder, configFile);
  const config = readConfig(configPath);
  if (isSentences(config)) return misconfigured(folder, name, versions, config, found);
  const needsFile = needsModelFile(config ?? defaultModelConfig);
  if (versions.length === 0 && needsFile) {
    const wanted = `${join(folder, '1', modelFile)} is where the model belongs`;
    const isModel = config !== undefined || inside.some((entry) => entry.name === modelFile);
    const about = { model: name, version: '1', file: folder };
    if (isModel) return [unavailable(about, [`it has no version: ${wanted}`], found)];
    found.notes.push(`${folder} is passed over: it has neither ${configFile} nor a version; ${wanted}`);
    return [];
  }
  const everyVersion = versions.length === 0 ? ['1'] : versions;
  const entries: ModelEntry[] = [];
  for (const version of everyVersion) {
    const home = versions.length === 0 ? folder : join(folder, version);
    const stamp = await stampOf(folder, version, config ?? defaultModelConfig);
    entries.push(stamped(scanVersion(folder, home, name, version, config, found), stamp));
  }
  return config === undefined ? entries : chosen(entries, config, configPath, found);
}

function stamped(entry: ModelEntry, stamp: string): ModelEntry {
  const { pipeline } = entry;
  return pipeline === undefined ? { ...entry, stamp } : { ...entry, stamp, pipeline: { ...pipeline, stamp } };
}

/** None can be served. What the rest of the configuration and the files have wrong is told beside it. */
function misconfigured(
  folder: string,
  model: string,
  versions: readonly string[],
  said: readonly string[],
  found: Found,
): ModelEntry[] {
  const file = join(folder, configFile);
  for (const says of said) found.mistakes.push({ model, version: '', file, says });
  const content = readContent(file);
  const rest = typeof content === 'string' ? salvaged(content) : undefined;
  const beside: Found = { notes: [], mistakes: [] };
  if (rest !== undefined)
    for (const version of versions) scanVersion(folder, join(folder, version), model, version, rest, beside);
  // Keys that were left out are no mistakes of the files.
  found.mistakes.push(...beside.mistakes.filter((other) => isCertain(other, file)));
  const silent = { notes: [], mistakes: [] };
  const everyVersion = versions.length === 0 ? ['1'] : versions;
  return everyVersion.map((version) => unavailable({ model, version, file }, said, silent));
}

/** Whatever the keys that are wrong were to say. */
function isCertain(other: Mistake, configPath: string): boolean {
  if (other.file === configPath) return /^(before|after)\[/.test(other.says);
  return other.says !== missing;
}

/** Those that the owner left out are kept with the reason, and so is one that was listed and isn't there. */
function chosen(
  entries: readonly ModelEntry[],
  config: ModelConfig,
  file: string,
  found: Found,
): ModelEntry[] {
  const { versions } = config;
  const there = entries.map((entry) => entry.version);
  const serveable = entries.filter((entry) => entry.state === 'available').map((entry) => entry.version);
  const all = entries.map((entry): ModelEntry => {
    const reason = entry.state === 'available' ? unchosen(versions, entry.version, serveable) : undefined;
    return reason === undefined ? entry : { ...entry, state: 'unchosen', reason };
  });
  for (const { version, says } of missingVersions(versions, there)) {
    const model = entries[0]?.name as string;
    all.push(unavailable({ model, version, file }, [says], found, config));
  }
  return all.sort((a, b) => Number(a.version) - Number(b.version));
}

function needsModelFile({ backend, runs }: ModelConfig): boolean {
  return backend === 'onnxruntime' && runs === undefined;
}

/** Numbers from 1, rising. */
async function versionsIn(folder: string, found: readonly Dirent[], notes: string[]): Promise<string[]> {
  const versions: string[] = [];
  for (const version of await foldersIn(folder, found, notes)) {
    if (versionPattern.test(version)) versions.push(version);
    else
      notes.push(
        `${join(folder, version)} is passed over: a version is a number from 1 to ${'9'.repeat(15)}`,
      );
  }
  const alike = found.find((entry) => entry.name === 'config.yml');
  if (alike !== undefined)
    notes.push(`${join(folder, alike.name)} is passed over: the file is called ${configFile}`);
  return versions.sort((a, b) => Number(a) - Number(b));
}

/** The configuration; undefined where there is no file; or the sentences that say what is wrong with it. */
function readConfig(path: string): ModelConfig | readonly string[] | undefined {
  const content = readContent(path);
  if (typeof content === 'string') return studyModelConfig(content);
  return content.code === 'ENOENT' ? undefined : [whyNot(content)];
}

function readContent(path: string): string | NodeJS.ErrnoException {
  try {
    return readTextFile(path, configBytesMax);
  } catch (fault) {
    return fault as NodeJS.ErrnoException;
  }
}

function scanVersion(
  folder: string,
  home: string,
  name: string,
  version: string,
  said: ModelConfig | undefined,
  found: Found,
): ModelEntry {
  const config = said ?? defaultModelConfig;
  const configPath = join(folder, configFile);
  const main = config.variants?.[variantFor(config, '') ?? ''] ?? modelFile;
  const file = needsModelFile(config) ? join(home, main) : '';
  const faults: Fault[] = [];
  const module = findModule(folder, config.backend);
  if (typeof module !== 'string')
    faults.push({
      file: configPath,
      says: [`backend is ${config.backend}: ${module.path}: ${whyNot(module)}`],
    });
  const place = { model: name, version, folder, versionFolder: join(folder, version) };
  const pipeline = studyPipeline(config, place);
  if (isSentences(pipeline)) faults.push({ file: configPath, says: pipeline });
  const graph = file === '' ? undefined : readGraph(file);
  if (typeof graph === 'string') faults.push({ file, says: [graph] });
  const agreement =
    config.runs !== undefined || typeof graph === 'string' ? noTensors : agreed(config, graph);
  if (isSentences(agreement)) faults.push({ file: said === undefined ? file : configPath, says: agreement });
  const tensors = isSentences(agreement) || typeof graph === 'string' ? undefined : agreement;
  const variants = readVariants(config, tensors, main, (called) => join(home, called), readGraph);
  if (isSentences(variants)) faults.push(...variants);
  if (tensors === undefined || isSentences(variants) || isSentences(pipeline) || faults.length > 0)
    return unserveable({ model: name, version }, faults, found, config);
  const { sizeBytes, nodeCount } =
    graph === undefined || typeof graph === 'string' ? { sizeBytes: 0, nodeCount: 0 } : graph;
  const entry: ModelEntry = {
    name,
    version,
    config,
    file,
    sizeBytes,
    nodeCount,
    maxBatch: config.maxBatch,
    module: typeof module === 'string' ? module : '',
    variants,
    ...tensors,
    folder: resolve(home),
    state: 'available',
    reason: '',
  };
  return pipeline === undefined ? entry : { ...entry, pipeline };
}

function readGraph(file: string): Graph | string {
  try {
    return readOnnxFile(file);
  } catch (fault) {
    return whyNot(fault as NodeJS.ErrnoException);
  }
}

/** Of a version with mistakes in several files each is told, and the reason has them all. */
function unserveable(
  about: Pick<Mistake, 'model' | 'version'>,
  faults: readonly Fault[],
  found: Found,
  config: ModelConfig,
): ModelEntry {
  const silent = { notes: [], mistakes: [] };
  for (const { file, says } of faults)
    for (const one of says) found.mistakes.push({ ...about, file, says: one });
  const [first = { file: '', says: [] }, ...others] = faults;
  const more = others.map(({ file, says }) => `${file}: ${says.join('; ')}`);
  return unavailable({ ...about, file: first.file }, [...first.says, ...more], silent, config);
}

function unavailable(
  about: Pick<Mistake, 'model' | 'version' | 'file'>,
  sentences: readonly string[],
  found: Found,
  config = defaultModelConfig,
): ModelEntry {
  for (const says of sentences) found.mistakes.push({ ...about, says });
  const { model: name, version, file } = about;
  const why = `${file}: ${sentences.join('; ')}`;
  const reason = why.length > reasonLengthMax ? `${why.slice(0, reasonLengthMax - 3)}...` : why;
  const nothing = {
    inputs: [],
    outputs: [],
    maxBatch: 0,
    file: '',
    sizeBytes: 0,
    nodeCount: 0,
    folder: '',
    module: '',
  };
  return { name, version, state: 'unavailable', reason, config, ...nothing };
}
