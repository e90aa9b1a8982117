// How this node gets into NATS, from its settings: files are read here, and what does not go together ends the start.
import { readFileSync } from 'node:fs';
import type { NatsOptions } from '../../cluster/nats.js';
import { ConfigError } from '../config/load.js';
import { type Config, flagOf, type SettingName } from '../config/schema.js';

/** Ways to say who one is; one of them at most. */
const ways = ['natsUser', 'natsToken', 'natsCredentials', 'natsNkey'] as const;

export function natsOptions(config: Config, name: string): NatsOptions {
  const given = ways.filter((way) => config[way] !== '');
  if (given.length > 1) {
    throw new ConfigError(
      `${given.map(flagOf).join(' and ')} each say who this node is to NATS: one is wanted`,
    );
  }
  together(config, 'natsPassword', 'natsUser');
  together(config, 'natsTlsCert', 'natsTlsKey');
  together(config, 'natsTlsKey', 'natsTlsCert');
  return {
    servers: config.nats.split(','),
    name,
    user: config.natsUser,
    password: config.natsPassword,
    token: config.natsToken,
    credentials: secretOf(config, 'natsCredentials'),
    nkeySeed: secretOf(config, 'natsNkey').trim(),
    tls: tlsOf(config),
  };
}

/** What no server would ever take is said at once, and not tried until `natsWaitMs` is over. */
const secrets = {
  natsCredentials: {
    holds: /-BEGIN NATS USER JWT-.*-BEGIN USER NKEY SEED-.*\bSU[A-Z2-7]{56}\b/s,
    wanted: 'a credentials file, with the JWT of a user and its seed, as `nsc generate creds` prints it',
  },
  natsNkey: {
    holds: /^\s*SU[A-Z2-7]{56}\s*$/,
    wanted: 'the seed of a user: 58 letters and digits that begin with SU',
  },
} as const;

function secretOf(config: Config, name: keyof typeof secrets): string {
  const content = contentOf(config, name);
  const { holds, wanted } = secrets[name];
  if (content !== '' && !holds.test(content))
    throw new ConfigError(`${flagOf(name)} ${String(config[name])} does not hold what is wanted: ${wanted}`);
  return content;
}

/** An address with tls:// asks for it as a certificate does. */
function tlsOf(config: Config): NatsOptions['tls'] {
  const parts = { ca: 'natsTlsCa', cert: 'natsTlsCert', key: 'natsTlsKey' } as const;
  const given = Object.entries(parts).filter(([, name]) => config[name] !== '');
  if (given.length === 0 && !config.nats.includes('tls://')) return undefined;
  return Object.fromEntries(given.map(([part, name]) => [part, contentOf(config, name)]));
}

function together(config: Config, name: SettingName, other: SettingName): void {
  if (config[name] !== '' && config[other] === '')
    throw new ConfigError(`${flagOf(name)} goes with ${flagOf(other)}, which is missing`);
}

function contentOf(config: Config, name: SettingName): string {
  const path = String(config[name]);
  if (path === '') return '';
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (fault) {
    throw new ConfigError(`${flagOf(name)} ${path} can't be read: ${(fault as Error).message}`);
  }
  if (content.trim() === '') throw new ConfigError(`${flagOf(name)} ${path} is empty`);
  return content;
}
