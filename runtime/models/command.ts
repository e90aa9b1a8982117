// `node runtime models`: looks after a folder of models.
import { ConfigError } from '../config/load.js';
import { readArguments } from '../flags.js';
import { nearest } from '../nearest.js';
import { checkFolder, checkText } from './check.js';

export const modelsHelp = `Usage: node runtime models check FOLDER [--json]

check: finds every mistake in a folder of models without starting anything: a line for each, with the model, its version, the file
and the key. Ends with 0 where there is none, with 1 where there are some.

  --json                   As JSON, for programs.`;

const verbs = ['check'] as const;

export interface Said {
  readonly text: string;
  /** Whether the command ends with 0. */
  readonly isGood: boolean;
}

/** What is to be printed. Throws a ConfigError for wrong use. */
export async function modelsText(args: readonly string[]): Promise<Said> {
  const { words, flags } = readArguments('models', { '--json': '', '--help': '' }, args);
  if (flags.has('--help')) return { text: modelsHelp, isGood: true };
  const [verb, ...rest] = words;
  if (verb === 'check') return check(rest, flags.has('--json'));
  const near = verb === undefined ? undefined : nearest(verb, verbs);
  const hint = near === undefined ? `there is ${verbs.join(', ')}` : `did you mean ${near}?`;
  throw new ConfigError(`models ${verb === undefined ? 'needs a verb' : `${verb} is not known`}; ${hint}`);
}

async function check(words: readonly string[], asJson: boolean): Promise<Said> {
  const [folder, ...more] = words;
  if (folder === undefined)
    throw new ConfigError('models check needs the folder of models: models check FOLDER');
  if (more.length > 0)
    throw new ConfigError(`models check takes one folder; ${more.join(' ')} is one too many`);
  const found = await checkFolder(folder);
  const text = asJson ? JSON.stringify(found, null, 2) : checkText(found);
  return { text, isGood: found.mistakes.length === 0 };
}
