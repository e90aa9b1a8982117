// Which scheduler a router asks for a model: the owner by the highest list that it has seen, where that one is trusted and can
// reach workers that have the model; else one of those who can, by rendezvous hashing, so that all routers agree
// without asking and nothing waits for a list.
import type { MemberId } from '../../proto/ids.js';
import { modelKey } from '../../proto/ids.js';
import { compareEpochs, type Ownership, sameOwners, shardOf, unowned } from '../../proto/ownership.js';
import { firstOf } from '../../proto/rendezvous.js';

/** How far a scheduler is with a model; who is furthest is asked. */
export type Reach = 'able' | 'coming' | 'failed' | 'none';

const reaches: readonly Reach[] = ['able', 'coming', 'failed', 'none'];
const chosenMax = 1024;

export class Owners {
  list: Ownership = unowned;
  /** Lists that had the epoch of another: never to be. */
  clashes = 0;
  /** The last of them has not been overcome by a higher list. */
  isClashing = false;
  private readonly reachOf: (scheduler: MemberId, key: string) => Reach;
  private readonly byShard = new Map<string, MemberId>();
  private readonly chosen = new Map<string, MemberId>();

  constructor(reachOf: (scheduler: MemberId, key: string) => Reach) {
    this.reachOf = reachOf;
  }

  /** `higher`: it counts from now on. `clash`: another list has the same epoch. */
  follow(list: Ownership): 'higher' | 'known' | 'clash' {
    const order = compareEpochs(list.epoch, this.list.epoch);
    if (order < 0 || (order === 0 && sameOwners(list.owners, this.list.owners))) return 'known';
    if (order === 0) {
      this.clashes++;
      this.isClashing = true;
      return 'clash';
    }
    this.list = list;
    this.isClashing = false;
    this.byShard.clear();
    for (const [model, owner] of list.owners) this.byShard.set(model, owner);
    this.changed();
    return 'higher';
  }

  /** Who is there has changed, or what they can serve: of that one where it is named. */
  changed(key?: string): void {
    if (key === undefined) this.chosen.clear();
    else this.chosen.delete(key);
  }

  /** Empty while there is nobody. */
  of(model: string, version: string, schedulers: readonly MemberId[]): MemberId {
    if (schedulers.length < 2) return schedulers[0] ?? '';
    const key = modelKey(model, version);
    let owner = this.chosen.get(key);
    if (owner === undefined) {
      owner = this.choose(key, shardOf(model, version), schedulers);
      if (this.chosen.size >= chosenMax) this.chosen.clear();
      this.chosen.set(key, owner);
    }
    return owner;
  }

  private choose(key: string, shard: string, schedulers: readonly MemberId[]): MemberId {
    const listed = this.byShard.get(shard);
    for (const reach of reaches) {
      const those = schedulers.filter((scheduler) => this.reachOf(scheduler, key) === reach);
      if (listed !== undefined && those.includes(listed)) return listed;
      const first = firstOf(shard, those);
      if (first !== undefined) return first;
    }
    return '';
  }
}
