// Towns whose members find each other through a store: in memory and in virtual time, and in a real NATS in real time with
// the upkeep that nodes have.
import type { Member } from '../../cluster/membership.js';
import { MemoryStoreServer } from '../../cluster/memory.js';
import { connectNats } from '../../cluster/nats.js';
import type { Store } from '../../cluster/store.js';
import { StoredMembership, type StoreEffect, type StoreFact } from '../../cluster/stored.js';
import { Upkeep } from '../../runtime/membership/upkeep.js';
import type { NatsServers } from '../nats/servers.js';
import { pause } from '../processes/harness.js';
import { Town } from './town.js';

export const idle = { state: 'serving', models: [], labels: [], workers: [], jobs: 0 } as const;
const silent = { debug() {}, info() {}, warn() {}, error() {}, takes: () => false };

export interface Lease {
  readonly beatMs: number;
  readonly leaseMs: number;
}

export function membershipOf(self: Member, lease: Lease, cluster = 'town'): StoredMembership {
  return new StoredMembership({
    self,
    cluster,
    build: 'test',
    machine: 'here',
    condition: () => idle,
    ...lease,
  });
}

const goodbyes: readonly StoreEffect['type'][] = ['put', 'remove', 'erase'];

interface Resident {
  readonly membership: StoredMembership;
  store: Store | undefined;
  endWatch: () => void;
}

/** Nothing happens between two steps of time, and what a store is asked is answered within one. */
export class VirtualTown extends Town {
  readonly server = new MemoryStoreServer();
  readonly notes: string[] = [];
  private readonly residents = new Map<string, Resident>();
  private readonly lease: Lease;
  private now = 0;
  private isAway = false;

  constructor(lease: Lease) {
    super();
    this.lease = lease;
  }

  async join(self: Member, cluster?: string): Promise<void> {
    const membership = membershipOf(self, this.lease, cluster);
    this.settleIn(self, membership);
    this.residents.set(self.id, { membership, store: undefined, endWatch: () => {} });
    await this.open(self.id);
  }

  async kill(id: string): Promise<void> {
    this.residents.get(id)?.endWatch();
    this.residents.delete(id);
    this.moveOut(id, false);
  }

  /** Its process stands still: it neither writes nor reads, its links stay open. */
  freeze(id: string): () => Promise<void> {
    const resident = this.residents.get(id) as Resident;
    resident.endWatch();
    this.residents.delete(id);
    return async () => {
      this.residents.set(id, resident);
      await this.tell(id, { type: 'tick' });
      await this.open(id);
    };
  }

  async leave(id: string): Promise<void> {
    await this.tell(id, { type: 'self.leaving' });
    this.residents.get(id)?.endWatch();
    this.residents.delete(id);
    this.moveOut(id, true);
  }

  async centreLeaves(): Promise<void> {
    this.isAway = true;
    this.server.leave();
    for (const id of [...this.residents.keys()])
      await this.tell(id, { type: 'store.lost', reason: 'it is away' });
  }

  async centreReturns(): Promise<void> {
    this.isAway = false;
    this.server.comeBack();
    for (const id of [...this.residents.keys()]) await this.open(id);
  }

  async pass(ms: number): Promise<void> {
    this.now += ms;
    for (const id of [...this.residents.keys()]) await this.tell(id, { type: 'tick' });
  }

  async close(): Promise<void> {}

  async tell(id: string, fact: StoreFact): Promise<void> {
    const resident = this.residents.get(id);
    if (resident === undefined) return;
    const { effects, ...step } = resident.membership.told(fact, this.now);
    this.take(id, step);
    for (const effect of effects) await this.perform(id, resident, effect);
  }

  private async perform(id: string, resident: Resident, effect: StoreEffect): Promise<void> {
    if (effect.type === 'note') {
      const { event, ...fields } = effect.note;
      this.notes.push(`${id}: ${event} ${Object.values(fields).join(' ')}`);
    }
    if (effect.type === 'reopen' && !this.isAway) await this.open(id);
    if (!goodbyes.includes(effect.type) || this.isAway) return;
    if (effect.type === 'put') await resident.store?.put(effect.key, effect.text);
    if (effect.type === 'remove') await resident.store?.remove(effect.key, effect.expected);
    if (effect.type === 'erase') await resident.store?.erase(effect.key);
  }

  private async open(id: string): Promise<void> {
    const resident = this.residents.get(id);
    if (resident === undefined) return;
    resident.endWatch();
    const connection = this.server.connect({ away: () => {}, back: () => {}, closed: () => {} });
    resident.store = await connection.open({ name: 'members', keepMs: 0 });
    await this.tell(id, { type: 'store.opened' });
    resident.endWatch = await resident.store.watch({
      put: (key, { text, revision }) => void this.tell(id, { type: 'entry.put', key, text, revision }),
      removed: (key) => void this.tell(id, { type: 'entry.removed', key }),
      caughtUp: () => {},
      ended: () => {},
    });
  }
}

export class NatsTown extends Town {
  private readonly servers: NatsServers;
  private readonly lease: Lease;
  private readonly name: string;
  private readonly upkeeps = new Map<string, Upkeep>();

  constructor(servers: NatsServers, lease: Lease, name: string) {
    super();
    this.servers = servers;
    this.name = name;
    this.lease = lease;
  }

  async join(self: Member): Promise<void> {
    const membership = membershipOf(self, this.lease);
    this.settleIn(self, membership);
    const nobody = { user: '', password: '', token: '', credentials: '', nkeySeed: '', tls: undefined };
    const upkeep = new Upkeep({
      membership,
      connect: (events) =>
        connectNats({ ...nobody, servers: this.servers.urls.split(','), name: self.id }, events),
      store: { name: this.name, keepMs: 3_600_000 },
      where: this.servers.urls,
      startMs: 10_000,
      tickMs: this.lease.beatMs / 4,
      log: silent,
      take: (step) => this.take(self.id, step),
      changed: () => {},
    });
    this.upkeeps.set(self.id, upkeep);
    await upkeep.start();
  }

  /** Its entry stays, for it does not say goodbye. */
  async kill(id: string): Promise<void> {
    await this.upkeeps.get(id)?.abandon();
    this.upkeeps.delete(id);
    this.moveOut(id, false);
  }

  async leave(id: string): Promise<void> {
    await this.upkeeps.get(id)?.stop();
    this.upkeeps.delete(id);
    this.moveOut(id, true);
  }

  async centreLeaves(): Promise<void> {
    await Promise.all(this.servers.servers.map((server) => server.kill()));
  }

  async centreReturns(): Promise<void> {
    await Promise.all(this.servers.servers.map((server) => server.start()));
  }

  pass(ms: number): Promise<void> {
    return pause(ms);
  }

  async close(): Promise<void> {
    await Promise.all([...this.upkeeps.values()].map((upkeep) => upkeep.stop()));
  }
}
