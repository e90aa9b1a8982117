// `node runtime jobs`: asks a running node for its latest jobs, or for one of them, and prints what became of them.
import { parseJobId } from '../../proto/ids.js';
import { ConfigError } from '../config/load.js';
import { settings } from '../config/schema.js';
import type { JobList, JobView } from '../doors/jobs.js';
import { readAddress, readArguments } from '../flags.js';
import { listText, storyText } from './story.js';

type Environment = Readonly<Record<string, string | undefined>>;

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

function baseUrl(given: ReadonlyMap<string, string>, environment: Environment): string {
  const url = given.get('--url');
  if (url !== undefined) {
    if (given.has('--http-port'))
      throw new ConfigError('--url and --http-port say the same: wanted is one of them');
    return readAddress('--url', url);
  }
  const [from, text] = given.has('--http-port')
    ? ['--http-port', given.get('--http-port')]
    : ['environment variable SIGNALBOX_HTTP_PORT', environment.SIGNALBOX_HTTP_PORT];
  const port = text === undefined ? settings.httpPort.fallback : settings.httpPort.read(text);
  if (port === undefined || port === 0) {
    throw new ConfigError(`${from} is ${JSON.stringify(text)}; allowed is a whole number from 1 to 65535`);
  }
  return `http://${environment.SIGNALBOX_HOST ?? settings.host.fallback}:${port}`;
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

/** Whoever answers to HTTP with something else, or hangs up. */
const noHttp = /^HPE_|^UND_ERR_SOCKET$|^ECONNRESET$/;

async function ask(url: string, base: string): Promise<unknown> {
  let text: string;
  let isGood: boolean;
  try {
    const answer = await fetch(url);
    isGood = answer.ok;
    text = await answer.text();
  } catch (fault) {
    const cause = (fault as { cause?: { code?: string; message?: string } }).cause;
    if (cause?.code !== undefined && noHttp.test(cause.code)) {
      throw new Error(`something answers at ${base} but does not speak HTTP: is it the gRPC port?`);
    }
    throw new Error(
      `nobody answers at ${base} (${cause?.code ?? cause?.message ?? (fault as Error).message}): is a node with a router ` +
        'running there? Start one with `npm start`, or say where it is with --url or --http-port',
    );
  }
  let told: unknown;
  try {
    told = JSON.parse(text);
  } catch {
    throw new Error(`what answers at ${base} is no node of Signalbox: it sent no JSON`);
  }
  if (isGood) return told;
  throw new Error((told as { error?: string }).error ?? `what answers at ${base} refused without a reason`);
}
