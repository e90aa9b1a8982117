// What a seed stands for: how the system is laid out, how bad its network is, which jobs its clients bring, and what
// goes wrong when. Drawn before the run, so that it does not depend on what the actors do.
import type { Batching, WorkerChoice } from '../../proto/batching.js';
import type { Role } from '../../proto/ids.js';
import type { Place } from '../../proto/messages.js';
import { modelsOf } from './catalogue.js';
import { type ClusterPlan, clusterOf } from './cluster.js';
import { jobsOf } from './crowd.js';
import { Random } from './random.js';

export interface ModelPlan {
  readonly model: string;
  readonly place: Place;
  readonly rowsMax: number;
  readonly alphaMs: number;
  readonly betaMs: number;
  readonly runMaxMs: number;
  readonly batching: Batching;
  /** False: a run that has begun is never run again. */
  readonly idempotent: boolean;
  readonly hedge: boolean;
}

export interface NodePlan {
  readonly name: string;
  readonly roles: readonly Role[];
  readonly workers: readonly string[];
}

/**
 * `bad` is the model's own error, `garbles` makes any worker answer with garbage, `die` ends its worker's process, `hang`
 * never comes back from its run, `stuck` blocks the whole process.
 */
export type Nature = 'plain' | 'bad' | 'garbles' | 'die' | 'hang' | 'stuck';

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
  /** Jobs with the same ask for the same; 0: it shares with nobody. */
  readonly content: number;
  /** Its router hears of it twice. */
  readonly twice: boolean;
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
  'drainNode',
  'storm',
  'slow',
  'sicken',
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

export interface RoomPlan {
  /** 0: whatever they want. */
  readonly memoryMb: number;
  readonly costMb: Readonly<Record<string, number>>;
  readonly demanded: readonly string[];
}

export interface Scenario {
  readonly seed: number;
  readonly layout: string;
  readonly nodes: readonly NodePlan[];
  /** Its nodes find each other by NATS. Undefined: each knows all others from the start. */
  readonly cluster: ClusterPlan | undefined;
  readonly models: readonly ModelPlan[];
  readonly network: NetworkPlan;
  readonly jobs: readonly JobPlan[];
  readonly faults: readonly FaultPlan[];
  /** Models whose files change. */
  readonly reloads: readonly { readonly at: number; readonly model: string }[];
  /** What models may take of a worker's memory, and of each what it takes, and whether it comes only when asked for. */
  readonly room: RoomPlan;
  /** Nothing goes wrong, and all costs are known and hold: then whoever is admitted is in time. */
  readonly steady: boolean;
  readonly choice: WorkerChoice;
  readonly credits: Readonly<Record<Place, number>>;
  readonly queueDepthMax: number;
  readonly jobsMax: number;
  readonly lossesMax: number;
  readonly retries: {
    readonly attemptsMax: number;
    readonly retryShare: number;
    readonly retryPerSecond: number;
  };
  readonly hedgeShare: number;
  readonly sharersMax: number;
  /** Chances that a run ends as the executor's fault. */
  readonly deviceLost: number;
  readonly resultInvalid: number;
  /** How many processes in a row are sick from their start after one has fallen sick. */
  readonly sickAgain: number;
  /** Worker names and models that never load. */
  readonly unloadable: readonly string[];
  /** How many times longer a run takes there than elsewhere, by worker name. */
  readonly slow: Readonly<Record<string, number>>;
  /** A run costs between so many times its usual cost. */
  readonly noise: readonly [number, number];
  /** Workers say what runs cost before they take any. */
  readonly measured: boolean;
}

const drains: readonly FaultPlan['kind'][] = ['drainWorker', 'drainRouter', 'drainNode'];
const calm: NetworkPlan = { honest: true, delayMs: 0.1, noiseMs: 0.02, drop: 0, duplicate: 0, reorder: 0 };

export const phases = {
  /** Clients bring jobs and faults begin until then. */
  loadEnds: 450,
  /** Healthy jobs are brought then, to see whether the capacity is back. */
  probeAt: 1050,
  probeBudgetMs: 250,
  /** By then also a run has ended that began just before the last deadline. */
  ends: 1420,
} as const;

export const workerNames = ['worker-1', 'worker-2', 'worker-3', 'worker-4'] as const;

/** By worker name. */
export const tags: Readonly<Record<string, readonly string[]>> = {
  'worker-1': ['gpu', 'near'],
  'worker-2': ['near'],
  'worker-3': ['gpu'],
};

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

function faultsOf(random: Random): FaultPlan[] {
  const count = random.pick([0, 1, 2, 4, 6]);
  const kinds = random.chance(0.1) ? drains : faultKinds;
  return Array.from({ length: count }, () => ({
    at: random.between(10, phases.loadEnds),
    kind: random.pick(kinds),
    target: random.next(),
    other: random.next(),
    durationMs: random.pick([random.between(1, 30), random.between(30, 120), random.between(120, 350)]),
  }));
}

function reloadsOf(random: Random, models: readonly ModelPlan[]): { at: number; model: string }[] {
  const count = random.pick([0, 0, 1, 2, 4]);
  return Array.from({ length: count }, () => ({
    at: random.between(30, phases.loadEnds),
    model: random.pick(models).model,
  }));
}

/** Every model fits by itself, beside others or not. */
function roomOf(random: Random, models: readonly ModelPlan[], steady: boolean): RoomPlan {
  const costMb: Record<string, number> = {};
  for (const { model } of models) costMb[model] = random.pick([1, 1, 2]);
  const isBounded = !steady && random.chance(0.25);
  const isLazy = !steady && random.chance(0.25);
  const demanded = models.map(({ model }) => model).filter(() => isLazy && random.chance(0.6));
  return { memoryMb: isBounded ? random.whole(2, 4) : 0, costMb, demanded };
}

function slowOf(random: Random): Record<string, number> {
  return random.chance(0.25) ? { [random.pick(workerNames)]: random.pick([2, 5, 10]) } : {};
}

/** Of those in which something may go wrong, and not only clusters are wanted: they take three times as long as others. */
const clusterShare = 0.1;
const choices = ['earliest-finish', 'least-loaded', 'round-robin', 'fastest'] as const;

/** `clusters`: of nodes that find each other by NATS, wherever something may go wrong. */
export function scenarioOf(seed: number, clusters = false): Scenario {
  const random = new Random(seed);
  const steady = random.chance(0.12);
  const models = modelsOf(random.fork(1), steady);
  const flaky = !steady && random.chance(0.2);
  const ways = random.fork(9);
  const cluster = !steady && ways.chance(clusters ? 1 : clusterShare) ? clusterOf(ways) : undefined;
  const { layout, nodes } = cluster ?? layoutOf(random.fork(2));
  return {
    seed,
    layout,
    nodes,
    cluster,
    models,
    network: steady ? calm : networkOf(random.fork(3)),
    jobs: jobsOf(random.fork(4), models, steady),
    faults: steady ? [] : faultsOf(random.fork(5)),
    reloads: steady ? [] : reloadsOf(random.fork(7), models),
    room: roomOf(random.fork(8), models, steady),
    steady,
    choice: random.pick(choices),
    credits: { inline: random.whole(1, 2), thread: random.whole(1, 3) },
    queueDepthMax: steady ? 200 : random.pick([6, 20, 100]),
    jobsMax: steady ? 1000 : random.pick([10, 30, 1000]),
    lossesMax: random.pick([3, 5]),
    retries: {
      attemptsMax: random.pick([2, 3]),
      retryShare: random.pick([0.02, 0.1, 0.5]),
      retryPerSecond: random.pick([0.2, 3]),
    },
    hedgeShare: random.pick([0.02, 0.2, 1]),
    sharersMax: random.pick([2, 64]),
    deviceLost: flaky ? random.pick([0.1, 0.7]) : 0,
    resultInvalid: flaky ? random.pick([0, 0.1]) : 0,
    sickAgain: random.pick([0, 0, 1, 3]),
    unloadable:
      !steady && random.chance(0.15) ? [`${random.pick(workerNames)} ${random.pick(models).model}`] : [],
    slow: steady ? {} : slowOf(random.fork(6)),
    noise: steady ? [0.97, 1.03] : [0.8, 1.3],
    measured: steady || random.chance(0.5),
  };
}
