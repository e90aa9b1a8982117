// What deciding costs: the real router and scheduler with stand-in workers that answer every batch at once, with ten
// thousand jobs queued all the time. No sockets, no tensors, no model: only who gets what, and every job's one end.
// `everything`: several models and shapes, all priorities, costs that admission knows; `tight` is with deadlines that it has to weigh.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Mix, System } from './decisions/system.js';
import { type Args, interleave, say, saySpread, spread } from './figures.js';

export const about = 'jobs per second through the decisions alone, and what a live job weighs';
export const flags = {
  queued: 'how many jobs are queued all the time (10000)',
  jobs: 'how many jobs end in a round (150000)',
  rounds: 'how many rounds (5)',
  rows: 'how many jobs a batch takes (8)',
  memory: 'over how many jobs the memory is watched, 10000000 for the long form (1000000)',
};

const plain: Mix = {
  models: ['digits'],
  sizes: [64],
  priorities: [0],
  budgetMs: [30_000, 30_011],
  measured: false,
};
const everything: Mix = {
  models: ['digits', 'wide', 'text'],
  sizes: [64, 128, 256],
  priorities: [0, 0, 1, 2],
  budgetMs: [3000, 30_011],
  measured: true,
};
/** Some have to go before thousands, and not all of them can be taken. */
const tight: Mix = { ...everything, budgetMs: [20, 397] };

export async function run(args: Args): Promise<Record<string, number>> {
  const queued = args.number('queued', 10_000);
  const jobs = args.number('jobs', 150_000);
  const rows = args.number('rows', 8);
  const figures = await interleave(args.number('rounds', 5), {
    batched: () => perSecond(queued, jobs, rows),
    alone: () => perSecond(queued, jobs, 1),
    everything: () => perSecond(queued, jobs, rows, everything),
    tight: () => perSecond(queued, jobs / 3, rows, tight),
  });
  saySpread(`jobs per second, batches of ${rows}`, figures.batched);
  saySpread('jobs per second, one by one', figures.alone);
  saySpread(`jobs per second, everything on, batches of ${rows}`, figures.everything);
  saySpread('the same with deadlines of 20 ms and more', figures.tight);
  const weights = spread([1, 2, 3, 4, 5].map(() => bytesPerLiveJob(queued)));
  saySpread('bytes per live job', weights);
  const watched = args.number('memory', 1_000_000);
  const growth = heapGrowth(watched, rows);
  say(`  the heap has grown by ${Math.round(growth / 1024)} KiB over ${watched} jobs`);
  return {
    jobsPerSecond: figures.batched.median,
    jobsPerSecondEverything: figures.everything.median,
    jobsPerSecondTight: figures.tight.median,
    jobsPerSecondOneByOne: figures.alone.median,
    bytesPerLiveJob: weights.median,
    heapGrowthBytes: growth,
  };
}

/** Per second of a core's time, collecting garbage included: what else the machine does meanwhile is not counted. */
function perSecond(queued: number, jobs: number, rowsMax: number, mix = plain): number {
  const system = new System(rowsMax, mix);
  for (let job = 0; job < queued; job++) system.submit();
  system.settle();
  const begun = process.cpuUsage();
  system.work(jobs);
  const { user, system: kernel } = process.cpuUsage(begun);
  const seconds = (user + kernel) / 1e6;
  if (system.ended < jobs) throw new Error(`only ${system.ended} of ${jobs} jobs ended`);
  if (mix === plain && system.refused > 0) throw new Error(`${system.refused} jobs were not completed`);
  return system.ended / seconds;
}

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

/** From when a tenth of them has ended: what is kept on purpose is there by then. */
function heapGrowth(jobs: number, rowsMax: number): number {
  const collect = collector();
  const system = new System(rowsMax, tight);
  for (let job = 0; job < 1000; job++) system.submit();
  system.settle();
  system.work(jobs / 10);
  collect();
  const before = process.memoryUsage().heapUsed;
  system.work(jobs);
  collect();
  return process.memoryUsage().heapUsed - before;
}

function bytesPerLiveJob(queued: number): number {
  const collect = collector();
  const system = new System(1, plain);
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let job = 0; job < queued; job++) system.submit();
  system.settle();
  collect();
  const after = process.memoryUsage().heapUsed;
  if (system.live !== queued) throw new Error(`${system.live} of ${queued} jobs are live`);
  return (after - before) / queued;
}
