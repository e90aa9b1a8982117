// Which members an actor has an open link to, by role. Each actor keeps its own, from the facts that it hears.
import type { MemberId, Role } from '../proto/ids.js';

export class Directory {
  private readonly roles = new Map<MemberId, readonly Role[]>();
  private readonly byRole = new Map<Role, MemberId[]>();

  open(member: MemberId, roles: readonly Role[]): void {
    this.close(member);
    this.roles.set(member, roles);
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
}
