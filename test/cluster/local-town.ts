// A town with a founder, as one machine has it: whoever joins calls it.
import { LocalMembership } from '../../cluster/local.js';
import type { Member } from '../../cluster/membership.js';
import { Town } from './town.js';

export class LocalTown extends Town {
  private founder: Member | undefined;
  private count = 0;

  /** Who is first founds the cluster. */
  async join(self: Member): Promise<void> {
    this.founder ??= self;
    const isFounder = this.founder.id === self.id;
    this.settleIn(self, new LocalMembership(self, isFounder));
    if (!isFounder) this.dial(self.id, this.founder.endpoint);
  }

  async kill(id: string): Promise<void> {
    this.moveOut(id, false);
  }

  async leave(id: string): Promise<void> {
    this.moveOut(id, true);
  }

  async centreLeaves(): Promise<void> {
    if (this.founder !== undefined) await this.kill(this.founder.id);
  }

  /** As somebody else at the same endpoint: members never come back under their ids. */
  async centreReturns(): Promise<void> {
    if (this.founder === undefined) return;
    this.count++;
    this.founder = { ...this.founder, id: `${this.founder.id}-${this.count}` };
    await this.join(this.founder);
  }

  async pass(): Promise<void> {}

  async close(): Promise<void> {}
}
