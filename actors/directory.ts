// Which members an actor has an open link to, by role, and which of the worker processes among them are orphans: linked
// still, while the link to their node's own process is lost. Each actor keeps its own, from the facts that it hears.
import type { MemberId, Role } from '../proto/ids.js';

export class Directory {
  private readonly roles = new Map<MemberId, readonly Role[]>();
  private readonly byRole = new Map<Role, MemberId[]>();
  /** The nodes of those worker processes that are linked. */
  private readonly nodes = new Map<MemberId, MemberId>();
  private readonly orphans = new Set<MemberId>();

  /** `node`: of a worker process, whose it is. */
  open(member: MemberId, roles: readonly Role[], node: MemberId = ''): void {
    this.close(member);
    this.roles.set(member, roles);
    if (node !== '') this.nodes.set(member, node);
    for (const worker of this.workersOf(member)) this.orphans.delete(worker);
    // Sorted, so that every node that sees the same members sees them in the same order.
    for (const role of roles) this.byRole.set(role, [...this.with(role), member].sort());
  }

  /** The roles of which this was the last member. */
  close(member: MemberId): readonly Role[] {
    const roles = this.roles.get(member) ?? [];
    for (const role of roles) {
      this.byRole.set(
        role,
        this.with(role).filter((other) => other !== member),
      );
    }
    this.nodes.delete(member);
    this.orphans.delete(member);
    if (roles.includes('host')) for (const worker of this.workersOf(member)) this.orphans.add(worker);
    this.roles.delete(member);
    return roles.filter((role) => this.with(role).length === 0);
  }

  has(member: MemberId): boolean {
    return this.roles.has(member);
  }

  with(role: Role): readonly MemberId[] {
    return this.byRole.get(role) ?? [];
  }

  /** Members that have any of the roles, each once. */
  withAny(...roles: readonly Role[]): MemberId[] {
    return [...new Set(roles.flatMap((role) => this.with(role)))].sort();
  }

  /** The node's own process was linked and is not any more: worker processes end with it. */
  isOrphan(worker: MemberId): boolean {
    return this.orphans.has(worker);
  }

  workersOf(node: MemberId): MemberId[] {
    const workers: MemberId[] = [];
    for (const [worker, its] of this.nodes) if (its === node) workers.push(worker);
    return workers;
  }
}
