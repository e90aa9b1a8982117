// What becomes of a cluster that grows: more workers, more schedulers, a thousand members.
import { skip } from '../nats/at-hand.js';
import { type Args, say } from './figures.js';
import { membersFigures } from './growth/members.js';
import { schedulersShare } from './growth/schedulers.js';
import { sizesFigures } from './growth/sizes.js';
import { workersShare } from './growth/workers.js';

export const about = 'more workers, more schedulers, a thousand members: what is lost on the way to linear';
export const flags = {
  only: 'only these parts: workers, schedulers, sizes, members (all)',
  workers: 'how many workers are held against one (8)',
  schedulers: 'how many schedulers are held against one (4)',
  members: 'how many members the cluster has (1000)',
  jobs: 'how many jobs a round of decisions has (100000)',
  rounds: 'how many rounds (5)',
};

const parts = ['workers', 'schedulers', 'sizes', 'members'] as const;

export async function run(args: Args): Promise<Record<string, number>> {
  const wanted = partsOf(args.text('only', parts.join()));
  const rounds = args.number('rounds', 5);
  const figures: Record<string, number> = {};
  if (wanted.has('workers'))
    figures['workers8VsLinear'] = await workersShare(args.number('workers', 8), rounds);
  if (wanted.has('schedulers')) {
    const count = args.number('schedulers', 4);
    figures['schedulers4VsLinear'] = await schedulersShare(count, rounds, args.number('jobs', 100_000));
  }
  if (wanted.has('sizes')) Object.assign(figures, await sizesFigures(rounds));
  if (!wanted.has('members')) return figures;
  if (skip !== false) {
    say(`  no figures of many members: ${skip}`);
    return figures;
  }
  const { convergenceMs, freshMs, heapKbPerMember, cpuPerMember } = await membersFigures(
    args.number('members', 1000),
    rounds,
  );
  return {
    ...figures,
    viewConvergenceMs1000: convergenceMs,
    freshViewMs1000: freshMs,
    viewHeapKb1000: heapKbPerMember,
    viewCpuShare1000: cpuPerMember,
  };
}

function partsOf(given: string): ReadonlySet<string> {
  const wanted = given.split(',');
  const unknown = wanted.find((part) => !parts.some((one) => one === part));
  if (unknown !== undefined) throw new Error(`--only is ${unknown}; there are ${parts.join(', ')}`);
  return new Set(wanted);
}
