// Asks the REST door of a running node, for commands: where that is, and a sentence for every way in which it may not answer.
import { isErrorCode, SignalboxError } from '../proto/errors.js';
import { after } from './clock.js';
import { ConfigError } from './config/load.js';
import { settings } from './config/schema.js';
import { readAddress } from './flags.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where the door is, from `--url` or `--http-port`. */
export function baseUrl(given: ReadonlyMap<string, string>, environment: Environment): string {
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
  const host = environment.SIGNALBOX_HOST || settings.host.fallback;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Whoever answers to HTTP with something else, or hangs up. */
const noHttp = /^HPE_|^UND_ERR_SOCKET$|^ECONNRESET$/;

/** What is only told, and orders that are only given, take a node that lives far less, however busy it is. */
const answerMs = 15_000;
/** A node that reads a model again may try what its steps import, each for `loadLongestMs`. */
export const loadAnswerMs = 300_000;

/** With `body` it is a POST. Throws a sentence where there is no good answer, or none in time. */
export async function ask(url: string, base: string, body?: string, withinMs = answerMs): Promise<unknown> {
  let text: string;
  let isGood: boolean;
  let code: string | null;
  const late = new AbortController();
  const timer = after(withinMs, () => late.abort());
  try {
    const { signal } = late;
    const answer = await fetch(url, body === undefined ? { signal } : { method: 'POST', body, signal });
    isGood = answer.ok;
    code = answer.headers.get('signalbox-code');
    text = await answer.text();
  } catch (fault) {
    if (late.signal.aborted)
      throw new SignalboxError(
        'NODE_UNREACHABLE',
        `what listens at ${base} has not answered for ${withinMs / 1000} s: the node there is stopped or far too busy, or is ` +
          'no node; look at its log, or ask another node with --url or --http-port',
      );
    const cause = (fault as { cause?: { code?: string; message?: string } }).cause;
    if (cause?.code !== undefined && noHttp.test(cause.code)) {
      throw new Error(`something answers at ${base} but does not speak HTTP: is it the gRPC port?`);
    }
    throw new SignalboxError(
      'NODE_UNREACHABLE',
      `nobody answers at ${base} (${cause?.code ?? cause?.message ?? (fault as Error).message}): is a node with a router ` +
        'running there? Start one with `npm start`, or say where it is with --url or --http-port',
    );
  } finally {
    timer.cancel();
  }
  let told: unknown;
  try {
    told = JSON.parse(text);
  } catch {
    throw new Error(`what answers at ${base} is no node of Signalbox: it sent no JSON`);
  }
  if (isGood) return told;
  const { error = `what answers at ${base} refused without a reason` } = told as { error?: string };
  throw isErrorCode(code) ? new SignalboxError(code, error) : new Error(error);
}
