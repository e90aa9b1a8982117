// The model repository: a folder with one folder a model, in it config.yaml and numbered versions. A model that can't be
// read is kept with its reason; the others are not touched by that.
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Datatype } from '../../proto/tensor.js';
import { defaultModelConfig, type ModelConfig, readModelConfig } from './config.js';
import { type Graph, readOnnxGraph } from './onnx.js';
import { agreed } from './agreement.js';

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
}

export class Repository {
  /** By name, then by version. */
  readonly models: readonly ModelEntry[];
  private readonly newest = new Map<string, ModelEntry>();
  private readonly byVersion = new Map<string, ModelEntry>();

  constructor(models: readonly ModelEntry[]) {
    this.models = models;
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

export async function scanRepository(folder: string): Promise<Repository> {
  const names = await readdir(folder, { withFileTypes: true }).catch((fault: NodeJS.ErrnoException) => {
    const why = fault.code === 'ENOENT' ? 'there is no such folder' : fault.message;
    throw new Error(`the model repository ${folder} can't be read: ${why}; name another with --models`);
  });
  const models: ModelEntry[] = [];
  for (const name of await foldersOf(folder, names)) models.push(...(await scanModel(join(folder, name), name)));
  return new Repository(models);
}

async function foldersOf(folder: string, entries: Awaited<ReturnType<typeof readdirTypes>>): Promise<string[]> {
  const names: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    // A link to a folder counts as the folder.
    if ((await stat(join(folder, entry.name)).catch(() => undefined))?.isDirectory()) names.push(entry.name);
  }
  return names.sort();
}

function readdirTypes(folder: string) {
  return readdir(folder, { withFileTypes: true });
}

async function scanModel(folder: string, name: string): Promise<ModelEntry[]> {
  const entries = await readdirTypes(folder).catch(() => []);
  const versions = (await foldersOf(folder, entries)).filter((version) => /^[1-9]\d{0,17}$/.test(version));
  versions.sort((a, b) => Number(a) - Number(b));
  const broken = (version: string, reason: string): ModelEntry => unavailable(name, version, reason);
  if (!/^[A-Za-z0-9._-]{1,128}$/.test(name)) {
    return [broken('1', `${folder}: a model's name is 1 to 128 letters, digits, dots, - or _`)];
  }
  const content = await readFile(join(folder, configFile), 'utf8').catch((fault: NodeJS.ErrnoException) => fault);
  if (content instanceof Error && content.code !== 'ENOENT') {
    return (versions.length === 0 ? ['1'] : versions).map((version) => broken(version, content.message));
  }
  if (content instanceof Error && versions.length === 0) return [];
  const config = content instanceof Error ? defaultModelConfig : readModelConfig(content);
  if (typeof config === 'string') {
    const reason = `${join(folder, configFile)}: ${config}`;
    return (versions.length === 0 ? ['1'] : versions).map((version) => broken(version, reason));
  }
  // Backends without a file need no folder for their one version.
  if (versions.length === 0 && config.backend !== 'onnxruntime') versions.push('1');
  if (versions.length === 0) return [broken('1', `${folder} has no version: a folder such as 1 with ${modelFile} in it`)];
  return Promise.all(versions.map((version) => scanVersion(folder, name, version, config)));
}

async function scanVersion(folder: string, name: string, version: string, config: ModelConfig): Promise<ModelEntry> {
  const file = config.backend === 'onnxruntime' ? join(folder, version, modelFile) : '';
  let graph: Graph | undefined;
  let sizeBytes = 0;
  if (file !== '') {
    const bytes = await readFile(file).catch((fault: NodeJS.ErrnoException) => fault);
    if (bytes instanceof Error) {
      const why = bytes.code === 'ENOENT' ? 'there is no such file' : bytes.message;
      return unavailable(name, version, `${file}: ${why}`);
    }
    const read = readOnnxGraph(bytes);
    if (typeof read === 'string') return unavailable(name, version, `${file}: ${read}`);
    graph = read;
    sizeBytes = bytes.length;
  }
  const tensors = agreed(config, graph);
  if (typeof tensors === 'string') return unavailable(name, version, `${join(folder, configFile)}: ${tensors}`);
  const { inputs, outputs } = tensors;
  return {
    name,
    version,
    state: 'available',
    reason: '',
    config,
    inputs,
    outputs,
    maxBatch: config.maxBatch,
    file,
    sizeBytes,
  };
}

function unavailable(name: string, version: string, reason: string): ModelEntry {
  return {
    name,
    version,
    state: 'unavailable',
    reason,
    config: defaultModelConfig,
    inputs: [],
    outputs: [],
    maxBatch: 0,
    file: '',
    sizeBytes: 0,
  };
}
