// What is done to the cluster, one thing after the other: whoever is struck is started again, and the next is not struck
// before all are whole.
import type { NatsServer } from '../../nats/server.js';
import { pause, until } from '../../processes/harness.js';
import type { Clients, Forgiven } from './clients.js';
import type { Fleet, Place } from './fleet.js';
import type { Losses } from './losses.js';

export interface Stage {
  readonly fleet: Fleet;
  readonly clients: Clients;
  readonly losses: Losses;
  /** What clients bear from routers now; from those that are not in it, nothing. */
  readonly struck: Map<Place, Forgiven>;
  /** Hears on the way what is done. */
  readonly say: (line: string) => void;
}

const frozenMs = 700;
const seenMs = 20_000;
const reconnectMs = 1500;

/** Kills the one whose turn it is, a server of NATS among them, and freezes a worker or a scheduler. */
export async function strikeInTurn(stage: Stage, round: number): Promise<void> {
  const { fleet } = stage;
  const all: (Place | NatsServer)[] = [...fleet.places, ...fleet.nats.servers];
  const victim = all[round % all.length] as Place | NatsServer;
  if ('kind' in victim) await kill(stage, victim);
  else {
    await victim.kill();
    await pause(frozenMs);
    await victim.start();
    stage.say(`  round ${round + 1}: killed ${victim.options.name}`);
  }
  await fleet.whole();
  const kind = round % 2 === 0 ? 'worker' : 'scheduler';
  const frozen = fleet.of(kind);
  await freeze(stage, frozen[Math.floor(round / 2) % frozen.length] as Place);
  await fleet.whole();
}

export async function kill(stage: Stage, place: Place): Promise<void> {
  const { fleet, losses, struck } = stage;
  await busy(stage, place);
  if (place.kind === 'router') struck.set(place, 'broken');
  const at = fleet.strike(place, 'SIGKILL');
  losses.struck(place, 'SIGKILL', at);
  await fleet.again(place);
  await fleet.whole();
  losses.over(place);
  await losses.read(fleet.of('router'));
  forgive(stage, place);
  stage.say(`  killed ${place.name}; whole after ${Math.round(performance.now() - at)} ms`);
}

export async function freeze(stage: Stage, place: Place): Promise<void> {
  const { fleet, losses } = stage;
  await busy(stage, place);
  losses.struck(place, 'SIGSTOP', fleet.strike(place, 'SIGSTOP'));
  await pause(frozenMs);
  fleet.strike(place, 'SIGCONT');
  losses.over(place);
  await losses.read(fleet.of('router'));
  stage.say(`  froze ${place.name} for ${frozenMs} ms`);
}

/** Its clients may need a moment to find that it is back. */
function forgive({ struck }: Stage, place: Place): void {
  setTimeout(() => struck.delete(place), reconnectMs).unref();
}

async function busy({ losses }: Stage, place: Place): Promise<void> {
  if (place.kind === 'worker') await until(`${place.name} is busy`, () => losses.isBusy(place), seenMs);
}

export interface Restarts {
  readonly errors: number;
  readonly drainMs: readonly number[];
  readonly usefulMs: readonly number[];
}

/**
 * Each node in turn is asked to end, as for a new version of it, and started again. Whatever fails is an error but this: while
 * a router is gone it takes no connection, and who is refused one asks the other router.
 */
export async function restartAll(stage: Stage): Promise<Restarts> {
  const { fleet, clients } = stage;
  const before = clients.now();
  const drainMs: number[] = [];
  const usefulMs: number[] = [];
  for (const place of fleet.places) {
    const restarted = await restart(stage, place);
    drainMs.push(restarted.drainMs);
    if (restarted.usefulMs !== undefined) usefulMs.push(restarted.usefulMs);
  }
  const { errors, lost } = clients.since(before);
  return { errors: errors + lost, drainMs, usefulMs };
}

/** Until it has ended, and, of a worker, from its start until its first answer. */
export async function restart(stage: Stage, place: Place): Promise<{ drainMs: number; usefulMs?: number }> {
  const { fleet, losses, struck } = stage;
  if (place.kind === 'router') struck.set(place, 'refused');
  const at = performance.now();
  losses.struck(place, 'SIGTERM', at);
  const { code } = await place.node.stop();
  const drainMs = performance.now() - at;
  if (code !== 0) throw new Error(`${place.name} ended with ${code}: ${place.node.tail()}`);
  const began = performance.now();
  await fleet.again(place);
  const isWorker = place.kind === 'worker';
  if (isWorker) await until(`${place.name} works`, () => losses.lastAnswerOf(place.name) > began, seenMs);
  const usefulMs = losses.lastAnswerOf(place.name) - began;
  await fleet.whole();
  forgive(stage, place);
  return isWorker ? { drainMs, usefulMs } : { drainMs };
}
