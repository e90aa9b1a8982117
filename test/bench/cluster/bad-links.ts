// A cluster whose workers are behind links that go bad: one of four, or all of them, and well again. What clients notice, how
// much is still answered, beside how much bare TCP carries over such a link, and how soon all works again.
import type { Faults } from '../../network/faults.js';
import type { Told } from '../../processes/client.js';
import { pause, until } from '../../processes/harness.js';
import { median, quantile } from '../figures.js';
import { askOverTcp } from './bare-tcp.js';
import { Clients, type Tally } from './clients.js';
import { Fleet, type Place } from './fleet.js';
import { Losses } from './losses.js';
import { NamespaceGround } from './namespaces.js';

const size = { nats: 1, routers: 1, schedulers: 2, workers: 4 } as const;
const counts = { unary: 6, rest: 1, streamed: 1 };
const bare = { atOnce: 8, workMs: 13, betweenMs: 15, bytes: 512 };
const soundMs = 3000;
const badMs = 8000;
const healMs = 60_000;

interface Turn {
  readonly says: string;
  readonly faults: Faults;
  readonly whose: 'one' | 'all';
}

const lossy = { says: 'loses 30 %', faults: { lossShare: 0.3 } };
const late = { says: '200 ms late', faults: { delayMs: 200 } };
const turns: readonly Turn[] = [
  { ...lossy, whose: 'one' },
  { ...lossy, whose: 'all' },
  { ...late, whose: 'one' },
  { ...late, whose: 'all' },
  { says: 'nothing it says arrives', faults: { lossShare: 1, only: 'out' }, whose: 'one' },
  { says: 'it hears nothing', faults: { lossShare: 1, only: 'in' }, whose: 'one' },
];

export interface BadLinks {
  /** All that was no answer while at most one of the links was bad; while all were, most is too late. */
  readonly errors: number;
  readonly doubles: number;
  readonly lost: number;
  /** From the healing until all were linked, and each worker whose link was bad had answered. */
  readonly healedMs: readonly number[];
  /** Answers while one of four was bad, to those before. */
  readonly oneBadGoodput: readonly number[];
  /** Answers while all were bad, to those of bare TCP at the same time. */
  readonly allBadToTcp: readonly number[];
}

interface Found extends Tally {
  readonly perSecond: number;
  readonly words: string;
}

class Watch {
  readonly losses = new Losses();
  readonly clients: Clients;
  private latenciesMs: number[] = [];

  constructor(fleet: Fleet) {
    const told = (answer: Told): void => {
      this.losses.told(answer);
      this.latenciesMs.push(answer.toldAt - answer.sentAt);
    };
    this.clients = new Clients(fleet.of('router'), { counts, forgives: () => 'nothing', told }).start();
  }

  /** What clients notice meanwhile. */
  async during(act: Promise<unknown>): Promise<Found> {
    const before = this.clients.now();
    this.latenciesMs = [];
    const at = performance.now();
    await act;
    const tally = this.clients.since(before);
    const perSecond = (tally.answered / (performance.now() - at)) * 1000;
    const [p50, p99] = [median(this.latenciesMs), quantile(this.latenciesMs, 0.99)].map(Math.round);
    return { ...tally, perSecond, words: `${perSecond.toFixed(0)}/s, p50 ${p50} ms, p99 ${p99} ms` };
  }
}

export async function spoilInTurn(rounds: number, say: (line: string) => void): Promise<BadLinks> {
  const ground = new NamespaceGround((kind) => kind === 'worker');
  const fleet = await Fleet.start(size, {}, ground);
  const [healedMs, oneBadGoodput, allBadToTcp]: [number[], number[], number[]] = [[], [], []];
  let forgiven = 0;
  try {
    const watch = new Watch(fleet);
    const workers = fleet.of('worker');
    await until('all work', () => workers.every((place) => watch.losses.isBusy(place)), healMs);
    for (let round = 0; round < rounds; round++) {
      const { says, faults, whose } = turns[round % turns.length] as Turn;
      const bad = whose === 'all' ? workers : [workers[round % workers.length] as Place];
      const sound = await watch.during(pause(soundMs));
      await Promise.all(bad.map((place) => ground.spoil(place, faults)));
      const tcp = askOverTcp(ground.spaceOf(bad[0] as Place), { ...bare, lastsMs: badMs });
      const sick = await watch.during(tcp);
      await Promise.all(bad.map((place) => ground.spoil(place, {})));
      const whole = await watch.during(healed(fleet, watch, bad).then((ms) => healedMs.push(ms)));
      if (whose === 'one') oneBadGoodput.push(sick.perSecond / sound.perSecond);
      else {
        if ((await tcp) > 0) allBadToTcp.push(sick.perSecond / (await tcp));
        forgiven += sick.errors + whole.errors;
      }
      say(
        `  ${whose === 'all' ? 'all four' : `only ${bad[0]?.name}`}, ${says}: ${sick.words}, ${sick.errors} errors`,
      );
      say(
        `    before ${sound.words}; bare TCP ${(await tcp).toFixed(0)}/s; healed in ${Math.round(healedMs.at(-1) ?? 0)} ms`,
      );
    }
    const { errors, lost, doubles } = await watch.clients.stop();
    for (const error of watch.clients.errors) say(`  error: ${error}`);
    return { errors: errors - forgiven, lost, doubles, healedMs, oneBadGoodput, allBadToTcp };
  } finally {
    await fleet.remove();
  }
}

async function healed(fleet: Fleet, { losses }: Watch, bad: readonly Place[]): Promise<number> {
  const at = performance.now();
  await fleet.whole(healMs);
  const works = (place: Place): boolean => losses.lastAnswerOf(place.name) > at;
  await until('all work again', () => bad.every(works), healMs);
  return performance.now() - at;
}
