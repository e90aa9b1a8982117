// The members' bucket of a cluster in a NATS server, as the nodes have it, and the crowd that writes into it.
import { connectNats } from '../../../cluster/nats.js';
import type { Connection, ConnectionEvents, Store } from '../../../cluster/store.js';

const nobody = { user: '', password: '', token: '', credentials: '', nkeySeed: '', tls: undefined };
const unheard: ConnectionEvents = { away: () => {}, back: () => {}, closed: () => {} };

export const keepMs = 3_600_000;
/** That the cluster shares. */
export const storedModels = 100;
/** So many a node has of them, and so many nodes are to have each. */
export const storedEach = 3;

export function connectTo(url: string, name: string, events = unheard): Promise<Connection> {
  return connectNats({ ...nobody, servers: url.split(','), name }, events);
}

export function bucketOf(cluster: string): string {
  return `signalbox-${cluster}-members`;
}

export function membersStore(connection: Connection, cluster: string): Promise<Store> {
  return connection.open({ name: bucketOf(cluster), keepMs });
}

export interface CrowdOrder {
  readonly url: string;
  readonly cluster: string;
  readonly count: number;
  readonly beatMs: number;
}

export type CrowdWord =
  | { readonly type: 'there' }
  | { readonly type: 'left'; readonly at: number }
  | { readonly type: 'joined'; readonly at: number };

export function crowdId(number: number): string {
  return `node-${number}.${(1e9 + number).toString(36)}`;
}
