// `node runtime models`: looks after a folder of models, and has a running node load and unload them.
import { ask, baseUrl, type Environment, loadAnswerMs } from '../ask.js';
import { ConfigError } from '../config/load.js';
import { settings } from '../config/schema.js';
import { depotVerbs } from '../distribution/verbs.js';
import type { Whereabouts } from '../doors/whereabouts.js';
import { readArguments } from '../flags.js';
import { nearest } from '../nearest.js';
import { refusedOf } from '../refusal.js';
import { checkFolder, checkText } from './check.js';

export const modelsHelp = `Usage: node runtime models check FOLDER [--json]
       node runtime models list [--json]
       node runtime models load NAME
       node runtime models unload NAME
       node runtime models push FOLDER [--version N,N] [--replace] [--json]
       node runtime models stored [--json]
       node runtime models remove NAME [--version N] [--json]
       node runtime models sweep [--json]

check: finds every mistake in a folder of models without starting anything: a line for each, with the model, its version,
the file and the key. Ends with 0 where there is none, with 1 where there are some.
list: the models of a running node, with what they run on and what is amiss.
load: has a running node read the folder of a model again. What is new or has changed takes over once workers have it ready;
what served before serves until then, and goes on where the new can't be loaded.
unload: takes a model away from a running node: nothing new gets to it, what it has is still run.
push: puts a model into the store of a cluster, from where its nodes fetch it: all of its versions that config.yaml chooses, or
those of them that are named. Parts that are there are not sent again. FOLDER is a model's folder, or a folder of models.
stored: what the store has.
remove: takes a model out of the store, or one version of it: nodes let it go without failing a request.
sweep: takes out of the store what pushes have left there that never came to an end.

  --json                   As JSON, for programs.
  --nats URL, --cluster NAME and the other --nats-... settings of nodes, also from their environment and --config: where
                           the store is, for push, stored, remove and sweep.
  --version N,N            For push and remove: only these versions.
  --replace                For push: a version that the store has with other content gets this one.
  --url URL                The REST door of the node. [http://127.0.0.1:${settings.httpPort.fallback}]
  --http-port PORT         The same on this machine, by its port (SIGNALBOX_HTTP_PORT).`;

const ownVerbs = ['check', 'list', 'load', 'unload'] as const;
const verbs = [...ownVerbs, ...depotVerbs];
const flags = { '--json': '', '--url': 'URL', '--http-port': 'PORT', '--help': '' };

type Flags = ReadonlyMap<string, string>;

export interface Said {
  readonly text: string;
  /** Whether the command ends with 0. */
  readonly isGood: boolean;
}

interface Listed {
  readonly name: string;
  readonly version: string;
  readonly state: string;
  readonly reason: string;
  readonly runs_on?: string;
  readonly workers?: number;
  readonly memory_mb?: number;
  readonly content?: string;
  readonly nodes?: readonly Whereabouts[];
}

/** What is to be printed. Throws a ConfigError for wrong use, another error where the node has no good answer. */
export async function modelsText(args: readonly string[], environment: Environment): Promise<Said> {
  // Flags may stand before it, and their values.
  const named = args.find((word) => verbs.some((one) => one === word));
  const asked = depotVerbs.find((one) => one === named);
  if (asked !== undefined && !args.includes('--help') && !args.includes('-h')) {
    const { depotText } = await import('../distribution/command.js');
    return depotText(asked, args, environment);
  }
  const { words, flags: given } = readArguments('models', flags, args);
  if (given.has('--help')) return { text: modelsHelp, isGood: true };
  try {
    return await done(words, given, environment);
  } catch (fault) {
    return refusedOf(fault, given.has('--json'));
  }
}

async function done(
  [verb, ...rest]: readonly string[],
  given: Flags,
  environment: Environment,
): Promise<Said> {
  switch (verb) {
    case 'check':
      return check(only('check', 'folder of models', 'FOLDER', rest), given.has('--json'));
    case 'list':
      if (rest.length > 0) throw new ConfigError(`models list takes no words; ${rest.join(' ')} is too many`);
      return list(given, environment);
    case 'load':
    case 'unload':
      return act(verb, only(verb, 'name of a model', 'NAME', rest), given, environment);
    default: {
      const near = verb === undefined ? undefined : nearest(verb, verbs);
      const hint = near === undefined ? `there are ${verbs.join(', ')}` : `did you mean ${near}?`;
      throw new ConfigError(
        `models ${verb === undefined ? 'needs a verb' : `${verb} is not known`}; ${hint}`,
      );
    }
  }
}

function only(verb: string, what: string, word: string, [first, ...more]: readonly string[]): string {
  if (first === undefined) throw new ConfigError(`models ${verb} needs the ${what}: models ${verb} ${word}`);
  if (more.length > 0)
    throw new ConfigError(`models ${verb} takes one ${word}; ${more.join(' ')} is one too many`);
  return first;
}

async function check(folder: string, asJson: boolean): Promise<Said> {
  const found = await checkFolder(folder);
  const text = asJson ? JSON.stringify(found, null, 2) : checkText(found);
  return { text, isGood: found.mistakes.length === 0 };
}

async function list(given: Flags, environment: Environment): Promise<Said> {
  const base = baseUrl(given, environment);
  const models = (await ask(`${base}/v2/repository/index`, base, '{}')) as Listed[];
  const text = given.has('--json')
    ? JSON.stringify(models, null, 2)
    : tableOf(models, (model) => placeOf(model) + nodesOf(model));
  return { text, isGood: true };
}

const stateWords: Readonly<Record<string, string>> = {
  own: 'of their own at',
  ready: 'ready at',
  fetching: 'on its way to',
  loading: 'being loaded at',
  failed: 'failed at',
};

/** What it takes where it is. */
function placeOf({ workers = 0, memory_mb: memoryMb = 0 }: Listed): string {
  return workers > 0 && memoryMb > 0 ? `, about ${memoryMb} MB in each` : '';
}

/** Who has it, and how far they are: those that have the same in the same state together. */
function nodesOf({ content, nodes = [] }: Listed): string {
  const groups = new Map<string, string[]>();
  for (const { node, state, content: other, reason } of nodes) {
    const differs = other === undefined || other === content ? '' : `, as ${other}`;
    const what = `${stateWords[state] ?? state}${differs}${reason === undefined ? '' : ` (${reason})`}`;
    groups.set(what, [...(groups.get(what) ?? []), node]);
  }
  const told = [...groups].map(([what, who]) => `${what} ${who.join(', ')}`).join('; ');
  return `${told && `; ${told}`}${content === undefined ? '' : ` [${content}]`}`;
}

function tableOf(models: readonly Listed[], more: (model: Listed) => string = () => ''): string {
  if (models.length === 0) return 'no models';
  const names = models.map(({ name, version }) => `${name}:${version}`);
  const width = Math.max(...names.map((name) => name.length));
  return models
    .map((model, at) => {
      const { state, reason, runs_on: place = '' } = model;
      const line = `${(names[at] as string).padEnd(width)}  ${state}${place && ` on ${place}`}${more(model)}`;
      return reason === '' ? line : `${line}: ${reason}`;
    })
    .join('\n');
}

async function act(
  verb: 'load' | 'unload',
  name: string,
  given: Flags,
  environment: Environment,
): Promise<Said> {
  const base = baseUrl(given, environment);
  await ask(`${base}/v2/repository/models/${encodeURIComponent(name)}/${verb}`, base, '{}', loadAnswerMs);
  if (verb === 'unload') return { text: `${name} is unloaded`, isGood: true };
  const models = (await ask(`${base}/v2/repository/index`, base, '{}')) as Listed[];
  return { text: tableOf(models.filter((model) => model.name === name)), isGood: true };
}
