// Decisions per second of a core's time, of one scheduler and of several that share the same models: what is decided by more
// of them must not cost more. In one process, for two cores show no more than that.
import { type Mix, System } from '../decisions/system.js';
import { interleave, say, saySpread } from '../figures.js';

const models = Array.from({ length: 16 }, (_, number) => `model-${number}`);
const mix: Mix = {
  models,
  sizes: [64],
  priorities: [0, 0, 1, 2],
  budgetMs: [30_000, 30_011],
  measured: true,
};
const rowsMax = 8;
const queued = 10_000;

/** How much several do of what one does in the same time of a core. */
export async function schedulersShare(count: number, rounds: number, jobs: number): Promise<number> {
  const figures = await interleave(rounds, {
    one: () => perSecond(1, jobs),
    several: () => perSecond(count, jobs),
  });
  saySpread('decisions per CPU second, one scheduler', figures.one);
  saySpread(`decisions per CPU second, ${count} schedulers`, figures.several);
  return figures.several.median / figures.one.median;
}

function perSecond(schedulers: number, jobs: number): number {
  const system = new System(rowsMax, mix, schedulers);
  for (let job = 0; job < queued; job++) system.submit();
  system.settle();
  const begun = process.cpuUsage();
  system.work(jobs);
  const { user, system: kernel } = process.cpuUsage(begun);
  if (system.ended < jobs) throw new Error(`only ${system.ended} of ${jobs} jobs ended`);
  if (system.refused > 0) say(`  ${system.refused} jobs were refused`);
  return system.ended / ((user + kernel) / 1e6);
}
