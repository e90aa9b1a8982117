// The cluster in a simulated system: NATS, who finds whom by it, what goes wrong with it, and what must be true of what its
// members believe of each other.
import type { Connection, ConnectionEvents } from '../../cluster/store.js';
import type { MemberId } from '../../proto/ids.js';
import type { Said } from '../../proto/messages.js';
import type { Bug } from './bug.js';
import type { ClusterPlan, NatsFaultPlan } from './cluster.js';
import { SimulatedNats } from './nats.js';
import type { Network } from './network.js';
import type { OwningWitness } from './owning.js';
import { NodePresence, WorkerPresence } from './presence.js';
import { noTokens, type Process } from './process.js';
import type { Random } from './random.js';
import type { NodePlan } from './scenario.js';
import type { Timeline } from './timeline.js';
import type { Truth } from './truth.js';
import { Views } from './views.js';
import { Wiring } from './wiring.js';

/** A word from a node to its worker is so long under way. */
const pipeMs = 0.2;

export interface TownWorld {
  readonly timeline: Timeline;
  readonly network: Network;
  readonly truth: Truth;
  readonly processes: ReadonlyMap<MemberId, Process>;
  happened(event: string): void;
  workersOf(node: Process): Process[];
}

export class Town {
  readonly plan: ClusterPlan;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly nats: SimulatedNats;
  readonly wiring: Wiring;
  readonly nodes = new Map<MemberId, NodePresence>();
  readonly world: TownWorld;
  readonly owning: OwningWitness;
  /** What there is to own. */
  readonly models: readonly string[];
  private readonly views: Views;
  private readonly bug: Bug | undefined;

  constructor(
    world: TownWorld,
    plan: ClusterPlan,
    models: readonly string[],
    random: Random,
    bug: Bug | undefined,
  ) {
    this.world = world;
    this.timeline = world.timeline;
    this.plan = plan;
    this.models = models;
    this.owning = world.truth.owning;
    this.random = random.fork(1);
    this.bug = bug;
    this.views = new Views(this);
    this.nats = new SimulatedNats(this.timeline, random.fork(2), plan.nats, {
      happened: (event) => this.happened(event),
      wrote: (bucket, key, by) => this.guard(() => this.views.wrote(bucket, key, by)),
    });
    this.wiring = new Wiring(world.network);
  }

  happened(event: string): void {
    this.world.happened(event);
  }

  /** A promise may follow from it, that is to be kept before anything else happens. */
  stir(act: () => void): void {
    this.timeline.isStirred = true;
    act();
  }

  /** What breaks where others would swallow it ends the run all the same. */
  guard<T>(act: () => T): T {
    try {
      return act();
    } catch (fault) {
      this.timeline.broken ??= fault;
      throw fault;
    }
  }

  begin(): void {
    for (const fault of this.plan.faults) this.timeline.at(fault.at, () => this.strike(fault));
  }

  addNode(process: Process, plan: NodePlan): void {
    const calls = plan.roles.some((role) => role !== 'host' && role !== 'worker');
    const address = this.plan.keepsAddress ? plan.name : process.id;
    const endpoint = calls ? `tcp://${address}` : '';
    const member = { id: process.id, roles: plan.roles, endpoint, host: '' };
    this.wiring.settle(process, member);
    const presence = new NodePresence(process, member, this);
    this.nodes.set(process.id, presence);
    process.add('presence', presence);
    this.stir(() => presence.begin());
  }

  addWorker(process: Process, host: Process): void {
    const member = { id: process.id, roles: process.roles, endpoint: '', host: host.id };
    this.wiring.settle(process, member);
    const presence = new WorkerPresence(process, member, this);
    process.add('presence', presence);
    const node = this.nodes.get(host.id);
    if (node === undefined) return;
    if (node.member.endpoint !== '') presence.join(node.member.endpoint);
    process.hear(node.list(), host.id);
  }

  connect(node: NodePresence, events: ConnectionEvents): Promise<Connection> {
    const connecting = this.nats.connect(node.client, events);
    const wrap = this.bug?.store;
    if (wrap === undefined) return connecting;
    return connecting.then((connection) => ({
      ...connection,
      open: (options) => connection.open(options).then(wrap),
    }));
  }

  watch(node: NodePresence): void {
    this.bug?.member?.(node, this.wallOf(node.member.id));
    this.views.watch(node);
  }

  tellWorkers(node: Process, listed: Said<'members.listed'>): void {
    for (const worker of this.world.workersOf(node))
      this.timeline.after(pipeMs, () => {
        if (this.wiring.memberOf(worker.id) !== undefined) worker.hear(listed, node.id);
      });
  }

  leave(process: Process, then: () => void): void {
    const node = this.nodes.get(process.id);
    if (node === undefined) return then();
    this.stir(() => void node.leave().then(then));
  }

  sayGoodbye(process: Process): void {
    const goodbye = { type: 'member.left', member: process.id, reason: 'stopped' } as const;
    for (const peer of this.world.network.peersOf(process.id))
      this.world.network.send(process, peer, goodbye, noTokens);
  }

  left(process: Process): void {
    const node = this.nodes.get(process.id);
    this.wiring.leave(process.id);
    this.nodes.delete(process.id);
    if (node !== undefined) this.nats.leave(node.client);
  }

  heal(): void {
    this.nats.heal();
  }

  /** Everybody sees who is there. */
  checkRest(): void {
    this.views.checkRest();
  }

  /** Wall clocks go apart: nothing may be decided by them. */
  private wallOf(id: MemberId): () => number {
    const skewMs = this.random.between(-1, 1) * this.plan.skewMs;
    return () => 1.7e12 + skewMs + this.timeline.now + (id === '' ? 1 : 0);
  }

  private strike({ kind, durationMs, target, count }: NatsFaultPlan): void {
    const { nats } = this;
    const nodes = [...this.nodes.values()];
    const node = nodes[Math.floor(target * nodes.length)];
    switch (kind) {
      case 'away':
        return nats.leaveFor(durationMs);
      case 'leader':
        return nats.changeLeader(durationMs);
      case 'rewind':
        return nats.rewind(count);
      case 'wipe':
        if (target < 0.5) nats.leaveFor(durationMs);
        return nats.wipe();
      case 'cut':
        return node && nats.cut(node.client, durationMs);
      case 'deafen':
        return node && nats.deafen(node.client, durationMs);
      case 'slow':
        return nats.slow(durationMs, (0.1 + target) * this.plan.leaseMs);
    }
  }
}
