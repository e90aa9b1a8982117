// A node that reaches nobody says so, once each time that this begins.
import type { Chart } from '../../actors/chart.js';
import { after } from '../clock.js';
import type { Log } from '../log.js';
import type { MemberProcess } from './member.js';

const joinWaitMs = 3000;

/** `where`: the node or the NATS by which it was to find others. */
export function watchJoining(
  member: MemberProcess,
  chart: Chart,
  log: Log,
  where: string,
  cluster: string,
): void {
  let wasAlone = false;
  const look = (): void => {
    const isAlone = member.office.members().length === 0 && chart.has('serving');
    if (isAlone && !wasAlone) {
      const hint = 'is a node with a router running there, and is its cluster the same?';
      log.warn('node.alone', { join: where, cluster, hint });
    }
    wasAlone = isAlone;
    after(joinWaitMs, look, false);
  };
  after(joinWaitMs, look, false);
}
