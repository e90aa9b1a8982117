// Asks the REST door of a running node, for commands: where that is, and a sentence for every way in which it may not answer.
import { isErrorCode, SignalboxError } from '../proto/errors.js';
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
  return `http://${environment.SIGNALBOX_HOST ?? settings.host.fallback}:${port}`;
}

/** Whoever answers to HTTP with something else, or hangs up. */
const noHttp = /^HPE_|^UND_ERR_SOCKET$|^ECONNRESET$/;

/** With `body` it is a POST. Throws a sentence where there is no good answer. */
export async function ask(url: string, base: string, body?: string): Promise<unknown> {
  let text: string;
  let isGood: boolean;
  let code: string | null;
  try {
    const answer = await fetch(url, body === undefined ? {} : { method: 'POST', body });
    isGood = answer.ok;
    code = answer.headers.get('signalbox-code');
    text = await answer.text();
  } catch (fault) {
    const cause = (fault as { cause?: { code?: string; message?: string } }).cause;
    if (cause?.code !== undefined && noHttp.test(cause.code)) {
      throw new Error(`something answers at ${base} but does not speak HTTP: is it the gRPC port?`);
    }
    throw new SignalboxError(
      'NODE_UNREACHABLE',
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
  const { error = `what answers at ${base} refused without a reason` } = told as { error?: string };
  throw isErrorCode(code) ? new SignalboxError(code, error) : new Error(error);
}
