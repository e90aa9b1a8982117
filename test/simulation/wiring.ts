// Who calls whom in a cluster that finds itself: a link is there for as long as one of the two calls and the other listens,
// and whoever begins to listen where somebody calls is linked.
import type { Member } from '../../cluster/membership.js';
import type { MemberId } from '../../proto/ids.js';
import type { Network } from './network.js';
import type { Process } from './process.js';

interface Side {
  readonly process: Process;
  readonly member: Member;
  readonly dialled: Set<string>;
}

export class Wiring {
  private readonly network: Network;
  private readonly sides = new Map<MemberId, Side>();

  constructor(network: Network) {
    this.network = network;
  }

  settle(process: Process, member: Member): void {
    this.sides.set(process.id, { process, member, dialled: new Set() });
    if (member.endpoint === '') return;
    for (const other of this.sides.values())
      if (other.dialled.has(member.endpoint)) this.link(other, process);
  }

  memberOf(id: MemberId): Member | undefined {
    return this.sides.get(id)?.member;
  }

  dial(id: MemberId, endpoint: string): void {
    const side = this.sides.get(id);
    if (side === undefined) return;
    side.dialled.add(endpoint);
    const other = this.at(endpoint);
    if (other !== undefined) this.link(side, other.process);
  }

  hangUp(id: MemberId, endpoint: string): void {
    const side = this.sides.get(id);
    const other = this.at(endpoint);
    if (side?.dialled.delete(endpoint) !== true || other === undefined) return;
    if (!other.dialled.has(side.member.endpoint)) this.network.disconnect(id, other.process.id);
  }

  leave(id: MemberId): void {
    this.sides.delete(id);
  }

  private at(endpoint: string): Side | undefined {
    for (const side of this.sides.values()) if (side.member.endpoint === endpoint) return side;
    return undefined;
  }

  private link(side: Side, other: Process): void {
    if (side.process !== other && !this.network.has(side.process.id, other.id))
      this.network.connect(side.process, other);
  }
}
