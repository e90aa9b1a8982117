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
  /** From when NATS could take writes again until every node was on every list and linked. */
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
  const before = clients.now();
  await Promise.all(servers.map((server) => server.kill()));
  await pause(lastsMs);
  for (const server of loses) server.loseData();
  await Promise.all(servers.map((server) => server.start()));
  const backAt = performance.now();
  await leaderOf(fleet);
  const ledAt = performance.now();
  await fleet.whole();
  const wholeAt = performance.now();
  await pause(500);
  const { answered, errors, lost } = clients.since(before);
  const outage = {
    goodput: answered / (answered + errors + lost),
    convergenceMs: wholeAt - ledAt,
    electionMs: ledAt - backAt,
  };
  const after = `${Math.round(outage.electionMs)} ms without a leader, whole ${Math.round(outage.convergenceMs)} ms later`;
  say(`  NATS: ${what}: ${answered} of ${answered + errors + lost} answered; once back ${after}`);
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
