// What a configuration makes of a node: its roles, whether it founds the cluster or joins one, where it listens.
import { randomBytes } from 'node:crypto';
import type { Member } from '../../cluster/membership.js';
import { rankFor } from '../../cluster/rank.js';
import { type MemberId, memberId, type Role } from '../../proto/ids.js';
import { ConfigError } from '../config/load.js';
import { ownEndpoint, wellKnownEndpoint } from '../config/places.js';
import { type Config, flagOf, type SettingName, settings } from '../config/schema.js';
import { ownPair } from '../keys/keeper.js';
import type { KeyPair } from '../keys/pair.js';
import { keyIn, parseEndpoint, withKey } from '../post/endpoint.js';
import { whoElse } from '../post/owned.js';

export interface Plan {
  readonly self: Member;
  readonly founder: boolean;
  /** Where it listens; empty when it does not. */
  readonly bind: string;
  /** Nodes that it calls. */
  readonly join: readonly string[];
  readonly serves: ReadonlySet<Role>;
  readonly workerNames: readonly string[];
  /** The keys of this node; undefined where it has none. */
  readonly pair: KeyPair | undefined;
}

export function planOf(config: Config): Plan {
  const asked = config.role.split(',');
  const all = asked.includes('all');
  if (all && asked.length > 1) throw new ConfigError('--role all is everything already: name it alone');
  const serves = new Set<Role>(all ? ['router', 'scheduler', 'health', 'worker'] : (asked as Role[]));
  // Who hands out work judges for himself whom he can reach: with others to ask, their loss would blind him.
  if (serves.has('router') || serves.has('scheduler')) serves.add('health');
  const core = (['router', 'scheduler', 'health'] as const).filter((role) => serves.has(role));
  const byNats = config.nats !== '';
  const roles: Role[] = [...core, ...(serves.has('worker') ? (['host'] as const) : [])];
  const id = idOf(config.name, byNats, roles);
  const founder = config.join === '' && !byNats && serves.has('router');
  const endpoint = config.endpoint || (founder ? wellKnownEndpoint(config.cluster) : ownEndpoint(id));
  refuseTwoWays(config);
  if (core.length > 0 && config.endpoint === '' && config.join.startsWith('tcp://')) {
    throw new ConfigError(
      `a ${core.join(', ')} that joins over tcp needs an address that the other nodes can reach: ` +
        `${flagOf('endpoint')} tcp://host:port`,
    );
  }
  if (serves.has('router') && config.httpPort === config.grpcPort && config.httpPort !== 0) {
    throw new ConfigError(
      `${flagOf('httpPort')} and ${flagOf('grpcPort')} are both ${config.httpPort}: REST and gRPC need a port each; ` +
        'change one of them (0 takes any that is free)',
    );
  }
  const ports = serves.has('router') ? [config.httpPort, config.grpcPort] : [];
  if (config.healthPort > 0 && ports.includes(config.healthPort)) {
    throw new ConfigError(
      `${flagOf('healthPort')} ${config.healthPort} is the port of REST or gRPC already, and REST answers probes as well: ` +
        'leave it out, or choose another',
    );
  }
  const pair = ownPair(config);
  refuseKeysAmiss(config, pair);
  if (!config.insecure) refusePublic(config, endpoint, pair);
  const workerNames = Array.from({ length: serves.has('worker') ? config.workerCount : 0 }, (_, index) =>
    founder ? `worker-${index + 1}` : `${config.name}-worker-${index + 1}`,
  );
  return {
    self: {
      id,
      roles,
      endpoint: core.length > 0 ? withKey(config.advertise || endpoint, pair?.publicKey) : '',
      host: '',
    },
    founder,
    bind: core.length > 0 ? withKey(endpoint, pair?.publicKey) : '',
    join: founder || byNats ? [] : [config.join || wellKnownEndpoint(config.cluster)],
    serves,
    workerNames,
    pair,
  };
}

function refuseTwoWays(config: Config): void {
  if (config.nats !== '' && config.join !== '') {
    throw new ConfigError(
      `${flagOf('nats')} and ${flagOf('join')} are two ways to find the other nodes: wanted is one of them`,
    );
  }
  if (config.nats === '') {
    const idle = (Object.keys(settings) as SettingName[]).find(
      (name) => /^nats./.test(name) && config[name] !== settings[name].fallback,
    );
    if (idle !== undefined)
      throw new ConfigError(
        `${flagOf(idle)} says how to reach NATS, and ${flagOf('nats')} does not say where`,
      );
  }
  const everywhere = /^tcp:\/\/(0\.0\.0\.0|\[::\]|\*):/;
  if (config.advertise === '' && everywhere.test(config.endpoint) && config.nats !== '') {
    throw new ConfigError(
      `${flagOf('endpoint')} ${config.endpoint} is no address that others can call: say which with ${flagOf('advertise')}`,
    );
  }
}

/** The key of its entry in NATS, where rights go by ranks. */
function idOf(name: string, byNats: boolean, roles: readonly Role[]): MemberId {
  return memberId(name, byNats ? `${rankFor(roles)}.${incarnation()}` : incarnation());
}

export function incarnation(): string {
  return randomBytes(5).toString('hex');
}

function refusePublic(config: Config, endpoint: string, pair: KeyPair | undefined): void {
  if (!isLoopback(config.host)) {
    throw new ConfigError(
      `${flagOf('host')} ${config.host} is reachable from other machines and the doors know no keys yet; ` +
        'use a loopback address, or --insecure where the network is trusted',
    );
  }
  const [, host] = /^tcp:\/\/(.+):\d+$/.exec(endpoint) ?? [];
  if (host === undefined || pair !== undefined || isLoopback(host)) return;
  throw new ConfigError(
    `${flagOf('endpoint')} ${endpoint} is reachable from other machines, and this node has no keys: ` +
      `make them with \`node runtime keys new\` and name them with ${flagOf('keyFile')}, ` +
      'use a loopback address, or --insecure where the network is trusted',
  );
}

function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/.test(host);
}

/** Over tcp both sides have keys or neither has, and who calls has to know the key of whom it calls. */
function refuseKeysAmiss({ endpoint, advertise, join }: Config, pair: KeyPair | undefined): void {
  const places = Object.entries({ endpoint, join }).map(
    ([name, value]) => [name, parseEndpoint(value)] as const,
  );
  for (const [name, place] of pair === undefined ? [] : places) {
    if (typeof place === 'string' || place.kind !== 'ipc') continue;
    const reason = whoElse(place.path);
    if (reason === undefined) continue;
    throw new ConfigError(
      `${flagOf(name)} ipc://${place.path} does not go with ${flagOf('keyFile')}: ${reason}; ` +
        'choose a path in a folder where its user alone may write',
    );
  }
  const keyed = Object.entries({ endpoint, advertise }).find(([, value]) => keyIn(value) !== '');
  if (keyed !== undefined) {
    throw new ConfigError(
      `${flagOf(keyed[0])} names a key: that of this node is put there by itself, write tcp://host:port`,
    );
  }
  if (pair === undefined && keyIn(join) !== '') {
    throw new ConfigError(
      `${flagOf('join')} names the key of the node there, and this node has none to answer with: ` +
        `make one with \`node runtime keys new\` and name it with ${flagOf('keyFile')}`,
    );
  }
  if (pair !== undefined && join.startsWith('tcp://') && keyIn(join) === '') {
    throw new ConfigError(
      `${flagOf('join')} ${join} does not say whose key is there: write tcp://<its public key>@host:port, ` +
        'as `node runtime keys show` prints it there',
    );
  }
}
