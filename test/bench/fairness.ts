// Two tenants with a model each on the same workers, and one of them asks five times what both together may: how much of
// its goodput the other keeps. The real router and scheduler in virtual time.
import { type Args, median, saySpread, spread } from './figures.js';
import { chance, gapMs, noiseOf } from './floor/chance.js';
import { VirtualSystem } from './floor/virtual.js';

export const about = 'two models on the same workers, one flooded, in virtual time: what the other keeps';
export const flags = {
  seconds: 'of virtual time per round (20)',
  rounds: 'rounds, each from a seed of its own, at least 5 (5)',
  load: 'what each asks for while nobody floods, as a share of what the workers carry (0.4)',
  flood: 'how many times that the one asks for who floods (5)',
};

const workers = 2;
const rowsMax = 16;
const sigma = 0.1;
const budgetMs = 100;
const costMs = (rows: number): number => 5.4 + 0.34 * rows;

interface Setting {
  readonly seconds: number;
  readonly load: number;
}

export async function run(args: Args): Promise<Record<string, number>> {
  const rounds = Math.max(5, args.number('rounds', 5));
  const setting = { seconds: args.number('seconds', 20), load: args.number('load', 0.4) };
  const flood = args.number('flood', 5);
  const calm: Served[] = [];
  const flooded: Served[] = [];
  for (let seed = 1; seed <= rounds; seed++) {
    calm.push(serve(setting, seed, 1));
    flooded.push(serve(setting, seed, flood));
  }
  const share = (all: readonly Served[], who: keyof Served) => spread(all.map((served) => served[who]));
  saySpread('of the quiet one in time, both quiet', share(calm, 'victim'));
  saySpread('of the quiet one in time, the other floods', share(flooded, 'victim'));
  saySpread('of the flood in time', share(flooded, 'other'));
  return {
    victimKept: median(flooded.map(({ victim }, round) => victim / (calm[round] as Served).victim)),
    victimInTime: share(flooded, 'victim').median,
    floodInTime: share(flooded, 'other').median,
  };
}

/** Shares of what each asked for that were answered in time. */
interface Served {
  readonly victim: number;
  readonly other: number;
}

function serve({ seconds, load }: Setting, seed: number, flood: number): Served {
  const random = chance(seed);
  const owner: ('victim' | 'other')[] = ['other'];
  const inTime = { victim: 0, other: 0 };
  const asked = { victim: 0, other: 0 };
  const askedAt: number[] = [0];
  const system = new VirtualSystem({
    ...{ models: ['victim', 'other'], workers, rowsMax, costMs },
    noise: noiseOf(chance(seed * 1000), sigma),
    ended: (job, ending, now) => {
      if (ending === 'completed' && now - (askedAt[job] as number) <= budgetMs)
        inTime[owner[job] as 'victim' | 'other']++;
    },
  });
  const perMs = (load * workers * rowsMax) / costMs(rowsMax);
  const nextAt = { victim: gapMs(random, perMs), other: gapMs(random, perMs * flood) };
  for (;;) {
    const who = nextAt.victim <= nextAt.other ? 'victim' : 'other';
    const now = nextAt[who];
    if (now > seconds * 1000) break;
    nextAt[who] = now + gapMs(random, who === 'victim' ? perMs : perMs * flood);
    system.advance(now);
    askedAt.push(now);
    owner.push(who);
    asked[who]++;
    system.submit({ model: who, budgetMs });
  }
  system.advance(seconds * 1000 + budgetMs);
  return { victim: inTime.victim / asked.victim, other: inTime.other / asked.other };
}
