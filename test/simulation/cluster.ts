// Of a seed whose nodes find each other by NATS alone: how they are laid out, how NATS behaves, what goes wrong with it and
// how far their clocks are apart.
import type { Role } from '../../proto/ids.js';
import type { NatsPlan } from './nats.js';
import type { Random } from './random.js';
import type { NodePlan } from './scenario.js';

export const natsFaultKinds = ['away', 'leader', 'rewind', 'wipe', 'cut', 'deafen', 'slow'] as const;

export interface NatsFaultPlan {
  readonly at: number;
  readonly kind: (typeof natsFaultKinds)[number];
  readonly durationMs: number;
  /** Picks a node: from 0 up to 1. */
  readonly target: number;
  /** So many writes are lost. */
  readonly count: number;
}

export interface ClusterPlan {
  readonly layout: string;
  readonly nodes: readonly NodePlan[];
  readonly nats: NatsPlan;
  readonly faults: readonly NatsFaultPlan[];
  readonly leaseMs: number;
  /** A node that begins anew is found where it was before. */
  readonly keepsAddress: boolean;
  /** So far apart are the clocks on the walls, at most. */
  readonly skewMs: number;
}

export const beatsPerLease = 4;
/** No fault of NATS lasts longer than that. */
export const natsHealsAt = 700;
const faultsEnd = 450;

export function clusterOf(random: Random): ClusterPlan {
  const leaseMs = random.pick([120, 160, 240]);
  const delayMs = random.pick([0.2, 0.5, 2]);
  return {
    ...layoutOf(random),
    nats: {
      delayMs,
      ackLost: random.pick([0, 0, 0.02, 0.1]),
      stale: random.pick([0, 0.05, 0.3]),
      repeat: random.pick([0, 0.05]),
    },
    faults: faultsOf(random),
    leaseMs,
    keepsAddress: random.chance(0.5),
    skewMs: random.pick([0, leaseMs / 2, 5 * leaseMs]),
  };
}

function faultsOf(random: Random): NatsFaultPlan[] {
  const count = random.pick([0, 1, 2, 3, 5]);
  return Array.from({ length: count }, () => {
    const at = random.between(15, faultsEnd);
    const durationMs = random.pick([
      random.between(5, 40),
      random.between(40, 150),
      random.between(150, natsHealsAt - at),
    ]);
    const [target, writes] = [random.next(), random.pick([1, 2, random.whole(3, 30)])];
    return { at, kind: random.pick(natsFaultKinds), durationMs, target, count: writes };
  });
}

function layoutOf(random: Random): { layout: string; nodes: readonly NodePlan[] } {
  const layout = random.pick(['all in one', 'decisions and workers', 'all apart']);
  const all: Role[] = ['router', 'scheduler', 'health', 'host'];
  const crews = [['worker-1', 'worker-2'], ['worker-3'], ['worker-4']];
  if (layout === 'all in one') {
    return { layout, nodes: crews.map((workers, at) => ({ name: `node-${at + 1}`, roles: all, workers })) };
  }
  const hosts: NodePlan[] = [
    { name: 'host-1', roles: ['health', 'host'], workers: ['worker-1', 'worker-2'] },
    { name: 'host-2', roles: ['host'], workers: ['worker-3', 'worker-4'] },
  ];
  const several = (name: string, roles: readonly Role[], count: number): NodePlan[] =>
    Array.from({ length: count }, (_, at) => ({ name: `${name}-${at + 1}`, roles, workers: [] }));
  if (layout === 'decisions and workers') {
    return {
      layout,
      nodes: [...several('node', ['router', 'scheduler'], random.whole(2, 3)), ...hosts],
    };
  }
  const routers = several('router', ['router'], 2);
  return {
    layout,
    nodes: [...routers, ...several('scheduler', ['scheduler'], random.whole(2, 3)), ...hosts],
  };
}
