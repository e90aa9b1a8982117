// `node runtime jobs`: asks a running node for its latest jobs, or for one of them, and prints what became of them.
import { parseJobId } from '../../proto/ids.js';
import { ask, baseUrl, type Environment } from '../ask.js';
import { ConfigError } from '../config/load.js';
import { settings } from '../config/schema.js';
import type { JobList, JobView } from '../doors/jobs.js';
import { readArguments } from '../flags.js';
import { listText, storyText } from './story.js';

interface Asked {
  /** Undefined: the list. */
  readonly id: string | undefined;
  readonly flags: ReadonlyMap<string, string>;
}

/** With the values that they take; empty for none. */
const flags: Readonly<Record<string, string>> = {
  '--last': 'N',
  '--failed': '',
  '--model': 'NAME',
  '--json': '',
  '--url': 'URL',
  '--http-port': 'PORT',
  '--help': '',
};
const ofListAlone = ['--last', '--failed', '--model'];

export const jobsHelp = `Usage: node runtime jobs [--last N] [--failed] [--model NAME] [--json]
       node runtime jobs show ID [--json]

Prints what became of the latest jobs of a running node: how each ended, with its code and its sentence, and the path
that led there with times. An ID is one as errors and logs have it, such as node.k3f9x2/2a; the part behind the / will do.

  --last N                 How many of those that ended, and of those that live. [20]
  --failed                 Only those that ended otherwise than well.
  --model NAME             Only those of one model, or of one version: NAME:VERSION.
  --json                   As JSON, for programs.
  --url URL                The REST door of the node. [http://127.0.0.1:${settings.httpPort.fallback}]
  --http-port PORT         The same on this machine, by its port (SIGNALBOX_HTTP_PORT).`;

/** What is to be printed. Throws a ConfigError for wrong use, another error where the node has no good answer. */
export async function jobsText(args: readonly string[], environment: Environment): Promise<string> {
  const { id, flags: given } = read(args);
  if (given.has('--help')) return jobsHelp;
  const base = baseUrl(given, environment);
  const answer = await ask(
    `${base}/v2/signalbox/jobs${id === undefined ? query(given) : `/${pathOf(id)}`}`,
    base,
  );
  if (given.has('--json')) return JSON.stringify(answer, null, 2);
  return id === undefined ? listText(answer as JobList) : storyText(answer as JobView);
}

function read(args: readonly string[]): Asked {
  const { words, flags: given } = readArguments('jobs', flags, args);
  return { id: given.has('--help') ? undefined : idOf(words, given), flags: given };
}

function idOf(words: readonly string[], given: ReadonlyMap<string, string>): string | undefined {
  const [verb, id, ...more] = words;
  if (verb === undefined) return undefined;
  if (verb !== 'show') {
    throw new ConfigError(`jobs ${verb} is not known; there are \`jobs\` with flags and \`jobs show ID\``);
  }
  if (id === undefined) throw new ConfigError('jobs show needs the id of a job: jobs show ID');
  if (more.length > 0) throw new ConfigError(`jobs show takes one id; ${more.join(' ')} is one too many`);
  const misplaced = ofListAlone.find((flag) => given.has(flag));
  if (misplaced !== undefined)
    throw new ConfigError(`${misplaced} is for the list of jobs, not for jobs show`);
  if (parseJobId(id) === undefined)
    throw new Error(`no job has the id ${id}: ids look like router/number, such as node.k3f9x2/2a`);
  return id;
}

function query(given: ReadonlyMap<string, string>): string {
  const asked = new URLSearchParams();
  const last = given.get('--last');
  if (last !== undefined) {
    if (!/^[1-9]\d{0,3}$|^10000$/.test(last)) {
      throw new ConfigError(`--last is ${JSON.stringify(last)}; allowed is a whole number from 1 to 10000`);
    }
    asked.set('last', last);
  }
  if (given.has('--failed')) asked.set('failed', '1');
  const model = given.get('--model');
  if (model !== undefined) asked.set('model', model);
  return asked.size === 0 ? '' : `?${asked}`;
}

function pathOf(id: string): string {
  return id.split('/').map(encodeURIComponent).join('/');
}
