// A cluster whose machines are network namespaces: workers are cut off from all, schedulers from every worker, for a moment
// and for long enough that connections are given up. How soon jobs go elsewhere, and how soon all works again.
import { pause, until } from '../../processes/harness.js';
import { Clients } from './clients.js';
import { Fleet, type Place } from './fleet.js';
import { Losses } from './losses.js';
import { NamespaceGround } from './namespaces.js';

const size = { nats: 1, routers: 2, schedulers: 2, workers: 4 } as const;
const counts = { unary: 3, rest: 1, streamed: 2 };
const shortMs = 800;
const longMs = 4500;
const healMs = 30_000;

export interface Cuts {
  readonly errors: number;
  readonly doubles: number;
  /** From the cut until a job of the worker was given to another. */
  readonly redispatchMs: readonly number[];
  /** From the healing until all were linked, and who was cut off had answered. */
  readonly healedMs: readonly number[];
}

export async function cutInTurn(rounds: number, say: (line: string) => void): Promise<Cuts> {
  const ground = new NamespaceGround();
  const fleet = await Fleet.start(size, {}, ground);
  try {
    const losses = new Losses();
    const options = { counts, forgives: () => 'nothing' as const, told: losses.told.bind(losses) };
    const clients = new Clients(fleet.of('router'), options).start();
    const healedMs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const kind = round % 3 === 2 ? 'scheduler' : 'worker';
      const places = fleet.of(kind);
      const place = places[round % places.length] as Place;
      const lastsMs = round % 2 === 0 ? shortMs : longMs;
      if (kind === 'worker') await until(`${place.name} is busy`, () => losses.isBusy(place), healMs);
      losses.struck(place, 'SIGSTOP', performance.now());
      part(ground, fleet, place);
      await pause(lastsMs);
      heal(ground, fleet, place);
      losses.over(place);
      const at = performance.now();
      await fleet.whole(healMs);
      if (kind === 'worker')
        await until(`${place.name} works`, () => losses.lastAnswerOf(place.name) > at, healMs);
      healedMs.push(performance.now() - at);
      await losses.read(fleet.of('router'));
      say(`  cut off ${place.name} for ${lastsMs} ms; healed in ${Math.round(healedMs.at(-1) as number)} ms`);
    }
    const { errors, lost, doubles } = await clients.stop();
    for (const error of clients.errors) say(`  error: ${error}`);
    return { errors: errors + lost, doubles, redispatchMs: losses.stopMs, healedMs };
  } finally {
    await fleet.remove();
  }
}

function part(ground: NamespaceGround, fleet: Fleet, place: Place): void {
  if (place.kind === 'worker') return ground.pull(place);
  for (const worker of fleet.of('worker')) {
    ground.deafen(place, worker);
    ground.deafen(worker, place);
  }
}

function heal(ground: NamespaceGround, fleet: Fleet, place: Place): void {
  if (place.kind === 'worker') return ground.plug(place);
  for (const worker of fleet.of('worker')) {
    ground.mend(place, worker);
    ground.mend(worker, place);
  }
}
