// Whom a member calls: of two that both can be called the one with the lower id does, so that nobody is called twice; and
// which calls are in vain by now.
import type { MemberId } from '../proto/ids.js';
import type { Member } from './membership.js';

export class Calls {
  private readonly self: Member;
  private readonly linked = new Map<MemberId, Member>();
  /** Endpoints that were called because they were listed. */
  private readonly called = new Set<string>();

  constructor(self: Member) {
    this.self = self;
  }

  open(member: Member): void {
    this.linked.set(member.id, member);
  }

  /** False when there was no link. */
  close(member: MemberId): boolean {
    return this.linked.delete(member);
  }

  isLinked(member: MemberId): boolean {
    return this.linked.has(member);
  }

  links(): IterableIterator<Member> {
    return this.linked.values();
  }

  /** Endpoints to call now. */
  due(listed: Iterable<Member>): string[] {
    const due = [...listed].filter((member) => this.calls(member)).map(({ endpoint }) => endpoint);
    for (const endpoint of due) this.called.add(endpoint);
    return due;
  }

  /** Endpoints to give up. Whoever keeps the list may have begun anew and list few: who is linked is there all the same. */
  vain(listed: Iterable<Member>): string[] {
    if (this.called.size === 0) return [];
    const there = new Set([...listed, ...this.linked.values()].map(({ endpoint }) => endpoint));
    const vain = [...this.called].filter((endpoint) => !there.has(endpoint));
    for (const endpoint of vain) this.called.delete(endpoint);
    return vain;
  }

  private calls({ id, endpoint }: Member): boolean {
    if (id === this.self.id || endpoint === '' || this.linked.has(id) || this.called.has(endpoint))
      return false;
    return this.self.endpoint === '' || this.self.id < id;
  }
}
