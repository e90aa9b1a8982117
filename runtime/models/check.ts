// `node runtime models check`: every mistake in a folder of models, found by reading it; nothing is started.
import { join } from 'node:path';
import { tensorModelOf } from '../doors/outer.js';
import { goldenFile, readGoldenFile } from '../executor/golden-input.js';
import { orderOf } from '../executor/order.js';
import type { Pipeline, StepDeclaration } from '../pipelines/declaration.js';
import { stepKinds } from '../pipelines/kinds.js';
import type { StepPlace } from '../pipelines/step.js';
import { ownStepFaults } from '../pipelines/trial.js';
import { modelShape } from './config.js';
import type { ModelEntry } from './entry.js';
import { configFile } from './folders.js';
import { type Mistake, type Repository, scanRepository } from './repository.js';

export interface Check {
  readonly folder: string;
  readonly models: readonly {
    readonly name: string;
    readonly version: string;
    readonly state: string;
    readonly reason: string;
  }[];
  readonly mistakes: readonly (Mistake & {
    /** Of the configuration; empty where it is of none. */
    readonly key: string;
  })[];
  readonly notes: readonly string[];
}

/** With `only` nothing but that model, which may run others that are elsewhere. */
export async function checkFolder(folder: string, only?: string): Promise<Check> {
  const { models, notes, mistakes } = await scanned(folder, only);
  return {
    folder,
    models: models.map(({ name, version, state, reason }) => ({ name, version, state, reason })),
    mistakes: mistakes.map((mistake) => ({ ...mistake, key: keyOf(mistake.says) })),
    notes,
  };
}

/** What forbids the whole folder is a mistake as well, and so is a folder without models. */
async function scanned(
  folder: string,
  only: string | undefined,
): Promise<Pick<Repository, 'models' | 'notes' | 'mistakes'>> {
  const whole = (says: string): Mistake => ({ model: '', version: '', file: folder, says });
  try {
    const repository = await scanRepository(folder, only);
    const { models, notes, mistakes } = repository;
    if (models.length > 0) {
      const more = [
        ...(only === undefined ? misledBy(repository) : []),
        ...(await unopened(repository)),
        ...(await misgiven(repository)),
      ];
      return { models, notes, mistakes: [...mistakes, ...more] };
    }
    const [says = ''] = repository.notes.slice(-1);
    return { models: [], notes: repository.notes.slice(0, -1), mistakes: [whole(says)] };
  } catch (fault) {
    return { models: [], notes: [], mistakes: [whole((fault as Error).message)] };
  }
}

/** Whoever runs another model must name one that there is. */
function misledBy(repository: Repository): Mistake[] {
  const shelf = { model: (name: string, version: string) => repository.find(name, version) };
  return repository.models.flatMap(({ name, version, state, pipeline }) => {
    if (state !== 'available' || pipeline === undefined || pipeline.runs === '') return [];
    const file = join(pipeline.folder, configFile);
    return namedIn(pipeline).flatMap(([key, runs]) => {
      const behind = tensorModelOf(shelf, pipeline, runs);
      if (typeof behind !== 'string') return [];
      return [{ model: name, version, file, says: `${key} is ${runs}: ${behind}` }];
    });
  });
}

function namedIn({ runs, runsWhen }: Pipeline): (readonly [key: string, runs: string])[] {
  const others = Object.entries(runsWhen).flatMap(([parameter, models]) =>
    Object.entries(models).map(([value, model]) => [`runsWhen.${parameter}.${value}`, model] as const),
  );
  return [['runs', runs], ...others];
}

/** What workers would find when they prove a model with what its owner gives. */
async function misgiven({ models }: Repository): Promise<Mistake[]> {
  const found: Mistake[] = [];
  for (const entry of models) {
    const { name: model, version, state, pipeline } = entry;
    if (state !== 'available' || (pipeline !== undefined && pipeline.runs !== '')) continue;
    const order = orderOf(entry, { device: 'cpu', threads: 1, graphs: '' });
    if (typeof order === 'string' || order.golden === undefined) continue;
    const says = await goldenFault(entry);
    if (says !== '') found.push({ model, version, file: join(entry.folder, goldenFile), says });
  }
  return found;
}

async function goldenFault(entry: ModelEntry): Promise<string> {
  try {
    const given = await readGoldenFile(entry);
    const absent = entry.inputs.filter(
      ({ name, optional }) => optional !== true && given?.input.every((tensor) => tensor.name !== name),
    );
    return absent.length === 0 ? '' : `inputs leaves out ${absent.map(({ name }) => name).join(', ')}`;
  } catch (fault) {
    const { message } = fault as Error;
    const path = join(entry.folder, goldenFile);
    return message.startsWith(path) ? message.slice(path.length).replace(/^:? /, '') : message;
  }
}

/** Steps of ours are opened as for a request: what a library can't read is known only then. Others are imported elsewhere. */
async function unopened({ models }: Repository): Promise<Mistake[]> {
  const found: Mistake[] = [];
  for (const { name, version, state, pipeline, config } of models) {
    if (state !== 'available' || pipeline === undefined) continue;
    const file = join(pipeline.folder, configFile);
    for (const says of await ownStepFaults(pipeline, config.loadLongestMs))
      found.push({ model: name, version, file, says });
    for (const side of ['before', 'after'] as const) {
      for (const [at, step] of pipeline[side].entries()) {
        if (step.module !== '') continue;
        const why = await stepFault(step, pipeline);
        const says = `${side}[${at}] (${step.name}): ${why}`;
        if (why !== undefined) found.push({ model: name, version, file, says });
      }
    }
  }
  return found;
}

async function stepFault({ name, options }: StepDeclaration, place: StepPlace): Promise<string | undefined> {
  try {
    const maker = await stepKinds[name]?.load();
    await maker?.open(options, place);
    return undefined;
  } catch (fault) {
    return (fault as Error).message;
  }
}

const keyPattern = /^([a-z][A-Za-z]*)((?:\.[\w-]+|\[\d+\])*)(?=:? )/;
const unknownKey = /^(\S+) is not a known key;/;
const roots: readonly string[] = Object.keys(modelShape.shape);

/** Sentences about the configuration begin with their key. */
function keyOf(says: string): string {
  const unknown = unknownKey.exec(says)?.[1];
  if (unknown !== undefined) return unknown;
  const [, root, rest] = keyPattern.exec(says) ?? [];
  return root !== undefined && roots.includes(root) ? `${root}${rest}` : '';
}

/** A line for each mistake and each note, and one that says how many there are. */
export function checkText({ folder, models, mistakes, notes }: Check): string {
  const lines = mistakes.map(({ model, version, file, says }) => {
    if (model === '') return `mistake: ${says}`;
    return `mistake: ${version === '' ? model : `${model}:${version}`}: ${file}: ${says}`;
  });
  for (const { name, version, state, reason } of models)
    if (state === 'unchosen') lines.push(`note: ${name}:${version}: ${reason}`);
  lines.push(...notes.map((note) => `note: ${note}`));
  const names = new Set(models.map(({ name }) => name));
  const served = models.filter(({ state }) => state === 'available').length;
  const found = mistakes.length === 0 ? 'no mistakes' : count(mistakes.length, 'mistake');
  lines.push(`${folder}: ${found}; ${count(names.size, 'model')}, ${count(served, 'version')} to serve`);
  return lines.map(printable).join('\n');
}

/** Names of files may hold what would break a line, or change what a terminal shows. */
function printable(line: string): string {
  const codeOf = (sign: string): string => sign.charCodeAt(0).toString(16).padStart(4, '0');
  return line.replace(/\p{Cc}/gu, (sign) => (sign === '\n' ? '\\n' : `\\u${codeOf(sign)}`));
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
