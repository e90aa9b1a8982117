// NATS lost and back, in four ways: what clients notice meanwhile, and how soon the cluster's list is kept again. NATS itself
// elects for some seconds who leads after a return: until then nobody can write, so that is told apart.
import { connect, type NatsConnection } from 'nats';
import type { NatsServer } from '../../nats/server.js';
import { pause, until } from '../../processes/harness.js';
import type { Fleet } from './fleet.js';
import type { Stage } from './rounds.js';

export interface Outage {
  /** The share of requests that were answered rightly and in time. */
  readonly goodput: number;
  /** Answers per second to those before: who waits for an answer asks nothing else meanwhile, so a stall shows here. */
  readonly rateToBefore: number;
  /** The longest that somebody waited for an answer. */
  readonly longestMs: number;
  /** From when NATS could take writes again until every router had a new word of every node by the list, and links to all. */
  readonly convergenceMs: number;
  /** From when its servers ran again until it could. */
  readonly electionMs: number;
}

interface Plan {
  readonly what: string;
  readonly servers: readonly NatsServer[];
  readonly lastsMs: number;
  readonly loses: readonly NatsServer[];
}

const leaderGoneMs = 8000;
const dataLostMs = 3000;
const electionMs = 60_000;
const soundMs = 4000;
const wholeMs = 60_000;

export async function loseNats(stage: Stage, lastsMs: number): Promise<Outage[]> {
  const { servers } = stage.fleet.nats;
  const leader = async (): Promise<readonly NatsServer[]> => {
    const name = await leaderOf(stage.fleet);
    return servers.filter(({ options }) => options.name === name);
  };
  const outages: Outage[] = [];
  for (const plan of [
    { what: 'the leader killed', servers: await leader(), lastsMs: leaderGoneMs, loses: [] },
    { what: 'all killed', servers, lastsMs, loses: [] },
    { what: 'the leader killed, its data lost', servers: [], lastsMs: dataLostMs, loses: [] },
    { what: 'all killed, all data lost', servers, lastsMs: dataLostMs, loses: servers },
  ]) {
    // Who leads is another one by then.
    const named = plan.servers.length > 0 ? plan : { ...plan, servers: await leader() };
    outages.push(await lose(stage, named === plan ? plan : { ...named, loses: named.servers }));
  }
  return outages;
}

async function lose(
  { fleet, clients, say }: Stage,
  { what, servers, lastsMs, loses }: Plan,
): Promise<Outage> {
  const sound = clients.look();
  await pause(soundMs);
  const { perSecond: before } = sound();
  const sick = clients.look();
  await Promise.all(servers.map((server) => server.kill()));
  await pause(lastsMs);
  for (const server of loses) server.loseData();
  await Promise.all(servers.map((server) => server.start()));
  const backAt = performance.now();
  await leaderOf(fleet);
  const ledAt = performance.now();
  await fleet.whole(wholeMs, await fleet.beats());
  const wholeAt = performance.now();
  await pause(500);
  const { answered, errors, lost, perSecond, longestMs } = sick();
  const outage = {
    goodput: answered / (answered + errors + lost),
    rateToBefore: perSecond / before,
    longestMs,
    convergenceMs: wholeAt - ledAt,
    electionMs: ledAt - backAt,
  };
  const after = `${Math.round(outage.electionMs)} ms without a leader, whole ${Math.round(outage.convergenceMs)} ms later`;
  say(`  NATS: ${what}: ${answered} of ${answered + errors + lost} answered; once back ${after}`);
  say(
    `    ${perSecond.toFixed(0)} answers per second, ${before.toFixed(0)} before; the slowest after ${Math.round(longestMs)} ms`,
  );
  return outage;
}

/** The name of the server that leads the list of members, once there is one. */
async function leaderOf(fleet: Fleet): Promise<string> {
  let leader: string | undefined;
  await until(
    'NATS has a leader for the list of members',
    async () => {
      leader = await askForLeader(fleet).catch(() => undefined);
      return leader !== undefined;
    },
    electionMs,
    50,
  );
  return leader as string;
}

async function askForLeader({ nats, cluster }: Fleet): Promise<string | undefined> {
  let connection: NatsConnection | undefined;
  try {
    connection = await connect({ servers: nats.urls.split(','), timeout: 1000, reconnect: false });
    const manager = await connection.jetstreamManager({ timeout: 1000 });
    const { cluster: copies } = await manager.streams.info(`KV_signalbox-${cluster}-members`);
    return copies?.leader;
  } finally {
    await connection?.close();
  }
}
