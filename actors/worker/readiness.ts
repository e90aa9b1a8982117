// Whether a worker has all that it is to have, from its charts: a scheduler has taken it up, and each model that is to be in
// memory is, or can't be. Probes of its node ask for it.
import type { Chart } from '../chart.js';
import type { Shares } from './shares.js';

/** What it waits for, in words; empty when it has everything. */
export function waitsFor(chart: Chart, shares: Shares): string {
  if (chart.has('confined')) return 'its golden inputs are run again';
  if (chart.has('draining')) return 'it stands by';
  if (!chart.has('ready')) return 'no scheduler has taken it up';
  for (const { chart: share, isDelisted, listed } of shares.all()) {
    if (!isDelisted && (share.state === 'absent' || share.state === 'loading'))
      return `${listed.model} is being loaded`;
  }
  return '';
}
