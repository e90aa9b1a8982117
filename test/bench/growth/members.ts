// A cluster of many members on a real NATS: the entries of all are written by a crowd in another process, and some members
// here have the whole view, with the list of who owns what and the look at who is to have which model of the store that nodes
// keep by it; only links to the others they have none. How soon they agree after somebody joins or leaves, how soon one that has just come
// knows all, and what that costs each of them.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { NodeRecord } from '../../../cluster/record.js';
import { Stock, type StockFact } from '../../../cluster/stock.js';
import { loadConfig } from '../../../runtime/config/load.js';
import { Presence } from '../../../runtime/membership/presence.js';
import { executable } from '../../nats/at-hand.js';
import { NatsServers } from '../../nats/servers.js';
import { pause, until } from '../../processes/harness.js';
import { median, say } from '../figures.js';
import { manifestOf } from './models.js';
import { type CrowdOrder, type CrowdWord, crowdId, storedEach, storedModels } from './store.js';

export interface MembersFigures {
  /** The longest until all that look on agree. */
  readonly convergenceMs: number;
  /** Until one that has just come knows all. */
  readonly freshMs: number;
  readonly heapKbPerMember: number;
  /** Share of a core. */
  readonly cpuPerMember: number;
}

const cluster = 'growth';
const beatMs = 3000;
const leaseMs = 4 * beatMs;
const viewers = 10;
/** As often as nodes do. */
const stockTickMs = 1000;
const watchedMs = 8000;
const waitMs = 60_000;
const idle = { state: 'serving', models: [], labels: [], workers: [], jobs: 0 } as const;
const silent = { debug() {}, info() {}, warn() {}, error() {}, takes: () => false };

export async function membersFigures(count: number, rounds: number): Promise<MembersFigures> {
  const servers = await NatsServers.start(executable);
  let crowd: Crowd | undefined;
  const all: Viewer[] = [];
  try {
    crowd = await Crowd.start({ url: servers.urls, cluster, count, beatMs });
    const freshMs: number[] = [];
    const collect = collector();
    collect();
    const heapBefore = process.memoryUsage().heapUsed;
    for (let number = 0; number < viewers; number++) {
      const begunAt = performance.now();
      const viewer = new Viewer(servers.urls, number);
      all.push(viewer);
      await viewer.start();
      await until('it knows all', () => viewer.crowd().length >= count, waitMs, 1);
      freshMs.push(performance.now() - begunAt);
    }
    collect();
    const heapKbPerMember = (process.memoryUsage().heapUsed - heapBefore) / viewers / 1024;
    const cpuPerMember = await cpuShare();
    const tookMs: number[] = [];
    for (let round = 0; round < rounds; round++)
      for (const word of ['leave', 'join'] as const) tookMs.push(await turn(crowd, all, word, count));
    say(`  ${count} members: a view of all has ${Math.round(heapKbPerMember)} KiB of heap,`);
    say(
      `  ${(100 * cpuPerMember).toFixed(2)} % of a core keeps it, and a fresh one has it after ${Math.round(median(freshMs))} ms`,
    );
    return { convergenceMs: Math.max(...tookMs), freshMs: median(freshMs), heapKbPerMember, cpuPerMember };
  } finally {
    for (const viewer of all) await viewer.stop();
    crowd?.end();
    await servers.remove();
  }
}

/** From when one of them says so until all that look on have seen it. */
async function turn(
  crowd: Crowd,
  all: readonly Viewer[],
  word: 'leave' | 'join',
  count: number,
): Promise<number> {
  const last = crowdId(count - 1);
  const isSeen = (viewer: Viewer): boolean =>
    viewer.crowd().some(({ member }) => member.id === last) === (word === 'join');
  const at = crowd.tell(word);
  await until(`all see it ${word}`, () => all.every(isSeen), waitMs, 1);
  const seenAt = performance.timeOrigin + performance.now();
  return seenAt - (await at);
}

/** While nobody comes or goes. */
async function cpuShare(): Promise<number> {
  const begun = process.cpuUsage();
  const begunAt = performance.now();
  await pause(watchedMs);
  const { user, system } = process.cpuUsage(begun);
  return (user + system) / 1000 / (performance.now() - begunAt) / viewers;
}

class Viewer {
  private readonly presence: Presence;
  private readonly stock: Stock;
  private readonly ticking: NodeJS.Timeout;

  constructor(url: string, number: number) {
    const { config } = loadConfig(['--nats', url, '--cluster', cluster, '--lease-ms', String(leaseMs)], {});
    const roles = ['router', 'scheduler'] as const;
    this.presence = new Presence({
      config,
      self: { id: `viewer-${number}.aaaaaa`, roles, endpoint: '', host: '' },
      log: silent,
      condition: () => ({ ...idle, holdings: this.stock.holdings() }),
      isLinked: () => true,
      take: () => {},
      changed: () => this.hear({ type: 'tick' }),
      owned: () => {},
    });
    this.stock = new Stock({
      routes: true,
      nodes: () => {
        const [own, ...others] = this.presence.nodes();
        return { own: own as NodeRecord, others, isLive: this.presence.isLive };
      },
      faringOf: () => ({ state: 'ready', reason: '' }),
      isServed: () => false,
    });
    this.ticking = setInterval(() => this.hear({ type: 'tick' }), stockTickMs);
  }

  async start(): Promise<void> {
    await this.presence.start();
    this.hear({ type: 'store.opened' });
    for (let number = 0; number < storedModels; number++)
      this.hear({ type: 'manifest.put', manifest: manifestOf(number, storedEach) });
    this.hear({ type: 'store.caughtUp' });
    this.hear({ type: 'cache.read', complete: [] });
  }

  crowd(): NodeRecord[] {
    return this.presence.nodes().filter(({ member }) => member.id.startsWith('node-'));
  }

  stop(): Promise<void> {
    clearInterval(this.ticking);
    return this.presence.stop();
  }

  /** All that it wants is there at once. */
  private hear(fact: StockFact): void {
    for (const effect of this.stock.hear(fact, performance.now()))
      if (effect.type === 'fetch') this.hear({ type: 'fetch.ended', turn: effect.turn });
  }
}

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

class Crowd {
  private readonly child: ChildProcess;
  private hear: (word: CrowdWord) => void = () => {};

  private constructor(order: CrowdOrder) {
    const path = fileURLToPath(new URL('./crowd.js', import.meta.url));
    this.child = fork(path, [JSON.stringify(order)]);
    this.child.on('message', (word: CrowdWord) => this.hear(word));
  }

  /** Resolves when all of them have written their entry. */
  static async start(order: CrowdOrder): Promise<Crowd> {
    const crowd = new Crowd(order);
    await new Promise<void>((resolve, reject) => {
      crowd.hear = () => resolve();
      crowd.child.once('exit', (code) => reject(new Error(`the crowd ended with ${code}`)));
    });
    return crowd;
  }

  /** Resolves to when it was done, by the wall clock. */
  tell(word: 'leave' | 'join'): Promise<number> {
    return new Promise((resolve) => {
      this.hear = (told) => {
        if (told.type !== 'there') resolve(told.at);
      };
      this.child.send(word);
    });
  }

  end(): void {
    this.child.kill('SIGKILL');
  }
}
