// Who could take a model over from a node that goes, and why others that fit it could not: asked before a node is drained.
import type { MemberId } from '../proto/ids.js';
import type { Takers } from '../proto/takers.js';
import { fits, holdingOf, type Place, type Wanted } from './placement.js';

export function takersOf(wanted: Wanted, places: readonly Place[], without: ReadonlySet<MemberId>): Takers {
  const able: MemberId[] = [];
  const unable: string[] = [];
  for (const place of places) {
    const { id } = place.member;
    if (!fits(wanted.spread, { ...place, state: 'serving' })) continue;
    const { state = '', reason = '' } = holdingOf(wanted, place) ?? {};
    if (state === 'failed') unable.push(`${id} can't have it: ${reason}`);
    else if (place.state === 'draining' || place.state === 'drained') unable.push(`${id} is ${place.state}`);
    else if (!without.has(id)) able.push(id);
  }
  return { able, unable };
}
