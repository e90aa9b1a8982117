// A cluster on this machine as if it were on many: three NATS servers, and routers, schedulers and workers as processes of
// their own that listen on loopback addresses of their own. Each can be killed, frozen, stopped and started again in its place.

import type { ClusterView } from '../../../runtime/doors/cluster.js';
import { executable } from '../../nats/at-hand.js';
import { freePort } from '../../nats/server.js';
import { NatsServers, type NodeCount } from '../../nats/servers.js';
import { type NodeOptions, RunningNode, Scratch, until } from '../../processes/harness.js';
import { signal } from '../../processes/proc.js';
import { ModelFolder } from '../../processes/repository.js';

export interface FleetSize {
  readonly nats: NodeCount;
  readonly routers: number;
  readonly schedulers: number;
  readonly workers: number;
}

export type Kind = 'router' | 'scheduler' | 'worker';

/** Where machines stand and how they are wired. */
export interface Ground {
  /** Where NATS listens. */
  readonly natsHost: string;
  /** Room for one more: its address, and what a node needs to be there. */
  room(kind: Kind, number: number): Promise<Room>;
  remove(): Promise<void>;
}

export interface Room {
  readonly address: string;
  /** One that is free there. */
  port(): Promise<number>;
  readonly options: Pick<NodeOptions, 'environment' | 'within'>;
}

/** Loopback addresses, one for each. */
export const loopback: Ground = {
  natsHost: '127.0.0.1',
  room: async (kind, number) => {
    const address = `127.0.${kinds.indexOf(kind) + 1}.${number}`;
    return { address, port: () => freePort(address), options: {} };
  },
  remove: async () => {},
};

/** A machine in the making: what runs there, and where it listens. */
export interface Place {
  readonly name: string;
  readonly kind: Kind;
  readonly address: string;
  readonly options: NodeOptions & { readonly flags: Flags };
  node: RunningNode;
}

/** How often each node had written its entry in the list, as far as routers had heard. */
export type Beats = ReadonlyMap<string, number>;

type Flags = Readonly<Record<string, string | number>>;

const kinds = ['router', 'scheduler', 'worker'] as const;
export const models = ['north', 'east', 'south', 'west'] as const;
/** Long enough that whoever is struck holds something, and so short that nobody waits long for a worker that runs. */
const cost = { alphaMs: 12, betaMs: 1, rowsMax: 4 };
const startMs = 60_000;
/** An eighth of them ended well: more than in the longest time between two looks at them. */
const jobsKept = 40_000;
/** Clients look ten times as often who is ready. */
const lameDuckMs = 1000;
let fleets = 0;

export class Fleet {
  readonly nats: NatsServers;
  /** Its name. */
  readonly cluster: string;
  readonly places: readonly Place[];
  private readonly scratch: Scratch;
  private readonly ground: Ground;

  private constructor(
    scratch: Scratch,
    ground: Ground,
    nats: NatsServers,
    cluster: string,
    places: readonly Place[],
  ) {
    this.cluster = cluster;
    this.scratch = scratch;
    this.ground = ground;
    this.nats = nats;
    this.places = places;
  }

  static async start(size: FleetSize, more: Flags = {}, ground: Ground = loopback): Promise<Fleet> {
    fleets++;
    const scratch = new Scratch();
    const nats = await NatsServers.start(executable, { nodes: size.nats, host: ground.natsHost });
    const folder = new ModelFolder(scratch);
    for (const model of models) folder.simulated(model, cost);
    const common = {
      cluster: `fleet-${process.pid}-${fleets}`,
      nats: nats.urls,
      models: folder.folder,
      'cache-folder': scratch.path('cache'),
      'worker-count': 1,
      'restarts-max': 10_000,
      'nats-wait-ms': startMs,
      'jobs-kept-max': jobsKept,
      ...more,
    };
    const counts = { router: size.routers, scheduler: size.schedulers, worker: size.workers };
    const places: Place[] = [];
    const fleet = new Fleet(scratch, ground, nats, common.cluster, places);
    try {
      for (const kind of kinds) {
        for (let number = 1; number <= counts[kind]; number++)
          places.push(await placeOf(kind, number, common, await ground.room(kind, number)));
      }
      await fleet.whole();
    } catch (fault) {
      await fleet.remove();
      throw fault;
    }
    return fleet;
  }

  of(kind: Kind): Place[] {
    return this.places.filter((place) => place.kind === kind);
  }

  /** As if its machine had lost power, or had no time for it: the node and its worker processes at once. When that was. */
  strike(place: Place, name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): number {
    const workers = place.node.workers();
    const at = performance.now();
    for (const { pid } of workers) signal(pid, name);
    place.node.signal(name);
    return at;
  }

  async again(place: Place): Promise<void> {
    await place.node.ended;
    place.node = new RunningNode(place.options);
    await place.node.event('node.serving', startMs);
  }

  /** Every router is ready, and has a link to all others, which are those that run now, and their entries. */
  async whole(withinMs = startMs, past: Beats = new Map()): Promise<void> {
    await Promise.all(this.places.map(({ node }) => node.event('node.serving', withinMs)));
    await until('every router sees all others', () => this.isWhole(past), withinMs, 25).catch(
      async (fault) => {
        const views = await Promise.all(this.of('router').map(viewOf));
        throw new Error(`${(fault as Error).message}: ${JSON.stringify(views.map(shortly))}`);
      },
    );
  }

  /** What the list of members says of a node stays in the memory of the others while nobody keeps it: what has been written since tells. */
  async beats(): Promise<Beats> {
    const beats = new Map<string, number>();
    for (const router of this.of('router'))
      for (const { id, node } of (await viewOf(router))?.members ?? [])
        beats.set(id, Math.max(beats.get(id) ?? 0, node?.beat ?? 0));
    return beats;
  }

  /** Who was killed may be listed still: its lease runs on. */
  async isWhole(past: Beats = new Map()): Promise<boolean> {
    const nodes = this.places.map(({ node }) => idOf(node));
    const workers = this.of('worker').flatMap(({ node }) => node.workers().map(({ member }) => member));
    for (const router of this.of('router')) {
      const view = await viewOf(router);
      const linked = new Set(view?.members.flatMap(({ id, linked }) => (linked ? [id] : [])));
      if (view?.state !== 'live' || ![...nodes, ...workers].every((id) => linked.has(id))) return false;
      const beats = new Map(view.members.map(({ id, node }) => [id, node?.beat ?? 0]));
      if (!nodes.every((id) => (beats.get(id) ?? 0) > (past.get(id) ?? 0))) return false;
      if (!(await router.node.isReady())) return false;
    }
    return true;
  }

  async remove(): Promise<void> {
    await Promise.all(this.places.map(({ node }) => node.dispose()));
    await this.nats.remove();
    await this.ground.remove();
    this.scratch.remove();
  }
}

async function placeOf(kind: Kind, number: number, common: Flags, room: Room): Promise<Place> {
  const name = `${kind}-${number}`;
  const { address } = room;
  const flags: Record<string, string | number> = { ...common, name, role: kind };
  if (kind !== 'worker') {
    flags.endpoint = `tcp://${address}:${await room.port()}`;
  }
  if (kind === 'router') {
    flags.host = address;
    flags['lame-duck-ms'] = lameDuckMs;
    flags['http-port'] = await room.port();
    flags['grpc-port'] = await room.port();
  }
  const options = { ...room.options, flags };
  return { name, kind, address, options, node: new RunningNode(options) };
}

function idOf(node: RunningNode): string {
  return String(node.lines.find(({ event }) => event === 'node.serving')?.process);
}

export async function viewOf({ node }: Place): Promise<ClusterView | undefined> {
  const answer = await node.get('/v2/signalbox/cluster').catch(() => undefined);
  return answer as ClusterView | undefined;
}

function shortly(view: ClusterView | undefined): unknown {
  return (
    view && [
      view.state,
      view.reason,
      ...view.members.map(({ id, linked }) => `${id}${linked ? '' : ' unlinked'}`),
    ]
  );
}
