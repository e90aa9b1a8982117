// How this node sees the others, whatever they say of themselves: how long it has not heard of those that are doubted or have no
// link, who doubts them, and which links are missing for want of a key.
import type { Health } from '../../actors/health/health.js';
import type { Warden } from '../../actors/node/warden.js';
import type { Member } from '../../cluster/membership.js';
import { type MemberId, nameOf } from '../../proto/ids.js';
import { now } from '../clock.js';
import type { Barred, Seen } from '../doors/cluster.js';
import type { KeyRing, Turned } from '../keys/ring.js';
import type { Presence } from '../membership/presence.js';
import { barred as barredBy } from '../post/curve.js';
import { keyIn, parseEndpoint, withoutKey } from '../post/endpoint.js';

export interface Eyes {
  readonly warden: Warden;
  readonly health: Health | undefined;
  readonly presence: Presence | undefined;
  readonly keys: KeyRing;
}

export function seenOf(member: Member, isLinked: boolean, self: MemberId, eyes: Eyes): Seen {
  const { warden, health, presence, keys } = eyes;
  const doubt = warden.doubtOf(member.id);
  const isDoubted = doubt !== undefined || !isLinked;
  const writtenAt = presence?.membership.heardAt(member.id);
  const writtenMs = writtenAt === undefined ? undefined : now() - writtenAt;
  const silentMs = isDoubted ? (health?.silenceOf(member.id) ?? writtenMs) : undefined;
  const barred = isLinked ? undefined : barredOf(member, self, keys);
  return {
    ...(silentMs === undefined ? {} : { silentMs: Math.round(silentMs) }),
    ...(doubt === undefined ? {} : { doubtedBy: doubt.by.map(([watcher]) => watcher) }),
    ...(barred === undefined ? {} : { barred }),
  };
}

const unknownMend = 'if it is a node of yours, list the key that `keys show` prints there';

/** Those that are no members: what is known of them is their address, and their key where they showed one. Anybody may show one. */
export function strangersOf(members: readonly Member[], self: MemberId, keys: KeyRing): Barred[] {
  const isKnown = ({ at, key }: Turned): boolean =>
    members.some(
      ({ id, endpoint }) => id === at || withoutKey(endpoint) === at || (key ?? '-') === keyIn(endpoint),
    );
  return keys
    .barred()
    .filter((turned) => !isKnown(turned))
    .map((turned) => ({
      ...turned,
      mend: turned.kind === 'unlistedHere' ? unknownMend : mendOf(turned, self, 'the other node', keys),
    }));
}

function barredOf({ id, endpoint }: Member, self: MemberId, keys: KeyRing): Barred | undefined {
  const at = withoutKey(endpoint);
  const place = parseEndpoint(endpoint);
  const refusal = typeof place === 'string' ? undefined : barredBy(place, keys);
  const key = keyIn(endpoint);
  const isThis = (one: Turned): boolean =>
    one.at === id || (at !== '' && (one.at === at || (key !== '' && one.key === key)));
  const known = keys.barred().find(isThis);
  const turned = refusal === undefined ? known : { at, ...(key === '' ? {} : { key }), ...refusal };
  return turned && { ...turned, mend: mendOf(turned, self, id, keys) };
}

function mendOf({ kind, key }: Turned, self: MemberId, other: MemberId, { pair }: KeyRing): string {
  const trust = (where: MemberId, whose: string | undefined, name: MemberId): string =>
    `on ${where}: node runtime keys trust ${whose ?? 'ITS_PUBLIC_KEY'} --name ${nameOf(name).replace(/ /g, '-')}`;
  const makeKeys = (where: MemberId): string =>
    `on ${where}: node runtime keys new, and start it with --key-file`;
  switch (kind) {
    case 'unlistedHere':
      return trust(self, key, other);
    case 'unlistedThere':
      return trust(other, pair?.publicKey, self);
    case 'keylessHere':
      return makeKeys(self);
    case 'keylessThere':
      return makeKeys(other);
    case 'other':
      return '';
  }
}
