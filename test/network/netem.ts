// A link with faults by the kernel's own emulator, which not every kernel has.
import { type Faults, faultsOf, ways } from './faults.js';
import { ip, prefix, quietly, tc, whyNot } from './ip.js';
import type { Ends, Link } from './link.js';

const probe = `${prefix}q`;
/** Far more than are ever on their way. */
const packetsMax = '100000';

function words(faults: { lossShare: number; delayMs: number }): string[] {
  const { lossShare, delayMs } = faults;
  return ['root', 'netem', 'limit', packetsMax, 'delay', `${delayMs}ms`, 'loss', `${lossShare * 100}%`];
}

export function whyNoNetem(): string | false {
  const why = whyNot(() => {
    ip('link', 'add', probe, 'type', 'veth', 'peer', 'name', `${probe}p`);
    tc('qdisc', 'replace', 'dev', probe, ...words({ lossShare: 0.3, delayMs: 200 }));
  });
  quietly(ip, 'link', 'del', probe);
  return why !== false && `tc has no netem (${why})`;
}

export async function netem({ near, space }: Ends): Promise<Link> {
  ip('link', 'add', near, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', space);
  const ends = { in: [], out: ['-n', space] };
  return {
    set: async (faults: Faults) => {
      for (const way of ways) {
        const dev = way === 'in' ? near : 'eth0';
        tc(...ends[way], 'qdisc', 'replace', 'dev', dev, ...words(faultsOf(faults, way)));
      }
    },
    remove: () => quietly(ip, 'link', 'del', near),
  };
}
