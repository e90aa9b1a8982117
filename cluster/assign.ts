// Who is to own which model: rendezvous hashing with bounded load. Whoever has a model keeps it while its load is within
// bounds, so that no more moves than has to; those without an owner are given out first.
import type { MemberId } from '../proto/ids.js';
import { firstOf, weightOf } from '../proto/rendezvous.js';

/** Nobody owns more than this times the mean, nor less than the mean by this, as far as whole models allow. */
export const loadFactor = 1.25;

export interface LoadBounds {
  readonly least: number;
  readonly most: number;
}

export function boundsOf(models: number, schedulers: number): LoadBounds {
  const mean = models / schedulers;
  return {
    least: Math.min(Math.floor(mean), Math.ceil(mean / loadFactor)),
    most: Math.max(Math.ceil(mean), Math.floor(mean * loadFactor)),
  };
}

/** Owners of all the models; of nobody where there are no schedulers. */
export function assign(
  models: readonly string[],
  schedulers: readonly MemberId[],
  ownerBefore: (model: string) => MemberId | undefined,
): Map<string, MemberId> {
  if (schedulers.length === 0) return new Map();
  const deal = new Deal(boundsOf(models.length, schedulers.length), schedulers);
  const orphans: string[] = [];
  for (const model of [...models].sort()) {
    const before = ownerBefore(model);
    if (before === undefined || !deal.keep(model, before)) orphans.push(model);
  }
  const loose = [...orphans, ...deal.shed()];
  loose.forEach((model, at) => {
    deal.give(model, loose.length - at);
  });
  deal.fill();
  return deal.owners();
}

class Deal {
  private readonly bounds: LoadBounds;
  /** In an order that all share. */
  private readonly schedulers: readonly MemberId[];
  private readonly held = new Map<MemberId, Set<string>>();

  constructor(bounds: LoadBounds, schedulers: readonly MemberId[]) {
    this.bounds = bounds;
    this.schedulers = [...schedulers].sort();
    for (const scheduler of this.schedulers) this.held.set(scheduler, new Set());
  }

  /** False when it is not there any more. */
  keep(model: string, owner: MemberId): boolean {
    return this.held.get(owner)?.add(model) !== undefined;
  }

  /** What is too much, taken from its owners: what they have the least claim to. */
  shed(): string[] {
    return this.schedulers.flatMap((owner) => {
      const models = this.of(owner);
      const claim = (model: string): number => weightOf(model, owner);
      const excess = [...models].sort((one, other) => claim(one) - claim(other) || (one < other ? -1 : 1));
      excess.length = Math.max(0, models.size - this.bounds.most);
      for (const model of excess) models.delete(model);
      return excess;
    });
  }

  /** To the first claim of those who have room; where only so many are left as others lack, to one of these. */
  give(model: string, left: number): void {
    const { least, most } = this.bounds;
    const lack = this.schedulers.reduce((sum, one) => sum + Math.max(0, least - this.of(one).size), 0);
    const roomBelow = lack >= left ? least : most;
    const open = this.schedulers.filter((scheduler) => this.of(scheduler).size < roomBelow);
    this.of(firstOf(model, open) as MemberId).add(model);
  }

  /** Who still has too little takes what it has the first claim to from those who can spare some. */
  fill(): void {
    const { least } = this.bounds;
    for (const poor of this.schedulers) {
      const own = this.of(poor);
      if (own.size >= least) continue;
      const offers = this.schedulers.flatMap((owner) =>
        [...this.of(owner)].map((model) => ({ model, owner, claim: weightOf(model, poor) })),
      );
      for (const { model, owner } of offers.sort((one, other) => other.claim - one.claim)) {
        if (own.size >= least) break;
        if (this.of(owner).size <= least) continue;
        this.of(owner).delete(model);
        own.add(model);
      }
    }
  }

  owners(): Map<string, MemberId> {
    return new Map(this.schedulers.flatMap((owner) => [...this.of(owner)].map((model) => [model, owner])));
  }

  private of(scheduler: MemberId): Set<string> {
    return this.held.get(scheduler) as Set<string>;
  }
}
