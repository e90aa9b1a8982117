// Who comes to a simulated system and when: an even stream, bursts, or floods that nobody could answer in time; mixed in
// priority and patience, some of them asking for the same, some ill.
import type { Random } from './random.js';
import { type JobPlan, type ModelPlan, type Nature, phases } from './scenario.js';

/** Those that came last may be asked for again. */
const remembered = 6;

export function jobsOf(random: Random, models: readonly ModelPlan[], steady: boolean): JobPlan[] {
  const floods = random.chance(steady ? 0.7 : 0.15);
  const times = floods ? floodTimes(random) : usualTimes(random);
  times.sort((one, other) => one - other);
  const evils = !steady && random.chance(0.5) ? random.whole(1, 2) : 0;
  const sharing = random.chance(0.35);
  const wanted = floods ? flooded(random, models) : models;
  const besides = steady ? wanted : models;
  const equals = random.chance(steady ? 0.8 : 0.4);
  const jobs: JobPlan[] = [];
  for (const [index, at] of times.entries()) {
    const evil = index > 3 && index <= 3 + evils;
    const job = jobOf(random, at, random.chance(0.15) ? besides : wanted, evil, steady);
    const alike = sharing && random.chance(0.4) ? random.pick(jobs.slice(-remembered)) : undefined;
    if (equals) Object.assign(job, { priority: 1 });
    jobs.push(alike === undefined ? { ...job, content: sharing ? index + 1 : 0 } : again(random, alike, job));
  }
  return jobs;
}

/** A flood is for one model, or for two that want the same workers. */
function flooded(random: Random, models: readonly ModelPlan[]): ModelPlan[] {
  const threads = models.filter(({ place }) => place === 'thread');
  return random.chance(0.5) ? [random.pick(threads)] : threads.slice(0, 2);
}

function usualTimes(random: Random): number[] {
  const count = random.pick([20, 40, 60, 80]);
  const bursts = random.chance(0.4);
  return Array.from({ length: count }, () => {
    const gathered = bursts && random.chance(0.6);
    return gathered ? 40 + 100 * random.whole(0, 3) + random.next() : random.between(5, phases.loadEnds);
  });
}

function floodTimes(random: Random): number[] {
  const begins = random.between(120, 250);
  const lasts = random.between(10, 90);
  return Array.from({ length: random.pick([60, 100, 140]) }, () =>
    random.chance(0.85) ? begins + lasts * random.next() : random.between(5, phases.loadEnds),
  );
}

function jobOf(
  random: Random,
  at: number,
  models: readonly ModelPlan[],
  evil: boolean,
  steady: boolean,
): JobPlan {
  const model = random.pick(models);
  const manner: Nature =
    model.place === 'inline' ? random.pick(['die', 'stuck']) : random.pick(['die', 'hang']);
  return {
    at,
    router: random.whole(0, 1),
    model,
    nature: evil ? manner : !steady && random.chance(0.04) ? random.pick(['bad', 'bad', 'garbles']) : 'plain',
    rows: random.whole(1, Math.min(4, model.rowsMax)),
    shapeKey: random.chance(0.8) ? 'a' : 'b',
    priority: random.pick([0, 1, 1, 1, 2]),
    budgetMs: budgetOf(random, evil, steady),
    cancelAfterMs: random.chance(0.08) ? random.between(0, 60) : Number.NaN,
    content: 0,
    twice: random.chance(0.02),
  };
}

function budgetOf(random: Random, evil: boolean, steady: boolean): number {
  if (evil) return random.between(150, 600);
  if (random.chance(0.03)) return 0;
  return random.chance(steady ? 0.6 : 0.25) ? random.between(8, 60) : random.between(8, 400);
}

/** The same asked for again, by somebody with another patience. */
function again(random: Random, alike: JobPlan, own: JobPlan): JobPlan {
  const { model, nature, rows, shapeKey, content, router } = alike;
  const ill = nature !== 'plain' && nature !== 'bad' && nature !== 'garbles';
  const budgetMs = ill ? budgetOf(random, true, false) : own.budgetMs;
  return {
    ...own,
    model,
    nature,
    rows,
    shapeKey,
    content,
    budgetMs,
    router: random.chance(0.9) ? router : own.router,
  };
}
