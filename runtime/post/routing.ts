// The id by which a member with keys connects: its own, its public key, and the proof for that peer that the key is its own. So
// nobody can take over the connection of another, and whoever is struck off is heard no more, whatever it calls itself.
import type { MemberId } from '../../proto/ids.js';
import type { KeyRing, RefusalKind } from '../keys/ring.js';

const between = '|';

/** As it connects there; without keys it is known by its id alone. */
export function routingIdFor(self: MemberId, peer: string, ring: KeyRing | undefined): string {
  const { pair } = ring ?? {};
  if (peer === '' || pair === undefined) return self;
  return [self, pair.publicKey, ring?.proofFor(peer, self) ?? ''].join(between);
}

/** Who is at that connection; nothing where it is nobody whom the ring trusts, or has not the key that it shows. */
export function provedBy(routingId: string, ring: KeyRing): MemberId | undefined {
  const [member = '', key = '', proof = '', ...more] = routingId.split(between);
  const isOwn = member !== '' && more.length === 0 && ring.trusts(key) && ring.isProof(key, member, proof);
  return isOwn ? member : undefined;
}

/**
 * With this begin the ids that ZeroMQ makes up, for nobody may connect by such a one: mostly of what is left of a connection that
 * its member has made anew, which is no stranger to be told of.
 */
const unnamed = '\0';

/** Far more than there are members: what strangers make up is forgotten. */
const keptMax = 4096;

export class Routes {
  private readonly ring: KeyRing;
  /** Nobody: it proves nothing. */
  private readonly known = new Map<string, MemberId | undefined>();

  constructor(ring: KeyRing) {
    this.ring = ring;
    ring.watch(() => this.known.clear());
  }

  /** Who is at that connection, looked at once for each list of keys. */
  memberAt(routingId: string): MemberId | undefined {
    if (routingId.startsWith(unnamed)) return undefined;
    if (this.known.has(routingId)) return this.known.get(routingId);
    const member = provedBy(routingId, this.ring);
    if (this.known.size >= keptMax) this.known.clear();
    this.known.set(routingId, member);
    if (member === undefined)
      this.turnAway(routingId, 'it shows no proof of a key that is listed here', 'unlistedHere');
    return member;
  }

  /** Told with what it says of itself, but for its key: nobody is to list one because of an id that anybody can write. */
  turnAway(routingId: string, reason: string, kind: RefusalKind = 'other'): void {
    this.ring.turnedAway({ at: (routingId.split(between)[0] ?? '').slice(0, 100), kind, reason });
  }
}
