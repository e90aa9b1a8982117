// The model repository: a folder with one folder a model, in it config.yaml and numbered versions. A model that can't be
// read is kept with its reason; the others are not touched by that.
import type { Dirent } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Datatype } from '../../proto/tensor.js';
import { type Pipeline, readPipeline } from '../pipelines/declaration.js';
import { agreed } from './agreement.js';
import { defaultModelConfig, type ModelConfig, readModelConfig } from './config.js';
import { type Graph, readOnnxFile } from './onnx.js';

export interface ModelTensor {
  readonly name: string;
  readonly datatype: Datatype;
  /** With rows first where the model batches; -1 takes any size. */
  readonly shape: readonly number[];
  readonly optional?: boolean | undefined;
}

/** One version of one model, as plain data. */
export interface ModelEntry {
  readonly name: string;
  readonly version: string;
  readonly state: 'available' | 'unavailable';
  /** Empty when available. */
  readonly reason: string;
  readonly config: ModelConfig;
  readonly inputs: readonly ModelTensor[];
  readonly outputs: readonly ModelTensor[];
  readonly maxBatch: number;
  /** The model file; empty for backends that need none. */
  readonly file: string;
  readonly sizeBytes: number;
  /** The steps before and after it; undefined: none. With `runs` it has no tensors of its own, and no worker loads it. */
  readonly pipeline?: Pipeline | undefined;
}

export class Repository {
  /** By name, then by version. */
  readonly models: readonly ModelEntry[];
  /** What lies in the folder and was passed over, with the reason. */
  readonly notes: readonly string[];
  private readonly newest = new Map<string, ModelEntry>();
  private readonly byVersion = new Map<string, ModelEntry>();

  constructor(models: readonly ModelEntry[], notes: readonly string[] = []) {
    this.models = models;
    this.notes = notes;
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

const modelFile = 'model.onnx';
const configFile = 'config.yaml';
const configBytesMax = 1 << 20;
const reasonLengthMax = 1000;
const namePattern = /^[A-Za-z0-9._-]{1,128}$/;
const noTensors = { inputs: [], outputs: [] };
const versionPattern = /^[1-9]\d{0,14}$/;

export async function scanRepository(folder: string): Promise<Repository> {
  const found = await readdir(folder, { withFileTypes: true }).catch((fault: NodeJS.ErrnoException) => {
    throw new Error(
      `the model repository ${folder} can't be read: ${whyNot(fault)}; name another with --models`,
    );
  });
  const models: ModelEntry[] = [];
  const notes: string[] = [];
  const names = await foldersIn(folder, found, notes);
  for (const name of names) await forbidModel(folder, name);
  for (const name of names) models.push(...(await scanModel(join(folder, name), name, notes)));
  if (models.length === 0)
    notes.push(`${folder} has no models; each is a folder in it: ${join(folder, 'NAME', '1', modelFile)}`);
  return new Repository(models, notes);
}

/** A folder one level too deep is easily named. */
async function forbidModel(folder: string, name: string): Promise<void> {
  const file = join(folder, name, modelFile);
  if (!versionPattern.test(name) || !(await stat(file).catch(() => undefined))?.isFile()) return;
  throw new Error(
    `${folder} is one model, for ${file} is a version of it; name the folder of models with --models ${dirname(resolve(folder))}`,
  );
}

async function scanModel(folder: string, name: string, notes: string[]): Promise<ModelEntry[]> {
  if (!namePattern.test(name)) {
    notes.push(`${folder} is passed over: a model's name is 1 to 128 letters, digits, dots, - or _`);
    return [];
  }
  const found = await readdir(folder, { withFileTypes: true }).catch((fault: NodeJS.ErrnoException) => fault);
  if (found instanceof Error) return [unavailable(name, '1', `${folder}: ${whyNot(found)}`)];
  const versions = await versionsIn(folder, found, notes);
  const everyVersion = versions.length === 0 ? ['1'] : versions;
  const config = await readConfig(join(folder, configFile));
  if (typeof config === 'string') return everyVersion.map((version) => unavailable(name, version, config));
  const needsFile = needsModelFile(config ?? defaultModelConfig);
  if (versions.length === 0 && needsFile) {
    const wanted = `${join(folder, '1', modelFile)} is where the model belongs`;
    const isModel = config !== undefined || found.some((entry) => entry.name === modelFile);
    if (isModel) return [unavailable(name, '1', `${folder} has no version: ${wanted}`)];
    notes.push(`${folder} is passed over: it has neither ${configFile} nor a version; ${wanted}`);
    return [];
  }
  return everyVersion.map((version) => scanVersion(folder, name, version, config));
}

function needsModelFile({ backend, runs }: ModelConfig): boolean {
  return backend === 'onnxruntime' && runs === undefined;
}

/** Numbers from 1, rising. */
async function versionsIn(folder: string, found: readonly Dirent[], notes: string[]): Promise<string[]> {
  const versions: string[] = [];
  for (const version of await foldersIn(folder, found, notes)) {
    if (versionPattern.test(version)) versions.push(version);
    else notes.push(`${join(folder, version)} is passed over: a version is a number from 1`);
  }
  const alike = found.find((entry) => entry.name === 'config.yml');
  if (alike !== undefined)
    notes.push(`${join(folder, alike.name)} is passed over: the file is called ${configFile}`);
  return versions.sort((a, b) => Number(a) - Number(b));
}

/** The configuration; undefined where there is no file; or the sentence that says what is wrong with it. */
async function readConfig(path: string): Promise<ModelConfig | string | undefined> {
  try {
    const { size } = await stat(path);
    if (size > configBytesMax) return `${path}: it has ${size} bytes, allowed are ${configBytesMax}`;
    const config = readModelConfig(await readFile(path, 'utf8'));
    return typeof config === 'string' ? `${path}: ${config}` : config;
  } catch (fault) {
    const known = fault as NodeJS.ErrnoException;
    return known.code === 'ENOENT' ? undefined : `${path}: ${whyNot(known)}`;
  }
}

function scanVersion(
  folder: string,
  name: string,
  version: string,
  said: ModelConfig | undefined,
): ModelEntry {
  const config = said ?? defaultModelConfig;
  const file = needsModelFile(config) ? join(folder, version, modelFile) : '';
  const place = { model: name, version, folder, versionFolder: join(folder, version) };
  const pipeline = readPipeline(config, place);
  if (typeof pipeline === 'string') {
    return unavailable(name, version, `${join(folder, configFile)}: ${pipeline}`, config);
  }
  let graph: Graph | undefined;
  if (file !== '') {
    const read = readGraph(file);
    if (typeof read === 'string') return unavailable(name, version, `${file}: ${read}`, config);
    graph = read;
  }
  const tensors = config.runs === undefined ? agreed(config, graph) : noTensors;
  if (typeof tensors === 'string') {
    const where = said === undefined ? file : join(folder, configFile);
    return unavailable(name, version, `${where}: ${tensors}`, config);
  }
  const sizeBytes = graph?.sizeBytes ?? 0;
  const known = { name, version, config, file, sizeBytes, maxBatch: config.maxBatch };
  const entry: ModelEntry = { ...known, ...tensors, state: 'available', reason: '' };
  return pipeline === undefined ? entry : { ...entry, pipeline };
}

function readGraph(file: string): Graph | string {
  try {
    return readOnnxFile(file);
  } catch (fault) {
    return whyNot(fault as NodeJS.ErrnoException);
  }
}

/** A link to a folder counts as the folder; what begins with a dot is nobody's model. */
async function foldersIn(parent: string, found: readonly Dirent[], notes: string[]): Promise<string[]> {
  const folders: string[] = [];
  for (const { name } of found) {
    if (name.startsWith('.')) continue;
    const path = join(parent, name);
    const what = await stat(path).catch((fault: NodeJS.ErrnoException) => fault);
    if (what instanceof Error) notes.push(`${path} is passed over: ${whyNot(what)}`);
    else if (what.isDirectory()) folders.push(name);
  }
  return folders.sort();
}

function whyNot(fault: NodeJS.ErrnoException): string {
  if (fault.code === 'ENOENT') return 'it does not exist';
  if (fault.code === 'ENOTDIR') return 'it is not a folder';
  if (fault.code === 'EISDIR') return 'it is a folder, wanted is a file';
  if (fault.code === 'EACCES') return 'this user may not read it';
  if (fault.code === 'ELOOP') return 'it is a link that leads to itself';
  return fault.message;
}

function unavailable(name: string, version: string, why: string, config = defaultModelConfig): ModelEntry {
  const reason = why.length > reasonLengthMax ? `${why.slice(0, reasonLengthMax - 3)}...` : why;
  const nothing = { inputs: [], outputs: [], maxBatch: 0, file: '', sizeBytes: 0 };
  return { name, version, state: 'unavailable', reason, config, ...nothing };
}
