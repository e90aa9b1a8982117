// Who may come into a NATS under test: nkeys, credentials as an account server would give them out, and certificates, all
// made here.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createAccount, createOperator, createUser, type KeyPair } from 'nkeys.js';

export interface Nkey {
  readonly publicKey: string;
  readonly seed: string;
}

export function newNkey(): Nkey {
  const pair = createUser();
  return { publicKey: pair.getPublicKey(), seed: textOf(pair.getSeed()) };
}

export interface Decentral {
  /** What the server has to be told. */
  readonly lines: readonly string[];
  /** Of a user whom its account knows. */
  readonly credentials: string;
  /** Of one that has signed for itself. */
  readonly forged: string;
}

const without = -1;

/** An operator, an account with JetStream and a user, each vouched for by the one before. */
export function decentral(): Decentral {
  const [operator, account, user] = [createOperator(), createAccount(), createUser()];
  const system = createAccount();
  const limits = Object.fromEntries(
    ['subs', 'data', 'payload', 'imports', 'exports', 'conn', 'leaf'].map((name) => [name, without]),
  );
  const room = Object.fromEntries(
    ['mem_storage', 'disk_storage', 'streams', 'consumer'].map((name) => [name, without]),
  );
  const operatorWord = word(operator, operator, 'operator', { type: 'operator', version: 2 });
  const accountOf = (pair: KeyPair, more: object): string =>
    word(operator, pair, 'account', {
      type: 'account',
      version: 2,
      limits: { ...limits, ...more, wildcards: true },
    });
  const about = {
    type: 'user',
    version: 2,
    subs: without,
    data: without,
    payload: without,
    pub: {},
    sub: {},
  };
  return {
    lines: [
      `operator: ${operatorWord}`,
      'resolver: MEMORY',
      `system_account: ${system.getPublicKey()}`,
      'resolver_preload {',
      `  ${account.getPublicKey()}: ${accountOf(account, room)}`,
      `  ${system.getPublicKey()}: ${accountOf(system, {})}`,
      '}',
    ],
    credentials: credentialsOf(word(account, user, 'user', about), user),
    forged: credentialsOf(word(createAccount(), user, 'user', about), user),
  };
}

function word(issuer: KeyPair, subject: KeyPair, name: string, nats: object): string {
  const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const head = encoded({ typ: 'JWT', alg: 'ed25519-nkey' });
  const claims = { jti: name, iat: 1, iss: issuer.getPublicKey(), name, sub: subject.getPublicKey(), nats };
  const signed = `${head}.${encoded(claims)}`;
  return `${signed}.${Buffer.from(issuer.sign(Buffer.from(signed))).toString('base64url')}`;
}

function credentialsOf(jwt: string, user: KeyPair): string {
  return [
    '-----BEGIN NATS USER JWT-----',
    jwt,
    '------END NATS USER JWT------',
    '',
    '-----BEGIN USER NKEY SEED-----',
    textOf(user.getSeed()),
    '------END USER NKEY SEED------',
    '',
  ].join('\n');
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

export interface Certificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export const noOpenssl: string | false = hasOpenssl()
  ? false
  : 'there is no openssl to make certificates with';

function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** An authority of its own, and one certificate that it has signed, for these addresses: paths of PEM files. */
export function newCertificates(
  folder: string,
  name: string,
  addresses = 'IP:127.0.0.1,DNS:localhost',
): Certificates {
  const path = (end: string): string => join(folder, `${name}${end}`);
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  };
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const authority = ['-x509', '-days', '2', '-subj', `/CN=authority of ${name}`];
  openssl('req', ...curve, ...authority, '-keyout', path('-ca.key'), '-out', path('-ca.pem'));
  openssl('req', ...curve, '-subj', `/CN=${name}`, '-keyout', path('.key'), '-out', path('.csr'));
  writeFileSync(path('.ext'), `subjectAltName=${addresses}\n`);
  const signer = ['-CA', path('-ca.pem'), '-CAkey', path('-ca.key'), '-CAcreateserial'];
  openssl(
    'x509',
    '-req',
    '-days',
    '2',
    '-in',
    path('.csr'),
    ...signer,
    '-extfile',
    path('.ext'),
    '-out',
    path('.pem'),
  );
  return { ca: path('-ca.pem'), cert: path('.pem'), key: path('.key') };
}
