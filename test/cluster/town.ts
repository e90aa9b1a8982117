// A place in which memberships of any kind live: it carries out their steps, with links that open where somebody calls and
// somebody listens. How its members find each other is for each kind to say.
import type { Member, Membership, Step } from '../../cluster/membership.js';
import type { Role } from '../../proto/ids.js';

export function member(id: string, roles: readonly Role[], endpoint = `tcp://${id}`): Member {
  return { id, roles, endpoint, host: '' };
}

interface Side {
  readonly self: Member;
  readonly membership: Membership;
  /** What it calls, for as long as it does not hang up. */
  readonly dialled: Set<string>;
  readonly linked: Set<string>;
}

export abstract class Town {
  /** As told: `a calls tcp://b`, `a hangs up on tcp://b`. */
  readonly said: string[] = [];
  protected readonly sides = new Map<string, Side>();

  abstract join(self: Member): Promise<void>;
  /** Without a word. */
  abstract kill(id: string): Promise<void>;
  abstract leave(id: string): Promise<void>;
  /** Whatever keeps the list goes away, and comes back. */
  abstract centreLeaves(): Promise<void>;
  abstract centreReturns(): Promise<void>;
  abstract pass(ms: number): Promise<void>;
  abstract close(): Promise<void>;

  /** Time passes until it holds; a list that nobody keeps right ends the test. */
  async until(what: string, holds: () => boolean, withinMs = 20_000): Promise<void> {
    const stepMs = 20;
    for (let passedMs = 0; !holds(); passedMs += stepMs) {
      if (passedMs > withinMs) throw new Error(`not within ${withinMs} ms: ${what}; ${this.described()}`);
      await this.pass(stepMs);
    }
  }

  seenBy(id: string): string[] {
    return [...(this.side(id)?.membership.members() ?? [])].map((seen) => seen.id).sort();
  }

  standing(id: string): string {
    return this.side(id)?.membership.standing().state ?? 'gone';
  }

  /** Each of them sees exactly these. */
  agree(ids: readonly string[]): boolean {
    const wanted = [...ids].sort().join();
    return ids.every((id) => this.seenBy(id).join() === wanted);
  }

  linksOf(id: string): string[] {
    return [...(this.side(id)?.linked ?? [])].sort();
  }

  protected settleIn(self: Member, membership: Membership): void {
    this.sides.set(self.id, { self, membership, dialled: new Set(), linked: new Set() });
    for (const other of [...this.sides.values()]) {
      if (self.endpoint !== '' && other.dialled.has(self.endpoint)) this.link(other.self.id, self.id);
    }
  }

  protected dial(from: string, endpoint: string): void {
    this.side(from)?.dialled.add(endpoint);
    for (const { self } of [...this.sides.values()]) if (self.endpoint === endpoint) this.link(from, self.id);
  }

  protected take(from: string, step: Step): void {
    for (const { to, message } of step.tell) {
      const other = this.side(to);
      if (other?.linked.has(from)) this.take(to, other.membership.heard(message, from));
    }
    for (const endpoint of step.dial) {
      this.said.push(`${from} calls ${endpoint}`);
      this.dial(from, endpoint);
    }
    for (const endpoint of step.hangUp) {
      this.said.push(`${from} hangs up on ${endpoint}`);
      this.side(from)?.dialled.delete(endpoint);
    }
  }

  /** The others notice at their links; who said goodbye was heard by then. */
  protected moveOut(id: string, goodbye: boolean): void {
    const linked = [...(this.side(id)?.linked ?? [])];
    this.sides.delete(id);
    for (const other of linked) {
      const side = this.side(other);
      if (side === undefined) continue;
      if (goodbye)
        this.take(other, side.membership.heard({ type: 'member.left', member: id, reason: 'stopped' }, id));
      side.linked.delete(id);
      this.take(other, side.membership.lost(id));
    }
  }

  protected side(id: string): Side | undefined {
    return this.sides.get(id);
  }

  private link(caller: string, called: string): void {
    const [one, other] = [this.side(caller), this.side(called)];
    if (one === undefined || other === undefined || one.linked.has(called) || one === other) return;
    one.linked.add(called);
    other.linked.add(caller);
    this.take(caller, one.membership.opened(other.self));
    this.take(called, other.membership.opened(one.self));
  }

  private described(): string {
    return [...this.sides.keys()]
      .map((id) => `${id} (${this.standing(id)}) sees ${this.seenBy(id)}`)
      .join('; ');
  }
}
