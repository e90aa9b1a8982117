// One seed from its beginning to its end: what it shows, and what it broke.
import { bugs } from './bugs.js';
import { checkRest } from './checks.js';
import { natsHealsAt } from './cluster.js';
import { Clients, Faults, probes } from './load.js';
import { phases, scenarioOf } from './scenario.js';
import { System } from './system.js';
import { Trace } from './trace.js';
import { name } from './truth.js';
import { require, Violation } from './violation.js';

/** By then every worker has its models. */
const warmAt = 120;
const brokenLeast = 6;
const brokenMost = 0.1;
/** The same over many seeds, where no single flood weighs much. */
export const lateShareMost = 0.02;

/** What became of those who were admitted where nothing goes wrong. */
export interface Promises {
  kept: number;
  broken: number;
}

export interface Outcome {
  readonly seed: number;
  readonly hash: string;
  readonly steps: number;
  readonly endings: Readonly<Record<string, number>>;
  readonly promises: Readonly<Promises>;
  /** Empty when all held. */
  readonly invariant: string;
  readonly violation: string;
  readonly lines: readonly string[];
}

export interface SimulateOptions {
  readonly bug?: string | undefined;
  readonly trace?: boolean;
  readonly clusters?: boolean;
}

export async function simulate(
  seed: number,
  { bug = '', trace: wordy = false, clusters = bugs[bug]?.clusters ?? false }: SimulateOptions = {},
): Promise<Outcome> {
  const trace = new Trace(wordy);
  const system = new System(scenarioOf(seed, clusters), trace, bugs[bug]);
  let invariant = '';
  let violation = '';
  const promises: Promises = { kept: 0, broken: 0 };
  try {
    await run(system);
    checkPromises(system, promises);
  } catch (fault) {
    invariant = fault instanceof Violation ? fault.invariant : 'threw';
    violation = fault instanceof Violation ? fault.message : String((fault as Error).stack);
    trace.happened(system.timeline.now, violation);
  }
  const { hash, steps, lines } = trace;
  return { seed, hash, steps, endings: system.truth.endings, promises, invariant, violation, lines };
}

async function run(system: System): Promise<void> {
  const { scenario, timeline } = system;
  const clients = new Clients(system);
  const faults = new Faults(system);
  for (const plan of scenario.nodes) system.startNode(plan);
  for (const plan of scenario.jobs) {
    timeline.at(plan.at, () => {
      const routers = system.with('router');
      const router = routers[plan.router % Math.max(1, routers.length)];
      if (router !== undefined) clients.submit(plan, router, false);
    });
  }
  system.reloads.begin();
  for (const fault of scenario.faults) timeline.at(fault.at, () => faults.strike(fault));
  timeline.at(phases.loadEnds + 400, () => {
    system.network.heal();
    system.cure();
  });
  timeline.at(phases.probeAt, () => {
    for (const { plan, router } of probes(system)) clients.submit(plan, router, true);
  });
  const { town } = system;
  if (town === undefined) timeline.run(phases.ends);
  else {
    town.begin();
    timeline.at(natsHealsAt, () => town.heal());
    await timeline.runKeeping(phases.ends);
    town.checkRest();
  }
  checkEnd(system);
}

/** Who is admitted where nothing goes wrong is answered in time. */
function checkPromises({ truth, scenario }: System, promises: Promises): void {
  // What other models may take by their weight was promised to nobody.
  const wanted = new Set(scenario.jobs.map(({ model }) => model));
  if (!scenario.steady || wanted.size > 1) return;
  for (const { ending, plan, kin } of truth.all()) {
    // Who waits beside another was promised nothing.
    if (plan.at < warmAt || kin.members.length > 1) continue;
    if (ending === 'completed') promises.kept++;
    else if (ending === 'expired DEADLINE_EXCEEDED') promises.broken++;
  }
  const { kept, broken } = promises;
  require(broken <= brokenLeast + brokenMost * kept, 'admission', () =>
    `${broken} jobs were admitted and late beside ${kept} in time, though nothing went wrong`);
}

function checkEnd(system: System): void {
  const { scenario, truth, excuses } = system;
  const processes = [...system.processes.values()];
  const stuck = new Set(processes.filter((process) => process.stuck).map(({ id }) => id));
  for (const process of processes) {
    for (const resident of process.residents) checkRest(process, resident, stuck);
  }
  for (const job of truth.all()) {
    if (!job.router.alive) continue;
    require(job.ending !== '', 'I1', () => `${name(job)} never ended`);
    if (job.probe && excuses.excuses(job)) continue;
    // On a lossy network word of what is ready may be lost for good; a worker may be stuck that health never met.
    if (job.probe && scenario.network.honest && stuck.size === 0) {
      require(job.ending === 'completed', 'I14', () =>
        `${name(job)} for ${job.plan.model.model} ${job.ending} after all healed`);
    }
  }
}
