// A cluster of many members on a real NATS: the entries of all are written by a crowd in another process, and some members
// here have the whole view, as nodes do. How soon they agree after somebody joins or leaves, how soon one that has just come
// knows all, and what that costs each of them.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { StoredMembership } from '../../../cluster/stored.js';
import { Upkeep } from '../../../runtime/membership/upkeep.js';
import { executable } from '../../nats/at-hand.js';
import { NatsServers } from '../../nats/servers.js';
import { pause, until } from '../../processes/harness.js';
import { median, say } from '../figures.js';
import { bucketOf, type CrowdOrder, type CrowdWord, connectTo, crowdId, keepMs } from './store.js';

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
const watchedMs = 8000;
const waitMs = 60_000;
const idle = { state: 'serving', models: [], labels: [], workers: [], jobs: 0 } as const;
const silent = { debug() {}, info() {}, warn() {}, error() {}, takes: () => false };

interface Viewer {
  readonly membership: StoredMembership;
  readonly upkeep: Upkeep;
}

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
      const viewer = viewerOf(servers.urls, number);
      all.push(viewer);
      await viewer.upkeep.start();
      await until('it knows all', () => seenBy(viewer) >= count, waitMs, 1);
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
    for (const { upkeep } of all) await upkeep.abandon();
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
  const isSeen = ({ membership }: Viewer): boolean =>
    membership.nodes().some(({ member }) => member.id === last) === (word === 'join');
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

function seenBy({ membership }: Viewer): number {
  return membership.nodes().filter(({ member }) => member.id.startsWith('node-')).length;
}

function viewerOf(url: string, number: number): Viewer {
  const self = { id: `viewer-${number}.aaaaaa`, roles: ['router'], endpoint: '', host: '' } as const;
  const about = { self, cluster, build: '0.1.0', machine: 'here', condition: () => idle };
  const membership = new StoredMembership({ ...about, beatMs, leaseMs });
  const upkeep = new Upkeep({
    membership,
    connect: (events) => connectTo(url, self.id, events),
    store: { name: bucketOf(cluster), keepMs },
    where: url,
    startMs: waitMs,
    tickMs: beatMs / 4,
    log: silent,
    take: () => {},
    changed: () => {},
  });
  return { membership, upkeep };
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
