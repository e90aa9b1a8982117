// A node that leaves gives away what it owns first: it waits until others own it, as long as the list of members is kept and
// somebody is there who could take it, but not for ever. What is left goes over when its links are lost.
import type { MemberId } from '../proto/ids.js';
import type { Ownership } from '../proto/ownership.js';
import type { Standing } from './membership.js';
import type { NodeRecord } from './record.js';

export interface HandoverOptions {
  readonly self: MemberId;
  readonly list: () => Ownership;
  /** All that live, this one among them. */
  readonly nodes: () => readonly Pick<NodeRecord, 'member' | 'state'>[];
  readonly standing: () => Standing['state'];
  readonly mostMs: number;
  readonly lookMs: number;
}

export interface HandoverClock {
  readonly now: () => number;
  readonly pause: (delayMs: number) => Promise<void>;
}

/** What was owned when it began, and what of that nobody took. */
export interface HandedOver {
  readonly models: number;
  readonly kept: number;
}

export async function handOver(options: HandoverOptions, clock: HandoverClock): Promise<HandedOver> {
  const until = clock.now() + options.mostMs;
  const models = ownedBy(options);
  while (ownedBy(options) > 0 && canMove(options) && clock.now() < until) await clock.pause(options.lookMs);
  return { models, kept: ownedBy(options) };
}

function ownedBy({ self, list }: HandoverOptions): number {
  return list().owners.filter(([, owner]) => owner === self).length;
}

function canMove({ self, nodes, standing }: HandoverOptions): boolean {
  const couldTake = ({ member, state }: Pick<NodeRecord, 'member' | 'state'>): boolean =>
    member.id !== self && state === 'serving' && member.roles.includes('scheduler');
  return standing() === 'live' && nodes().some(couldTake);
}
