// The keys of a node for its links to other machines: a secret in a file for its owner and, where it is mounted, his group, and the public key
// that follows from it. Written as 64 hexadecimal digits, which no shell and no address has to quote.
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { readTextFile } from '../file.js';

export interface KeyPair {
  readonly publicKey: string;
  readonly secretKey: string;
}

export const keyWanted = '64 hexadecimal digits';
const keyText = /^[0-9a-f]{64}$/;
const fileBytesMax = 65_536;
/** What stands before the 32 bytes where keys are written as DER. */
const secretBefore = Buffer.from('302e020100300506032b656e04220420', 'hex');
const publicBefore = Buffer.from('302a300506032b656e032100', 'hex');

export function isKey(text: string): boolean {
  return keyText.test(text);
}

export function makePair(): KeyPair {
  const { privateKey } = generateKeyPairSync('x25519');
  return pairOf(privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32).toString('hex'));
}

export function pairOf(secretKey: string): KeyPair {
  const made = createPublicKey(secretObject(secretKey)).export({ format: 'der', type: 'spki' });
  return { secretKey, publicKey: made.subarray(-32).toString('hex') };
}

export function secretObject(key: string): KeyObject {
  return createPrivateKey({
    key: Buffer.concat([secretBefore, Buffer.from(key, 'hex')]),
    format: 'der',
    type: 'pkcs8',
  });
}

export function publicObject(key: string): KeyObject {
  return createPublicKey({
    key: Buffer.concat([publicBefore, Buffer.from(key, 'hex')]),
    format: 'der',
    type: 'spki',
  });
}

/** Throws a sentence where the file holds no secret key, or one that everybody could have read. */
export function readPair(path: string): KeyPair {
  if (!existsSync(path)) throw new Error('there is no such file: `node runtime keys new` makes one');
  const secretKey = linesOf(readTextFile(path, fileBytesMax))[0] ?? '';
  if (!isKey(secretKey)) {
    throw new Error(`it holds no secret key (${keyWanted}): make one with \`node runtime keys new\``);
  }
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o007) !== 0 && process.platform !== 'win32') {
    throw new Error(`everybody on this machine may read it (mode ${mode.toString(8)}): chmod 600 ${path}`);
  }
  return pairOf(secretKey);
}

export function writePair(path: string, { publicKey, secretKey }: KeyPair, force: boolean): void {
  const text = `# The secret key of a node of Signalbox: for nobody else. Its public key is ${publicKey}\n${secretKey}\n`;
  if (!force) return writeFileSync(path, text, { mode: 0o600, flag: 'wx' });
  // Beside it first: nobody who may read the old one sees the new one, and a node finds one or the other, whole.
  const beside = `${path}.${process.pid}.new`;
  rmSync(beside, { force: true });
  writeFileSync(beside, text, { mode: 0o600, flag: 'wx' });
  renameSync(beside, path);
}

/** Without comments and empty lines. */
export function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/#.*$/, '').trim())
    .filter((line) => line !== '');
}
