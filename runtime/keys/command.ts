// `node runtime keys`: makes the key of a node, and keeps the list of those that it trusts. Works on files alone.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Environment } from '../ask.js';
import { ConfigError } from '../config/load.js';
import { ownKeysFolder } from '../config/places.js';
import { environmentOf } from '../config/schema.js';
import { readArguments } from '../flags.js';
import { makeFolderNow } from '../folder.js';
import { nearest } from '../nearest.js';
import { trustedName } from './keeper.js';
import { isKey, keyWanted, makePair, readPair, writePair } from './pair.js';
import { addTrusted, isName, nameWanted, readTrusted, removeTrusted } from './trusted.js';

const keyName = 'node.key';

export const keysHelp = `Usage: node runtime keys new [--out FOLDER] [--force]
       node runtime keys show [--key-file FILE]
       node runtime keys trust PUBLIC_KEY [--name NAME] [--trust-file FILE]
       node runtime keys untrust PUBLIC_KEY|NAME [--trust-file FILE]
       node runtime keys list [--trust-file FILE] [--json]

Nodes with keys talk over tcp to each other alone, encrypted, and only to those whose public keys they list.

new: makes the key of a node, in FOLDER/${keyName}, for its owner's eyes only, and prints the public key. One that is
there already is left alone, unless it is to be replaced (--force).
show: prints the public key again.
trust, untrust: puts a public key on the list, or takes it off; nodes that run with that list follow at once.
list: whom it has.

Without --key-file and --trust-file they take those of ${environmentOf('keyFile')} and ${environmentOf('trustFile')}, or
${keyName} and ${trustedName} in the folder signalbox of the user's configuration (~/.config), where new puts them too.`;

const verbs = ['new', 'show', 'trust', 'untrust', 'list'] as const;
type Verb = (typeof verbs)[number];

const taken: Readonly<Record<Verb, { readonly flags: readonly string[]; readonly word: string }>> = {
  new: { flags: ['--out', '--force'], word: '' },
  show: { flags: ['--key-file'], word: '' },
  trust: { flags: ['--name', '--trust-file'], word: 'a public key' },
  untrust: { flags: ['--trust-file'], word: 'a public key or a name' },
  list: { flags: ['--trust-file', '--json'], word: '' },
};
const flags = {
  '--out': 'FOLDER',
  '--force': '',
  '--key-file': 'FILE',
  '--trust-file': 'FILE',
  '--name': 'NAME',
  '--json': '',
  '--help': '',
};

interface Given {
  readonly word: string;
  readonly flags: ReadonlyMap<string, string>;
  readonly keyFile: string;
  readonly trustFile: string;
}

/** What is to be printed. Throws a ConfigError for wrong use, another error where the files do not allow it. */
export function keysText(args: readonly string[], environment: Environment): string {
  const { words, flags: given } = readArguments('keys', flags, args);
  if (given.has('--help')) return keysHelp;
  const verb = verbOf(words[0]);
  const stray = [...given.keys()].find((flag) => !taken[verb].flags.includes(flag));
  if (stray !== undefined) throw new ConfigError(`keys ${verb} takes no ${stray}`);
  const { word } = taken[verb];
  if (word !== '' && words.length < 2) throw new ConfigError(`keys ${verb} needs ${word}`);
  const most = word === '' ? 1 : 2;
  if (words.length > most) {
    const many = words.slice(most).join(' ');
    throw new ConfigError(`keys ${verb} takes ${word === '' ? 'no words' : 'one word'}; ${many} is too many`);
  }
  const keyFile =
    given.get('--key-file') ?? (environment[environmentOf('keyFile')] || join(ownKeysFolder(), keyName));
  const trustFile =
    given.get('--trust-file') ??
    (environment[environmentOf('trustFile')] || join(dirname(keyFile), trustedName));
  return texts[verb]({ word: words[1] ?? '', flags: given, keyFile, trustFile });
}

const texts: Readonly<Record<Verb, (given: Given) => string>> = { new: made, show, trust, untrust, list };

function verbOf(verb: string | undefined): Verb {
  const known = verbs.find((one) => one === verb);
  if (known !== undefined) return known;
  const near = verb === undefined ? undefined : nearest(verb, verbs);
  const hint = near === undefined ? `there are ${verbs.join(', ')}` : `did you mean ${near}?`;
  throw new ConfigError(`keys ${verb === undefined ? 'needs a verb' : `${verb} is not known`}; ${hint}`);
}

function made({ flags: given }: Given): string {
  const file = join(given.get('--out') ?? ownKeysFolder(), keyName);
  if (existsSync(file) && !given.has('--force')) {
    throw new Error(
      `${file} is there already: whoever trusts it would not know the new one. ` +
        'Choose another folder with --out, or replace it with --force',
    );
  }
  const pair = makePair();
  makeFolderNow(dirname(file), 0o700);
  inSentences(file, () => writePair(file, pair, given.has('--force')));
  return [
    `public key  ${pair.publicKey}`,
    `secret key  ${file}: for --key-file of this node, and for nobody else`,
    'Have each node that is to talk to this one trust the public key: node runtime keys trust PUBLIC_KEY --name NAME',
  ].join('\n');
}

function show({ keyFile }: Given): string {
  return inSentences(keyFile, () => readPair(keyFile).publicKey);
}

function trust({ word, flags: given, keyFile, trustFile }: Given): string {
  const name = given.get('--name') ?? '';
  if (!isKey(word)) throw new ConfigError(notKey(word));
  if (name !== '' && !isName(name)) {
    throw new ConfigError(`--name is ${JSON.stringify(name)}; allowed is ${nameWanted}`);
  }
  if (existsSync(keyFile) && readFileSync(keyFile, 'utf8').split('\n').includes(word)) {
    throw new ConfigError(
      'that is the secret key of this node: show it nobody, and trust the public ones of others',
    );
  }
  inSentences(trustFile, () => addTrusted(trustFile, { key: word, name }));
  return `trusted: ${word}${name === '' ? '' : ` (${name})`}, in ${trustFile}`;
}

function untrust({ word, trustFile }: Given): string {
  const { key, name } = inSentences(trustFile, () => removeTrusted(trustFile, word));
  return `not trusted any more: ${key}${name === '' ? '' : ` (${name})`}, in ${trustFile}`;
}

/** Where a list was named there is to be one; of a node that trusts nobody yet there is none. */
function list({ flags: given, trustFile }: Given): string {
  if (given.has('--trust-file') && !existsSync(trustFile)) {
    throw new ConfigError(
      `--trust-file ${trustFile} is not there; keys trust PUBLIC_KEY --trust-file ${trustFile} begins such a list`,
    );
  }
  const trusted = inSentences(trustFile, () => readTrusted(trustFile));
  if (given.has('--json')) return JSON.stringify(trusted, null, 2);
  if (trusted.length === 0) return `nobody is trusted in ${trustFile}`;
  return trusted.map(({ key, name }) => `${key}  ${name}`.trimEnd()).join('\n');
}

function notKey(word: string): string {
  const hint = isKey(word.toLowerCase()) ? ', in small letters' : ` (it has ${word.length} characters)`;
  return `${JSON.stringify(word.slice(0, 80))} is no public key: wanted are ${keyWanted}${hint}`;
}

function inSentences<T>(file: string, run: () => T): T {
  try {
    return run();
  } catch (fault) {
    const { code, message } = fault as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new Error(`${file} is not there`);
    throw new Error(`${file}: ${message}`);
  }
}
