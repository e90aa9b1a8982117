// Links that are encrypted and only for those whose keys are listed (CURVE of ZeroMQ): what its sockets are told of keys,
// and why a member at an address can't be called as things are.
import type { KeyPair } from '../keys/pair.js';
import type { KeyRing, Refusal, Turned } from '../keys/ring.js';
import { type Endpoint, withoutKey } from './endpoint.js';
import { whoElse } from './owned.js';
import type { LinkId } from './transport.js';

export interface ServerKeys {
  readonly curveServer: true;
  readonly curveSecretKey: string;
}

export interface ClientKeys {
  readonly curvePublicKey: string;
  readonly curveSecretKey: string;
  readonly curveServerKey: string;
}

const digits = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#';

export function serverKeys(place: Endpoint, pair: KeyPair | undefined): ServerKeys | undefined {
  if (place.kind !== 'tcp' || pair === undefined) return undefined;
  return { curveServer: true, curveSecretKey: z85(pair.secretKey) };
}

export function clientKeys(place: Endpoint, pair: KeyPair | undefined): ClientKeys | undefined {
  if (place.kind !== 'tcp' || pair === undefined || place.key === '') return undefined;
  const { publicKey, secretKey } = pair;
  return {
    curvePublicKey: z85(publicKey),
    curveSecretKey: z85(secretKey),
    curveServerKey: z85(place.key),
  };
}

/** Why nobody is to be called there; nothing when it may be tried. */
export function barred(place: Endpoint, ring: KeyRing | undefined): Refusal | undefined {
  const pair = ring?.pair;
  if (place.kind === 'ipc') return pair === undefined ? undefined : foreign(place.path);
  if (pair === undefined) {
    return place.key === ''
      ? undefined
      : {
          kind: 'keylessHere',
          reason: 'it talks to nodes with keys only, and this node has none: --key-file',
        };
  }
  if (place.key === '') {
    const reason = 'it has no keys, and over tcp this node talks to nodes with keys only';
    return { kind: 'keylessThere', reason };
  }
  return ring?.trusts(place.key) === true
    ? undefined
    : { kind: 'unlistedHere', reason: 'its key is not listed here: `node runtime keys trust`' };
}

function foreign(path: string): Refusal | undefined {
  const why = whoElse(path);
  if (why === undefined) return undefined;
  return {
    kind: 'other',
    reason: `${why}, and with keys this node calls only sockets that are its own user's`,
  };
}

/** Why two that are connected can't agree, from what the library says of it; nothing where it is not about keys. */
export function handshakeFault(
  event: string,
  code: string | undefined,
  hasKeys: boolean,
): Refusal | undefined {
  if (event === 'handshake:error:auth')
    return { kind: 'unlistedThere', reason: 'it does not list the key of this node' };
  if (code === 'ERR_ZMTP_MECHANISM_MISMATCH') {
    return hasKeys
      ? { kind: 'keylessThere', reason: 'it has no keys, and this node has' }
      : { kind: 'keylessHere', reason: 'it has keys, and this node has none: --key-file' };
  }
  return hasKeys
    ? { kind: 'other', reason: 'one of the two has another key than the other side takes it to have' }
    : undefined;
}

/** Of a call to there. */
export function turnedOf(link: LinkId, place: Endpoint, refusal: Refusal): Turned {
  const key = place.kind === 'tcp' && place.key !== '' ? { key: place.key } : {};
  return { at: withoutKey(link), ...key, ...refusal };
}

/** As ZeroMQ writes keys: five of its digits for four bytes. */
export function z85(key: string): string {
  const bytes = Buffer.from(key, 'hex');
  let text = '';
  for (let at = 0; at < bytes.length; at += 4) {
    let value = bytes.readUInt32BE(at);
    let part = '';
    for (let digit = 0; digit < 5; digit++) {
      part = digits.charAt(value % 85) + part;
      value = Math.floor(value / 85);
    }
    text += part;
  }
  return text;
}
