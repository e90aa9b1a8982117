// Whether a worker has all that it is to have, from its charts: a scheduler has taken it up, and each model that is to be in
// memory is, or can't be. Probes of its node ask for it.
import type { Chart } from '../chart.js';
import type { Shares } from './shares.js';

export interface Waiting {
  /** What it waits for, in words; empty when it has everything. */
  readonly reason: string;
  /** It waits only for what it has not served before, or what had made room for others. */
  readonly isForMore: boolean;
}

export function waitsFor(chart: Chart, shares: Shares): Waiting {
  if (chart.has('confined')) return lost('its golden inputs are run again');
  if (chart.has('draining')) return lost('it stands by');
  if (!chart.has('ready')) return lost('no scheduler has taken it up');
  let more = '';
  for (const { chart: share, isDelisted, hasServed, listed } of shares.all()) {
    if (isDelisted || (share.state !== 'absent' && share.state !== 'loading')) continue;
    const reason = `${listed.model} is being loaded`;
    if (hasServed) return lost(reason);
    more ||= reason;
  }
  return { reason: more, isForMore: more !== '' };
}

function lost(reason: string): Waiting {
  return { reason, isForMore: false };
}
