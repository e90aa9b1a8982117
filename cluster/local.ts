// Local membership, without a server: one node founds the cluster and keeps the list, the others join it there and hear
// of each other through it. When the founder is away the last list stands.
import type { MemberId } from '../proto/ids.js';
import type { Message, Said } from '../proto/messages.js';
import { Calls } from './calls.js';
import { type Member, type Membership, nothing, type Standing, type Step } from './membership.js';

export class LocalMembership implements Membership {
  private readonly self: Member;
  private readonly founder: boolean;
  private readonly calls: Calls;
  private listed: readonly Member[] = [];
  /** Whose list it is; empty as long as there is none. */
  private lister: MemberId = '';
  private revision = 0;

  constructor(self: Member, founder: boolean) {
    this.self = self;
    this.founder = founder;
    this.calls = new Calls(self);
  }

  opened(member: Member): Step {
    this.calls.open(member);
    return this.founder ? this.announce() : nothing;
  }

  lost(member: MemberId): Step {
    if (!this.calls.close(member)) return nothing;
    return this.founder ? this.announce() : { ...nothing, hangUp: this.calls.vain(this.listed) };
  }

  heard(message: Message, from: MemberId): Step {
    if (message.type === 'member.left') return this.lost(from);
    if (message.type !== 'members.listed' || this.founder) return nothing;
    // The founder may have begun anew: its word counts whatever its revision.
    this.revision = message.revision;
    this.lister = from;
    this.listed = message.members.map(memberOf);
    return { ...nothing, dial: this.calls.due(this.listed), hangUp: this.calls.vain(this.listed) };
  }

  members(): readonly Member[] {
    return this.founder ? [this.self, ...this.calls.links()] : this.listed;
  }

  standing(): Standing {
    if (this.founder || this.calls.isLinked(this.lister)) return { state: 'live', reason: '' };
    if (this.lister === '') return { state: 'joining', reason: 'no list of the members has come yet' };
    const reason = `${this.lister}, which keeps the list of the members, is out of reach`;
    return { state: 'frozen', reason };
  }

  private announce(): Step {
    this.revision++;
    const message: Said<'members.listed'> = {
      type: 'members.listed',
      revision: this.revision,
      members: this.members().map(listedOf),
    };
    return { ...nothing, tell: [...this.calls.links()].map(({ id }) => ({ to: id, message })) };
  }
}

type Listed = Said<'members.listed'>['members'][number];

export function listedOf({ id, roles, endpoint, host }: Member): Listed {
  return [id, roles, endpoint, host] as const;
}

function memberOf([id, roles, endpoint, host]: Listed): Member {
  return { id, roles, endpoint, host };
}
