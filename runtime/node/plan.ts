// What a configuration makes of a node: its roles, whether it founds the cluster or joins one, where it listens.
import { randomBytes } from 'node:crypto';
import type { Member } from '../../cluster/membership.js';
import { memberId, type Role } from '../../proto/ids.js';
import { ConfigError } from '../config/load.js';
import { ownEndpoint, wellKnownEndpoint } from '../config/places.js';
import { type Config, flagOf, type SettingName, settings } from '../config/schema.js';

export interface Plan {
  readonly self: Member;
  readonly founder: boolean;
  /** Where it listens; empty when it does not. */
  readonly bind: string;
  /** Nodes that it calls. */
  readonly join: readonly string[];
  readonly serves: ReadonlySet<Role>;
  readonly workerNames: readonly string[];
}

export function planOf(config: Config): Plan {
  const asked = config.role.split(',');
  const all = asked.includes('all');
  if (all && asked.length > 1) throw new ConfigError('--role all is everything already: name it alone');
  const serves = new Set<Role>(all ? ['router', 'scheduler', 'health', 'worker'] : (asked as Role[]));
  const core = (['router', 'scheduler', 'health'] as const).filter((role) => serves.has(role));
  const byNats = config.nats !== '';
  const founder = config.join === '' && !byNats && serves.has('router');
  const id = memberId(config.name, incarnation());
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
  if (!config.insecure) {
    refusePublic('host', config.host, config.host);
    const tcp = /^tcp:\/\/(.+):\d+$/.exec(endpoint);
    if (tcp !== null) refusePublic('endpoint', endpoint, tcp[1] as string);
  }
  const workerNames = Array.from({ length: serves.has('worker') ? config.workerCount : 0 }, (_, index) =>
    founder ? `worker-${index + 1}` : `${config.name}-worker-${index + 1}`,
  );
  const roles: Role[] = [...core, ...(serves.has('worker') ? (['host'] as const) : [])];
  return {
    self: { id, roles, endpoint: core.length > 0 ? config.advertise || endpoint : '', host: '' },
    founder,
    bind: core.length > 0 ? endpoint : '',
    join: founder || byNats ? [] : [config.join || wellKnownEndpoint(config.cluster)],
    serves,
    workerNames,
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

export function incarnation(): string {
  return randomBytes(5).toString('hex');
}

function refusePublic(name: string, value: string, host: string): void {
  if (/^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/.test(host)) return;
  throw new ConfigError(
    `${flagOf(name)} ${value} is reachable from other machines and this version has no keys yet; ` +
      'use a loopback address, or --insecure where the network is trusted',
  );
}
