// What a seed stands for: how the system is laid out, how bad its network is, which jobs its clients bring, and what
// goes wrong when. Drawn before the run, so that it does not depend on what the actors do.
import type { Role } from '../../proto/ids.js';
import type { Place } from '../../proto/messages.js';
import { Random } from './random.js';

export interface ModelPlan {
  readonly model: string;
  readonly place: Place;
  readonly rowsMax: number;
  readonly alphaMs: number;
  readonly betaMs: number;
  readonly runMaxMs: number;
}

export interface NodePlan {
  readonly name: string;
  readonly roles: readonly Role[];
  readonly workers: readonly string[];
}

/** `die` ends its worker's process, `hang` never comes back from its run, `stuck` blocks the whole process. */
export type Nature = 'plain' | 'bad' | 'die' | 'hang' | 'stuck';

export interface JobPlan {
  readonly at: number;
  /** Which of the routers it comes to. */
  readonly router: number;
  readonly model: ModelPlan;
  readonly nature: Nature;
  readonly rows: number;
  readonly shapeKey: string;
  readonly priority: number;
  readonly budgetMs: number;
  /** NaN: never. */
  readonly cancelAfterMs: number;
}

export const faultKinds = [
  'kill',
  'freeze',
  'stall',
  'cut',
  'rejoin',
  'partition',
  'crash',
  'drainWorker',
  'drainRouter',
  'storm',
] as const;

export interface FaultPlan {
  readonly at: number;
  readonly kind: (typeof faultKinds)[number];
  /** Picks the target among those that there are at the time: from 0 up to 1. */
  readonly target: number;
  readonly other: number;
  readonly durationMs: number;
}

/** On an `honest` network whoever loses something is told of it (as over a stream); on a `lossy` one it may vanish. */
export interface NetworkPlan {
  readonly honest: boolean;
  readonly delayMs: number;
  readonly noiseMs: number;
  readonly drop: number;
  readonly duplicate: number;
  readonly reorder: number;
}

export interface Scenario {
  readonly seed: number;
  readonly layout: string;
  readonly nodes: readonly NodePlan[];
  readonly models: readonly ModelPlan[];
  readonly network: NetworkPlan;
  readonly jobs: readonly JobPlan[];
  readonly faults: readonly FaultPlan[];
  readonly choice: 'earliest-finish' | 'least-loaded' | 'round-robin';
  readonly credits: Readonly<Record<Place, number>>;
  readonly queueDepthMax: number;
  readonly jobsMax: number;
  readonly lossesMax: number;
  /** Chances that a run ends as the executor's fault. */
  readonly deviceLost: number;
  readonly resultInvalid: number;
  /** Worker names and models that never load. */
  readonly unloadable: readonly string[];
}

export const phases = {
  /** Clients bring jobs and faults begin until then. */
  loadEnds: 450,
  /** Healthy jobs are brought then, to see whether the capacity is back. */
  probeAt: 1050,
  probeBudgetMs: 250,
  ends: 1330,
} as const;

const workerNames = ['worker-1', 'worker-2', 'worker-3', 'worker-4'] as const;

function layoutOf(random: Random): { layout: string; nodes: readonly NodePlan[] } {
  const [one, two, three, four] = workerNames;
  const layout = random.pick(['apart', 'pairs', 'together']);
  if (layout === 'together') {
    const roles: Role[] = ['router', 'scheduler', 'health', 'host'];
    return {
      layout,
      nodes: [
        { name: 'node-1', roles, workers: [one, two] },
        { name: 'node-2', roles, workers: [three, four] },
      ],
    };
  }
  const hosts: NodePlan[] = [
    { name: 'host-1', roles: ['health', 'host'], workers: [one, two] },
    { name: 'host-2', roles: ['host'], workers: [three, four] },
  ];
  if (layout === 'pairs') {
    const roles: Role[] = ['router', 'scheduler'];
    return {
      layout,
      nodes: [{ name: 'node-1', roles, workers: [] }, { name: 'node-2', roles, workers: [] }, ...hosts],
    };
  }
  const single = (role: Role, name: string): NodePlan => ({ name, roles: [role], workers: [] });
  return {
    layout,
    nodes: [
      single('router', 'router-1'),
      single('router', 'router-2'),
      single('scheduler', 'scheduler-1'),
      single('scheduler', 'scheduler-2'),
      ...hosts,
    ],
  };
}

function modelsOf(random: Random): ModelPlan[] {
  const cost = (alphaMs: number, betaMs: number): Pick<ModelPlan, 'alphaMs' | 'betaMs' | 'runMaxMs'> => ({
    alphaMs: alphaMs * random.between(0.5, 2),
    betaMs: betaMs * random.between(0.3, 2),
    runMaxMs: random.between(110, 160),
  });
  return [
    { model: 'tiny', place: 'inline', rowsMax: 8, ...cost(0.2, 0.02) },
    { model: 'middle', place: 'thread', rowsMax: random.pick([4, 8, 16]), ...cost(4, 0.7) },
    { model: 'single', place: 'thread', rowsMax: 1, ...cost(3, 1) },
  ];
}

function networkOf(random: Random): NetworkPlan {
  const delayMs = random.pick([0.05, 0.1, 0.5, 2]);
  const noiseMs = delayMs * random.pick([0.2, 1, 4]);
  if (random.chance(0.6)) return { honest: true, delayMs, noiseMs, drop: 0, duplicate: 0, reorder: 0 };
  return {
    honest: false,
    delayMs,
    noiseMs,
    drop: random.pick([0, 0.002, 0.02]),
    duplicate: random.pick([0, 0.01, 0.05]),
    reorder: random.pick([0, 0.02, 0.1]),
  };
}

function jobOf(random: Random, at: number, models: readonly ModelPlan[], evil: boolean): JobPlan {
  const model = random.pick(models);
  const manner: Nature =
    model.place === 'inline' ? random.pick(['die', 'stuck']) : random.pick(['die', 'hang']);
  const nature: Nature = evil ? manner : random.chance(0.03) ? 'bad' : 'plain';
  return {
    at,
    router: random.whole(0, 1),
    model,
    nature,
    rows: random.whole(1, Math.min(4, model.rowsMax)),
    shapeKey: random.chance(0.8) ? 'a' : 'b',
    priority: random.pick([0, 1, 1, 1, 2]),
    budgetMs: evil ? random.between(150, 600) : random.chance(0.03) ? 0 : random.between(8, 400),
    cancelAfterMs: random.chance(0.08) ? random.between(0, 60) : Number.NaN,
  };
}

function jobsOf(random: Random, models: readonly ModelPlan[]): JobPlan[] {
  const count = random.pick([20, 40, 60, 80]);
  const evils = random.chance(0.5) ? random.whole(1, 2) : 0;
  const bursts = random.chance(0.4);
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const gathered = bursts && random.chance(0.6);
    times.push(gathered ? 40 + 100 * random.whole(0, 3) + random.next() : random.between(5, phases.loadEnds));
  }
  times.sort((one, other) => one - other);
  return times.map((at, index) => jobOf(random, at, models, index > 3 && index <= 3 + evils));
}

function faultsOf(random: Random): FaultPlan[] {
  const count = random.pick([0, 1, 2, 4, 6]);
  return Array.from({ length: count }, () => ({
    at: random.between(10, phases.loadEnds),
    kind: random.pick(faultKinds),
    target: random.next(),
    other: random.next(),
    durationMs: random.pick([random.between(1, 30), random.between(30, 120), random.between(120, 350)]),
  }));
}

export function scenarioOf(seed: number): Scenario {
  const random = new Random(seed);
  const models = modelsOf(random.fork(1));
  const flaky = random.chance(0.15);
  return {
    seed,
    ...layoutOf(random.fork(2)),
    models,
    network: networkOf(random.fork(3)),
    jobs: jobsOf(random.fork(4), models),
    faults: faultsOf(random.fork(5)),
    choice: random.pick(['earliest-finish', 'least-loaded', 'round-robin']),
    credits: { inline: random.whole(1, 2), thread: random.whole(1, 3) },
    queueDepthMax: random.pick([6, 20, 100]),
    jobsMax: random.pick([10, 30, 1000]),
    lossesMax: random.pick([3, 5]),
    deviceLost: flaky ? random.pick([0.1, 0.7]) : 0,
    resultInvalid: flaky ? random.pick([0, 0.1]) : 0,
    unloadable: random.chance(0.15) ? [`${random.pick(workerNames)} ${random.pick(models).model}`] : [],
  };
}
