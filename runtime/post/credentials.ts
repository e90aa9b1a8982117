// Which key is at the other end of each link, where links have keys: a member that calls here has to prove its key before
// it announces itself, is who it is by that key alone, and is struck off with it. That nobody speaks over the link of another is
// seen to where frames come in (routing.ts).
import type { MemberId } from '../../proto/ids.js';
import { limits } from '../../proto/limits.js';
import type { Said } from '../../proto/messages.js';
import type { KeyRing } from '../keys/ring.js';
import { keyIn } from './endpoint.js';
import { isDialled, type LinkId } from './transport.js';

export class Credentials {
  private readonly self: MemberId;
  private readonly ring: KeyRing | undefined;
  /** Whether those who call here connect with keys. */
  private isGuarded = false;
  /** Keys that were proved over links that they called here by. */
  private readonly proved = new Map<LinkId, string>();
  private readonly struck = new Map<LinkId, string>();
  private readonly keyOf = new Map<MemberId, string>();
  /** Who is at the end of which link: of those no key is forgotten. */
  private readonly met = new Map<LinkId, MemberId>();

  constructor(self: MemberId, ring: KeyRing | undefined) {
    this.self = self;
    this.ring = ring;
  }

  listen(endpoint: string): void {
    this.isGuarded = endpoint.startsWith('tcp://') && this.ring?.pair !== undefined;
  }

  /** What is said first over a link to there. */
  proofFor(dialled: LinkId): Said<'member.proved'> | undefined {
    const peer = keyIn(dialled);
    const { pair } = this.ring ?? {};
    if (peer === '' || pair === undefined) return undefined;
    const proof = this.ring?.proofFor(peer, this.self) ?? '';
    return { type: 'member.proved', key: pair.publicKey, proof };
  }

  show(link: LinkId, { key, proof }: Said<'member.proved'>): void {
    if (!this.isGuarded || this.ring?.trusts(key) !== true || !this.ring.isProof(key, link, proof)) return;
    this.proved.set(link, key);
  }

  /** Why the member at the end of the link is not let in; nothing where it is, or where links have no keys. */
  amiss(link: LinkId, member: MemberId): string | undefined {
    const key = isDialled(link) ? keyIn(link) : this.proved.get(link);
    if (key === undefined || key === '') {
      return this.isGuarded && !isDialled(link) ? 'it has not proved that its key is its own' : undefined;
    }
    const known = this.keyOf.get(member);
    if (known !== undefined && known !== key) return `${member} has announced itself with another key before`;
    if (known === undefined && !this.hasRoom())
      return `there are links to ${limits.membersMax} members already`;
    this.keyOf.set(member, key);
    return undefined;
  }

  /** That member is at the end of the link now. */
  meet(link: LinkId, member: MemberId): void {
    this.met.set(link, member);
  }

  forget(link: LinkId): void {
    this.proved.delete(link);
    this.met.delete(link);
  }

  /** Of whom it had been struck off nothing is left. */
  release(link: LinkId): void {
    this.struck.delete(link);
  }

  /** Whoever has a link cannot be made forgotten by others that announce themselves under ever new ids. */
  private hasRoom(): boolean {
    if (this.keyOf.size < limits.membersMax) return true;
    const linked = new Set(this.met.values());
    const gone = [...this.keyOf.keys()].find((member) => !linked.has(member));
    return gone !== undefined && this.keyOf.delete(gone);
  }

  /** Links of those who are not trusted any more, and of those who are again. */
  review(): { readonly struck: LinkId[]; readonly restored: LinkId[] } {
    const isTrusted = ([, key]: [LinkId, string]): boolean => this.ring?.trusts(key) === true;
    const struck = [...this.proved].filter((one) => !isTrusted(one));
    const restored = [...this.struck].filter(isTrusted).map(([link]) => link);
    for (const link of restored) this.struck.delete(link);
    for (const [link, key] of struck) this.struck.set(link, key);
    return { struck: struck.map(([link]) => link), restored };
  }
}
