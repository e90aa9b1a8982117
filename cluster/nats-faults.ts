// What NATS says of a fault, as sentences for people: the library throws codes, and words of its own.

import { StoreFault } from './store.js';

/** As far as it is looked at. */
interface Fault {
  readonly code?: string;
  readonly message?: string;
  readonly chainedError?: Error;
  readonly api_error?: { readonly err_code: number; readonly description: string };
}

/** err_codes of JetStream: the entry is not at the revision that was expected. */
const wrongRevision = [10071, 10164];
/** No server has the room, or none has it for this account. */
const noRoom = [10002, 10023, 10047];
const full =
  'it is full: give NATS more room for files (max_file_store, or the limits of the account), or take out what is not needed ' +
  'any more (node runtime models remove, or sweep)';
const forbidden = /Permissions Violation for (\w+) to "([^"]*)"/i;

export async function inSentences<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (fault) {
    throw new StoreFault(sentenceOf(fault), { cause: fault });
  }
}

export function unlessChanged<T>(ask: () => Promise<T>): Promise<T | undefined> {
  return inSentences(async () => {
    try {
      return await ask();
    } catch (fault) {
      if (wrongRevision.includes(codeOf(fault) ?? 0)) return undefined;
      throw fault;
    }
  });
}

export function codeOf(fault: unknown): number | undefined {
  return (fault as Fault | undefined)?.api_error?.err_code;
}

export function notInTime(): Error {
  return Object.assign(new Error('not in time'), { code: 'TIMEOUT' });
}

/** These credentials will never do. */
export function isForbidden(fault: unknown): boolean {
  return forbidden.test((fault as Fault | undefined)?.message ?? '');
}

const unsigned = 'its certificate is signed by nobody whom this node trusts in certificates';

const sentences: Readonly<Record<string, string>> = {
  CONNECTION_REFUSED: 'nobody listens there',
  CONNECTION_CLOSED: 'the connection to NATS was closed',
  TIMEOUT: 'it does not answer in time',
  AUTHORIZATION_VIOLATION: 'it refuses the credentials, or wants some',
  AUTHENTICATION_EXPIRED: 'the credentials have expired',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unsigned,
  SELF_SIGNED_CERT_IN_CHAIN: unsigned,
  DEPTH_ZERO_SELF_SIGNED_CERT: unsigned,
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another address than this one',
  SERVER_OPT_NA: 'it speaks no TLS, which this node asks for',
  BAD_CREDS: 'what was given as a credentials file is no credentials file',
  '503': 'JetStream does not answer: it is not enabled there, or has no leader now',
};

export function sentenceOf(fault: unknown): string {
  const { code, message, chainedError, api_error } = fault as Fault;
  if (noRoom.includes(api_error?.err_code ?? 0)) return full;
  if (api_error?.description !== undefined) return api_error.description;
  const known = sentences[code ?? ''];
  if (known !== undefined) return known;
  const [, what, subject] = forbidden.exec(message ?? '') ?? [];
  if (what !== undefined) {
    return `these credentials may not ${what === 'Publish' ? 'publish' : 'subscribe'} to ${subject}`;
  }
  if (code?.startsWith('nkeys:')) return 'what was given as the seed of an nkey is none';
  return [message ?? String(fault), chainedError?.message].filter((part) => part).join(': ');
}
