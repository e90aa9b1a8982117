// Local membership, without a server: one node founds the cluster and keeps the list, the others join it there and hear
// of each other through it. When the founder is away the last list stands.
import type { MemberId } from '../proto/ids.js';
import type { Message, Said } from '../proto/messages.js';
import type { Member, Membership, Step } from './membership.js';

const nothing: Step = { dial: [], hangUp: [], tell: [] };

export class LocalMembership implements Membership {
  private readonly self: Member;
  private readonly founder: boolean;
  private readonly linked = new Map<MemberId, Member>();
  private listed: readonly Member[] = [];
  /** Endpoints that were called because they were listed. */
  private readonly called = new Set<string>();
  private revision = 0;

  constructor(self: Member, founder: boolean) {
    this.self = self;
    this.founder = founder;
  }

  opened(member: Member): Step {
    this.linked.set(member.id, member);
    return this.founder ? this.announce() : nothing;
  }

  lost(member: MemberId): Step {
    if (!this.linked.delete(member)) return nothing;
    return this.founder ? this.announce() : { ...nothing, hangUp: this.abandoned() };
  }

  heard(message: Message, from: MemberId): Step {
    if (message.type === 'member.left') return this.lost(from);
    if (message.type !== 'members.listed' || this.founder) return nothing;
    // The founder may have begun anew: its word counts whatever its revision.
    this.revision = message.revision;
    this.listed = message.members.map(memberOf);
    const dial = this.listed.filter((member) => this.calls(member)).map((member) => member.endpoint);
    for (const endpoint of dial) this.called.add(endpoint);
    return { dial, hangUp: this.abandoned(), tell: [] };
  }

  members(): readonly Member[] {
    return this.founder ? [this.self, ...this.linked.values()] : this.listed;
  }

  /** Of two members that both can be called, the one with the lower id calls. */
  private calls(other: Member): boolean {
    if (other.id === this.self.id || other.endpoint === '' || this.linked.has(other.id)) return false;
    return this.self.endpoint === '' || this.self.id < other.id;
  }

  /** A founder that began anew lists few at first: whoever is linked is there, listed or not. */
  private abandoned(): string[] {
    const there = new Set([...this.listed, ...this.linked.values()].map((member) => member.endpoint));
    const gone = [...this.called].filter((endpoint) => !there.has(endpoint));
    for (const endpoint of gone) this.called.delete(endpoint);
    return gone;
  }

  private announce(): Step {
    this.revision++;
    const message: Said<'members.listed'> = {
      type: 'members.listed',
      revision: this.revision,
      members: this.members().map(
        (member) => [member.id, member.roles, member.endpoint, member.host] as const,
      ),
    };
    return { ...nothing, tell: [...this.linked.keys()].map((to) => ({ to, message })) };
  }
}

function memberOf(listed: Said<'members.listed'>['members'][number]): Member {
  const [id, roles, endpoint, host] = listed;
  return { id, roles, endpoint, host };
}
