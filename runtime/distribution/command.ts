// `node runtime models push`, `stored`, `remove` and `sweep`: what is done with the store of a cluster, straight at NATS.
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import {
  bytesOf,
  isModelName,
  type Manifest,
  modelNameWanted,
  ofKey,
  shortDigest,
} from '../../cluster/manifest.js';
import { type PartsConnection, StoreFault } from '../../cluster/store.js';
import { SignalboxError } from '../../proto/errors.js';
import type { Environment } from '../ask.js';
import { ConfigError, loadConfig } from '../config/load.js';
import { type Config, flagOf, type SettingName, settings } from '../config/schema.js';
import { readArguments } from '../flags.js';
import { natsOptions } from '../membership/access.js';
import { adviceFor, unusableNats } from '../membership/unusable.js';
import { type Check, checkFolder, checkText } from '../models/check.js';
import type { Said } from '../models/command.js';
import { configFile, modelFile, versionPattern } from '../models/folders.js';
import { isTerminal, printError } from '../print.js';
import { refusalText, refusedOf } from '../refusal.js';
import { manifestOf } from './contents.js';
import { Depot, type Pushed, wayOut } from './depot.js';
import { spreadOf } from './spread.js';
import type { DepotVerb } from './verbs.js';

/** Of a node's settings those that say where the store is. */
const placeSettings = (Object.keys(settings) as SettingName[]).filter(
  (name) => name === 'cluster' || name.startsWith('nats'),
);
const placeFlags = Object.fromEntries(
  [...placeSettings.map(flagOf), '--config'].map((flag) => [flag, 'VALUE']),
);
const ownFlags: Readonly<Record<DepotVerb, Readonly<Record<string, string>>>> = {
  push: { '--version': 'N', '--replace': '', '--json': '' },
  stored: { '--json': '' },
  remove: { '--version': 'N', '--json': '' },
  sweep: { '--json': '' },
};

type Flags = ReadonlyMap<string, string>;

interface Asked {
  readonly words: readonly string[];
  readonly flags: Flags;
  readonly config: Config;
}

/** What is to be printed. Throws a ConfigError for wrong use, another error where it can't be done. */
export async function depotText(
  verb: DepotVerb,
  args: readonly string[],
  environment: Environment,
): Promise<Said> {
  const { words, flags } = readArguments(`models ${verb}`, { ...ownFlags[verb], ...placeFlags }, args);
  if (words[0] !== verb) throw new ConfigError(`models ${words[0]} is not known; did you mean ${verb}?`);
  const asked = { words: words.slice(1), flags, config: placeOf(verb, flags, environment) };
  try {
    return await done(verb, asked);
  } catch (fault) {
    return refusedOf(fault, flags.has('--json'));
  }
}

async function done(verb: DepotVerb, asked: Asked): Promise<Said> {
  const { flags } = asked;
  switch (verb) {
    case 'push':
      return push(asked);
    case 'stored':
      nothingElse(verb, asked.words);
      return withDepot(asked.config, async (depot) => stored(await depot.list(), flags.has('--json')));
    case 'remove':
      return remove(asked);
    case 'sweep':
      nothingElse(verb, asked.words);
      return withDepot(asked.config, async (depot) => {
        const parts = await depot.sweep();
        return said(
          flags,
          { parts },
          parts === 0 ? 'nothing was left there' : `${count(parts, 'part')} taken out`,
        );
      });
  }
}

function placeOf(verb: DepotVerb, flags: Flags, environment: Environment): Config {
  const given = [...flags].filter(([flag]) => flag in placeFlags).flat();
  const { config } = loadConfig(given, environment);
  if (config.nats !== '') return config;
  throw new ConfigError(
    `models ${verb} is about the store of a cluster, which is in NATS: say where with ${flagOf('nats')} nats://host:port`,
  );
}

async function withDepot(config: Config, work: (depot: Depot) => Promise<Said>): Promise<Said> {
  const { connectNats } = await import('../../cluster/nats.js');
  const silent = { away: () => {}, back: () => {}, closed: () => {} };
  let connection: PartsConnection;
  let depot: Depot;
  try {
    connection = await connectNats(natsOptions(config, 'signalbox-models'), silent);
  } catch (fault) {
    throw unusable(config, fault);
  }
  try {
    depot = await Depot.open(connection, config.cluster).catch((fault: unknown) => {
      throw unusable(config, fault);
    });
    return await work(depot);
  } catch (fault) {
    if (!(fault instanceof StoreFault)) throw fault;
    const advice = adviceFor(fault.message);
    throw new SignalboxError(
      'STORE_UNREACHABLE',
      `the store of models in NATS at ${config.nats} can't be used: ${fault.message}${advice && `. ${advice}`}`,
    );
  } finally {
    await connection.close();
  }
}

function unusable(config: Config, fault: unknown): Error {
  if (fault instanceof ConfigError) return fault;
  return new SignalboxError('STORE_UNREACHABLE', unusableNats(config.nats, (fault as Error).message));
}

async function push({ words, flags, config }: Asked): Promise<Said> {
  const [folder, ...more] = words;
  if (folder === undefined)
    throw new ConfigError('models push needs the folder of a model: models push FOLDER');
  if (more.length > 0)
    throw new ConfigError(`models push takes one FOLDER; ${more.join(' ')} is one too many`);
  const versions = versionsIn(flags.get('--version'));
  const models = await modelsIn(resolve(folder));
  const wanted: Manifest[] = [];
  const unchosen = new Set<string>();
  for (const model of models) {
    const checked = await checkFolder(dirname(model), basename(model));
    if (checked.mistakes.length > 0) return broken(checked, flags.has('--json'));
    const there = checked.models.filter(({ state }) => state === 'available').map(({ version }) => version);
    for (const { name, version, state } of checked.models)
      if (state === 'unchosen') unchosen.add(`${name}:${version}`);
    for (const version of chosen(model, versions, there, models.length > 1))
      wanted.push(
        await manifestOf({ folder: model, model: basename(model), version, spread: spreadOf(model) }),
      );
  }
  if (wanted.length === 0) throw new Error(`${folder} has nothing to push`);
  return withDepot(config, async (depot) => {
    if (!flags.has('--replace')) await depot.refuseOthers(wanted);
    const pushed: Pushed[] = [];
    for (const manifest of wanted) {
      const home = models.find((model) => basename(model) === manifest.model) as string;
      const options = { mayReplace: flags.has('--replace'), sent: progressOf(manifest) };
      pushed.push(await depot.push(manifest, home, options).catch((fault) => halfway(pushed, fault)));
    }
    if (flags.has('--json')) return said(flags, pushed, '');
    const stays = (await depot.list())
      .map(({ key, manifest }) => nameOf(key, manifest))
      .filter((name) => unchosen.has(name));
    return said(flags, pushed, [...pushed.map(pushedLine), ...stays.map(staysLine)].join('\n'));
  });
}

/** Of several that are pushed those that came before a fault are in the store. */
function halfway(pushed: readonly Pushed[], fault: Error): never {
  const names = pushed.map(({ model, version }) => `${model}:${version}`).join(', ');
  if (names !== '') fault.message += `; ${names} came into the store before that`;
  throw fault;
}

/** What is in the store is served: its `versions` say only what is pushed. */
function staysLine(name: string): string {
  const [model, version] = name.split(':');
  return (
    `${name} stays in the store and is served, though config.yaml does not choose it any more; ` +
    `take it out with: models remove --version ${version} ${model}`
  );
}

function broken(checked: Check, asJson: boolean): Said {
  const said = 'nothing was pushed';
  if (!asJson) return { text: `${checkText(checked)}\n${said}`, isGood: false };
  const { mistakes } = checked;
  const found = mistakes.map(({ file, says }) => `${file}: ${says}`);
  return { text: refusalText('MODEL_INVALID', `${found.join('; ')}; ${said}`, { mistakes }), isGood: false };
}

function versionsIn(given: string | undefined): readonly string[] | undefined {
  if (given === undefined) return undefined;
  const versions = given.split(',');
  const amiss = versions.find((version) => !versionPattern.test(version));
  if (amiss === undefined) return versions;
  throw new ConfigError(
    `--version is ${JSON.stringify(given)}; wanted are numbers from 1, separated by commas`,
  );
}

/** The folder of one model, or all that lie in a folder of models. */
async function modelsIn(folder: string): Promise<string[]> {
  if (await isVersion(folder))
    throw new ConfigError(
      `${folder} is one version of a model: push ${dirname(folder)}, with --version ${basename(folder)} for it alone`,
    );
  if (await isModel(folder)) return [named(folder)];
  const models: string[] = [];
  for (const name of await namesIn(folder)) {
    const path = join(folder, name);
    if (!name.startsWith('.') && (await stat(path)).isDirectory() && (await isModel(path)))
      models.push(named(path));
  }
  if (models.length > 0) return models.sort();
  throw new ConfigError(
    `${folder} is no model and has none: a model has a ${configFile} or a version such as 1/${modelFile}`,
  );
}

/** One level too deep. */
async function isVersion(folder: string): Promise<boolean> {
  if (!versionPattern.test(basename(folder)) || !(await namesIn(folder)).includes(modelFile)) return false;
  return isModel(dirname(folder));
}

async function isModel(folder: string): Promise<boolean> {
  const signs = [configFile, modelFile];
  return (await namesIn(folder)).some((name) => signs.includes(name) || versionPattern.test(name));
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => {
    throw new ConfigError(`${folder} can't be read: wanted is the folder of a model, or a folder of models`);
  });
}

/** A model is called as its folder is. */
function named(folder: string): string {
  if (isModelName(basename(folder))) return folder;
  throw new ConfigError(
    `${folder} can't be pushed: its folder's name is the model's, which is ${modelNameWanted}; rename it`,
  );
}

function chosen(
  model: string,
  versions: readonly string[] | undefined,
  there: readonly string[],
  isOneOfMany: boolean,
): readonly string[] {
  if (versions === undefined) return there;
  const missing = versions.find((version) => !there.includes(version));
  if (missing === undefined) return versions;
  if (isOneOfMany) return versions.filter((version) => there.includes(version));
  throw new ConfigError(`${model} has no version ${missing} to serve; it has ${there.join(', ') || 'none'}`);
}

const largeBytes = 64 * 2 ** 20;

/** What takes long tells a person how far it is. */
function progressOf(manifest: Manifest): (sent: number) => void {
  const bytes = bytesOf(manifest);
  if (!isTerminal() || bytes < largeBytes) return () => {};
  let told = 0;
  return (sent) => {
    const tenth = Math.floor((10 * sent) / bytes);
    if (tenth > told)
      printError(`${manifest.model}:${manifest.version}: ${megabytes(sent)} of ${megabytes(bytes)} sent`);
    told = tenth;
  };
}

function pushedLine({ model, version, change, digest, bytes, parts, sentParts, sentBytes }: Pushed): string {
  const name = `${model}:${version}`;
  if (change === 'none') return `${name} is in the store already (${shortDigest(digest)}): nothing changed`;
  const sent =
    sentParts === parts
      ? `${megabytes(sentBytes)} sent${sentBytes < bytes ? ` for ${megabytes(bytes)}: parts that are alike go once` : ''}`
      : `${sentParts} of ${count(parts, 'part')} sent, ${megabytes(sentBytes)} of ${megabytes(bytes)}; the others were there`;
  return `${name} ${change === 'new' ? 'is in the store' : 'is replaced'} (${shortDigest(digest)}): ${sent}`;
}

async function remove({ words, flags, config }: Asked): Promise<Said> {
  const [model, ...more] = words;
  if (model === undefined)
    throw new ConfigError('models remove needs the name of a model: models remove NAME');
  if (more.length > 0)
    throw new ConfigError(`models remove takes one NAME; ${more.join(' ')} is one too many`);
  const [version = '', ...others] = versionsIn(flags.get('--version')) ?? [];
  if (others.length > 0) throw new ConfigError('models remove takes one --version, or none for all of them');
  return withDepot(config, async (depot) => {
    const { names, versions, unread, parts } = await depot.remove(model, version);
    const rest = unread === 0 ? '' : '; of which parts it was made nobody knows: models sweep takes them out';
    if (names.length > 0)
      return said(
        flags,
        { model, versions, parts },
        `${versions.length === 0 ? model : `${model}:${versions.join(', ')}`} is taken out of the store${rest}`,
      );
    const known = (await depot.list()).map(({ key, manifest }) => nameOf(key, manifest)).join(', ');
    const what = version === '' ? `model ${model}` : `version ${version} of ${model}`;
    throw new SignalboxError('MODEL_UNKNOWN', `the store has no ${what}; it has ${known || 'nothing'}`);
  });
}

function stored(kept: Awaited<ReturnType<Depot['list']>>, asJson: boolean): Said {
  const rows = kept.map(({ key, manifest }) => {
    if (typeof manifest === 'string') return { key, amiss: manifest };
    const { model, version, digest, files, spread } = manifest;
    return { model, version, digest, bytes: bytesOf(manifest), files: files.length, ...spread };
  });
  if (asJson) return { text: JSON.stringify(rows, null, 2), isGood: true };
  const lines = kept.map(({ key, manifest }) =>
    typeof manifest === 'string' ? wayOut(key, manifest) : storedLine(key, manifest),
  );
  return { text: lines.join('\n') || 'the store has no models', isGood: true };
}

function storedLine(key: string, manifest: Manifest): string {
  const { digest, spread, files } = manifest;
  const where = [
    spread.replicas === 0 ? 'on every node' : `on ${count(spread.replicas, 'node')}`,
    ...(spread.needs.length === 0 ? [] : [`with ${spread.needs.join(', ')}`]),
  ];
  const size = `${count(files.length, 'file')}, ${megabytes(bytesOf(manifest))}`;
  return `${nameOf(key, manifest)}  ${shortDigest(digest)}  ${size}  ${where.join(' ')}`;
}

/** By which it can be taken out, also where it can't be read. */
function nameOf(key: string, manifest: Manifest | string): string {
  const of = typeof manifest === 'string' ? ofKey(key) : manifest;
  return of === undefined ? key : `${of.model}:${of.version}`;
}

function nothingElse(verb: DepotVerb, words: readonly string[]): void {
  if (words.length > 0)
    throw new ConfigError(`models ${verb} takes no words; ${words.join(' ')} is too many`);
}

function said(flags: Flags, told: unknown, text: string): Said {
  return { text: flags.has('--json') ? JSON.stringify(told, null, 2) : text, isGood: true };
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

function megabytes(bytes: number): string {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
