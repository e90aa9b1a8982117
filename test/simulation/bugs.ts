// All planted bugs, by name.
import type { Bug } from './bug.js';
import { carrying } from './carrying.js';
import { clustering } from './clustering.js';
import { promising } from './promising.js';

export const bugs: Readonly<Record<string, Bug>> = { ...carrying, ...promising, ...clustering };

/** Where few seeds show a bug, the first that did: only a hint where to look first. `npm run simulate -- --bugs` prints them. */
export const shownBy: Readonly<Record<string, number>> = {
  uncheckedEpoch: 13,
  unfencedAttempts: 49,
  lateStart: 37,
  recallUnheard: 35,
  queueUnbounded: 28,
  suspectTakesWork: 10,
  proofUnread: 15,
  retriesUnbounded: 93,
  lossUnheard: 13,
  followersRows: 72,
  hedgesUnbounded: 10,
  loserRunsOn: 22,
  admissionBlind: 355,
  unloadedInUse: 569,
  prioritiesIgnored: 11,
  weightsIgnored: 74,
  tagsIgnored: 10,
  admittedRefused: 11,
  batchPastPolicy: 216,
  noFencing: 11,
  getThenAct: 42,
  leasesRunOn: 250,
};
