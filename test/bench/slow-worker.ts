// One worker of four is ten times slower than the others: how much longer the slowest answers take, beside four equal
// workers under the same load; `without` is how it goes without the slow one. The real router and scheduler in virtual time; the control sends every request to a worker
// chosen at random, each with a router and a scheduler of its own.
import { type Args, median, quantile, say, saySpread, spread } from './figures.js';
import { chance, gapMs, noiseOf } from './floor/chance.js';
import { type VirtualOrder, VirtualSystem } from './floor/virtual.js';

export const about = 'one 10x slower worker of four, in virtual time: p99 beside four healthy ones';
export const flags = {
  seconds: 'of virtual time per round (60)',
  rounds: 'rounds, each from a seed of its own, at least 5 (5)',
  load: 'share of what four healthy workers carry (0.5)',
  slower: 'how many times slower the one is (10)',
  rows: 'rows that a batch may have (8)',
};

const workers = 4;
const costMs = (rows: number): number => 5 + 0.35 * rows;
const sigma = 0.1;
/** Beyond any wait that is to be expected: nothing is refused for its deadline. */
const budgetMs = 2000;

interface Setting {
  readonly seconds: number;
  readonly load: number;
  readonly slower: number;
  readonly rowsMax: number;
  readonly workers: number;
}

export async function run(args: Args): Promise<Record<string, number>> {
  const rounds = Math.max(5, args.number('rounds', 5));
  const setting = {
    seconds: args.number('seconds', 60),
    load: args.number('load', 0.5),
    slower: args.number('slower', 10),
    rowsMax: args.number('rows', 8),
    workers,
  };
  const healthy = { ...setting, slower: 1 };
  const sides: Record<string, number[]> = {};
  for (let seed = 1; seed <= rounds; seed++) {
    const figures = {
      healthy: p99Of(healthy, seed, 1),
      slow: p99Of(setting, seed, 1),
      without: p99Of({ ...healthy, workers: workers - 1 }, seed, 1),
      randomHealthy: p99Of(healthy, seed, workers),
      random: p99Of(setting, seed, workers),
    };
    for (const [side, figure] of Object.entries(figures)) (sides[side] ??= []).push(figure);
  }
  for (const [side, p99s] of Object.entries(sides)) saySpread(`p99 ${side}`, spread(p99s), ' ms');
  const against = (side: string, other: string): number =>
    median((sides[side] ?? []).map((p99, round) => p99 / ((sides[other] ?? [])[round] as number)));
  return {
    p99VsHealthy: against('slow', 'healthy'),
    withoutP99VsHealthy: against('without', 'healthy'),
    randomP99VsHealthy: against('random', 'healthy'),
    randomP99VsRandomHealthy: against('random', 'randomHealthy'),
  };
}

/** `parts`: 1 for one system of all workers, or one system each between which chance decides. */
function p99Of(
  { seconds, load, slower, rowsMax, workers: crew }: Setting,
  seed: number,
  parts: number,
): number {
  const random = chance(seed);
  const tookMs: number[] = [];
  let lost = 0;
  const systems = Array.from({ length: parts }, (_, part) => {
    const askedAt: number[] = [0];
    const order: VirtualOrder = {
      models: ['model'],
      workers: crew / parts,
      rowsMax,
      costMs: (rows, worker) => costMs(rows) * (part + worker === 0 ? slower : 1),
      noise: noiseOf(chance(seed * 1000 + part), sigma),
      ended: (job, ending, now) => {
        if (ending === 'completed') tookMs.push(now - (askedAt[job] as number));
        else {
          lost++;
          tookMs.push(budgetMs);
        }
      },
    };
    return { askedAt, system: new VirtualSystem(order) };
  });
  const perMs = (load * workers * rowsMax) / costMs(rowsMax);
  for (let now = 1; now < seconds * 1000; now += gapMs(random, perMs)) {
    const { askedAt, system } = systems[Math.floor(random() * parts)] as (typeof systems)[number];
    system.advance(now);
    askedAt.push(now);
    system.submit({ model: 'model', budgetMs });
  }
  for (const { system } of systems) system.advance(seconds * 1000 + budgetMs);
  if (lost > 0) say(`  ${lost} of ${tookMs.length} were not answered, counted as ${budgetMs} ms each`);
  return quantile(tookMs, 0.99);
}
