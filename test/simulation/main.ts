// The simulator from the command line: many seeds at once, one seed with its trace, or the planted bugs, each of which
// must be found. Ends with 1 when something is not as it should be.
import { parseArgs } from 'node:util';
import { now } from '../../runtime/clock.js';
import { bugs } from './bugs.js';
import { type Report, ranges, runTasks, type Task } from './crew.js';
import { lateShareMost, simulate } from './simulate.js';

const usage = `Usage: npm run simulate -- [options]
  --seeds N     how many seeds (default 1000)
  --seed S      the first seed (default 1); with --trace the only one
  --trace       print every step of one seed
  --clusters    only clusters of nodes that find each other by a NATS that fails (else a tenth of the seeds)
  --bug NAME    plant a bug: it is looked for until a seed finds it
  --bugs        plant all bugs, one after another
`;
const seedsPerTask = 50;
const seedsPerBug = 2000;
/** Of fewer jobs the share that was late says little. */
const admittedEnough = 1000;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function whole(given: string | undefined, fallback: number, option: string): number {
  if (given === undefined) return fallback;
  const value = Number(given);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error(`--${option} is ${given}, wanted is a whole number from 0`);
}

async function trace(seed: number, bug: string, clusters: boolean): Promise<number> {
  const { lines, hash, steps, violation } = await simulate(seed, {
    trace: true,
    bug,
    ...(clusters ? { clusters } : {}),
  });
  for (const line of lines) say(line);
  say(`seed ${seed}: ${steps} steps, hash ${hash}, ${violation === '' ? 'all held' : violation}`);
  return violation === '' ? 0 : 1;
}

async function many(from: number, count: number, clusters: boolean): Promise<number> {
  const startedAt = now();
  const reports: Report[] = [];
  await runTasks(ranges(from, count, seedsPerTask, clusters), (report) => {
    reports.push(report);
    for (const { seed, violation } of report.violations) {
      say(`seed ${seed}: ${violation}`);
      say(`  npm run simulate -- ${clusters ? '--clusters ' : ''}--seed ${seed} --trace`);
    }
  });
  const endings: Record<string, number> = {};
  for (const report of reports) {
    for (const [ending, jobs] of Object.entries(report.endings))
      endings[ending] = (endings[ending] ?? 0) + jobs;
  }
  const sum = (of: (report: Report) => number): number =>
    reports.reduce((total, report) => total + of(report), 0);
  const seconds = (now() - startedAt) / 1000;
  const broken = sum((report) => report.violations.length);
  for (const [ending, jobs] of Object.entries(endings).sort(([, one], [, other]) => other - one)) {
    say(`${String(jobs).padStart(10)} ${ending}`);
  }
  say(`${sum(({ seeds }) => seeds)} seeds, ${sum(({ steps }) => steps)} steps in ${seconds.toFixed(1)} s`);
  const kept = sum(({ promises }) => promises.kept);
  const late = sum(({ promises }) => promises.broken);
  const share = late / Math.max(1, kept + late);
  say(`${(share * 100).toFixed(2)} % of ${kept + late} jobs were admitted and late where nothing goes wrong`);
  const isLate = kept + late > admittedEnough && share > lateShareMost;
  if (isLate) say(`  at most ${lateShareMost * 100} % may be`);
  say(`${broken} violations`);
  return broken === 0 && !isLate ? 0 : 1;
}

async function plant(names: readonly string[], from: number, count: number): Promise<number> {
  let missed = 0;
  const tasks: Task[] = names.map((bug) => ({ from, count, bug, untilFound: true }));
  await runTasks(tasks, ({ task, seeds, violations: [first] }) => {
    if (first === undefined) missed++;
    const found =
      first === undefined ? `NOT found in ${seeds} seeds` : `seed ${first.seed}: ${first.violation}`;
    say(`${task.bug}: ${bugs[task.bug]?.about}\n    ${found.split('\n')[0]}`);
  });
  say(`${names.length - missed} of ${names.length} planted bugs found`);
  return missed === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      seed: { type: 'string' },
      bug: { type: 'string' },
      trace: { type: 'boolean', default: false },
      clusters: { type: 'boolean', default: false },
      bugs: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    say(usage);
    return 0;
  }
  const { bug = '' } = values;
  if (bug !== '' && bugs[bug] === undefined) {
    throw new Error(`--bug is ${bug}, allowed are ${Object.keys(bugs).join(', ')}`);
  }
  const from = whole(values.seed, 1, 'seed');
  if (values.trace) return trace(from, bug, values.clusters);
  if (values.bugs) return plant(Object.keys(bugs), from, whole(values.seeds, seedsPerBug, 'seeds'));
  if (bug !== '') return plant([bug], from, whole(values.seeds, seedsPerBug, 'seeds'));
  return many(from, whole(values.seeds, 1000, 'seeds'), values.clusters);
}

try {
  process.exitCode = await main();
} catch (fault) {
  process.stderr.write(`${(fault as Error).message}\n${usage}`);
  process.exitCode = 2;
}
