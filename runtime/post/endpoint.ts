// Where a member listens: the two kinds of endpoints, what makes one unusable, and whether somebody is there already.
// libzmq takes a unix socket away from its owner without a word, so that must be found out before it is asked.
import { lstat, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { pause } from '../clock.js';
import { makeFolder } from '../folder.js';

export type Endpoint =
  | { readonly kind: 'ipc'; readonly path: string }
  /** The key of whoever is there; empty where it has none. */
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly key: string };

/** The kernel's bound for the path of a unix socket, without its final zero. */
const pathBytesMax = 107;
const knocksMax = 4;
const knockPauseMs = 15;

/** The parsed endpoint, or the sentence that says why it is none. */
export function parseEndpoint(endpoint: string): Endpoint | string {
  if (endpoint.startsWith('ipc://')) {
    const path = endpoint.slice(6);
    if (!path.startsWith('/'))
      return `the endpoint ${endpoint} has no absolute path: write ipc:///folder/name`;
    const length = Buffer.byteLength(path);
    if (length <= pathBytesMax) return { kind: 'ipc', path };
    return `the endpoint ${endpoint} has a path of ${length} bytes, a unix socket takes ${pathBytesMax}: use a shorter folder`;
  }
  const [, key = '', host, digits] =
    /^tcp:\/\/(?:([0-9a-f]{64})@)?(\[[0-9a-fA-F:.]+\]|[^\s:/[\]@]+):(\d{1,5})$/.exec(endpoint) ?? [];
  const port = Number(digits);
  if (host === undefined || port > 65_535) {
    return `the endpoint ${endpoint} is none: write tcp://host:port or ipc:///folder/name, with keys tcp://key@host:port`;
  }
  return { kind: 'tcp', host, port, key };
}

/** Of a tcp endpoint, with the key of whoever listens there. */
export function withKey(endpoint: string, key: string | undefined): string {
  return key === undefined ? endpoint : endpoint.replace(/^tcp:\/\/(?!.*@)/, `tcp://${key}@`);
}

export function withoutKey(endpoint: string): string {
  return endpoint.replace(/^tcp:\/\/[^@]*@/, 'tcp://');
}

/** Empty where it names none. */
export function keyIn(endpoint: string): string {
  const place = parseEndpoint(endpoint);
  return typeof place === 'object' && place.kind === 'tcp' ? place.key : '';
}

/** Makes way for a socket at the path: creates its folder for this user alone and clears away what a dead owner left. */
export async function clearPath(path: string): Promise<void> {
  await makeFolder(dirname(path), 0o700);
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket())
    throw new Error(`the endpoint ipc://${path} can't be had: a file of another kind is there`);
  const answer = await knockUntilSilent(path);
  if (answer === 'ECONNREFUSED' || answer === 'ENOENT') return rm(path, { force: true });
  const why = answer === 'answered' ? 'another process listens there' : `the system says ${answer}`;
  throw new Error(
    `the endpoint ipc://${path} is in use: ${why}. If that is a node of yours, add workers to it with --role worker, ` +
      'or start another apart from it with --cluster NAME; else choose another path with --endpoint',
  );
}

/** To be called while the socket still listens: afterwards the path may be another's. */
export async function leavePath(path: string): Promise<void> {
  await rm(path, { force: true });
}

/** A killed owner's socket still answers for a moment, while the system buries the rest of it. */
async function knockUntilSilent(path: string): Promise<string> {
  for (let time = 1; ; time++) {
    const answer = await knock(path);
    if (answer !== 'answered' || time === knocksMax) return answer;
    await pause(knockPauseMs);
  }
}

function knock(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const finish = (answer: string): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => finish('answered'));
    socket.once('error', (error: NodeJS.ErrnoException) => finish(error.code ?? error.message));
  });
}
