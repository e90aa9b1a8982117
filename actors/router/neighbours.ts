// Whom a router can reach, whom of them it trusts, and what they can serve: which scheduler owns a model, and whether
// a worker may be handed a payload.
import { type MemberId, modelKey, type Role } from '../../proto/ids.js';
import type { Said } from '../../proto/messages.js';
import { type Ownership, shardOf } from '../../proto/ownership.js';
import { Directory } from '../directory.js';
import type { ListedModel } from '../facts.js';
import type { Job } from '../job/job.js';
import { Coverage, type ModelCondition } from './coverage.js';
import { Gaps } from './gaps.js';
import { Grace, type GraceLimits } from './grace.js';
import { Owners } from './owner.js';

export class Neighbours {
  private readonly links = new Directory();
  private readonly distrusted = new Set<MemberId>();
  /** Those that drain: nothing new goes there while there is another. */
  private readonly leaving = new Set<MemberId>();
  private readonly coverage = new Coverage();
  readonly owners = new Owners((scheduler, key) => this.coverage.reach(scheduler, key));
  private readonly grace: Grace;
  readonly gaps: Gaps;
  /** Those that are trusted, in the same order everywhere. */
  schedulers: readonly MemberId[] = [];

  constructor(limits: GraceLimits) {
    const { links } = this;
    const mayReturn = (): boolean =>
      links.with('scheduler').length > 0 && links.with('worker').some((worker) => !links.isOrphan(worker));
    this.grace = new Grace(limits, mayReturn);
    this.gaps = new Gaps(this.coverage, this.grace, (model, version) => this.owner(model, version));
  }

  open(member: MemberId, roles: readonly Role[], node?: MemberId): void {
    this.links.open(member, roles, node);
    this.review();
  }

  close(member: MemberId): void {
    // Without health nobody is left to take back what it said of others.
    if (this.links.close(member).includes('health')) this.distrusted.clear();
    this.coverage.forget(member);
    this.distrusted.delete(member);
    this.leaving.delete(member);
    this.review();
  }

  /** Whether the node drains, by its own word. */
  leave(member: MemberId, isLeaving: boolean): void {
    if (isLeaving) this.leaving.add(member);
    else this.leaving.delete(member);
    this.review();
  }

  /** Only who is down is kept away from here: a suspect finishes what it has, and schedulers give it nothing new. */
  judge(member: MemberId, down: boolean): void {
    if (down) this.distrusted.add(member);
    else this.distrusted.delete(member);
    this.review();
  }

  list(models: readonly ListedModel[]): void {
    this.coverage.list(models);
    this.gaps.reviewAll();
  }

  /** `isNews`: it had told of that model before. `moves`: others may be its owner now. */
  report(scheduler: MemberId, report: Said<'model.reported'>): { isNews: boolean; moves: boolean } {
    const key = modelKey(report.model, report.version);
    const before = this.coverage.reach(scheduler, key);
    const isNews = this.coverage.report(scheduler, report);
    const moves = this.schedulers.length > 1 && before !== this.coverage.reach(scheduler, key);
    if (moves) this.owners.changed(key);
    this.gaps.review(report.model, report.version);
    return { isNews, moves };
  }

  hasLink(member: MemberId): boolean {
    return this.links.has(member);
  }

  trusts(member: MemberId): boolean {
    return this.links.has(member) && !this.distrusted.has(member) && !this.links.isOrphan(member);
  }

  workersOf(node: MemberId): MemberId[] {
    return this.links.workersOf(node);
  }

  /** Empty while there is nobody. */
  owner(model: string, version: string): MemberId {
    return this.owners.of(model, version, this.schedulers);
  }

  /** By shard who is asked for what is listed of it. */
  asked(): Map<string, MemberId> {
    const asked = new Map<string, MemberId>();
    for (const { model, version } of this.coverage.models()) {
      const shard = shardOf(model, version);
      if (!asked.has(shard)) asked.set(shard, this.owner(model, version));
    }
    return asked;
  }

  /** What keeps a job from being run at all, in a few words; empty when nothing does. */
  lack(job: Job): string {
    if (!job.is('queued')) return '';
    if (this.schedulers.length === 0) return 'no scheduler is connected';
    const { model, version } = job.spec;
    return this.condition(model, version).ready > 0 ? '' : 'no worker had the model ready';
  }

  get hasSuccessors(): boolean {
    return this.coverage.hasSuccessors;
  }

  /** What answers in the place of an edition that is gone; itself while workers have it, or nothing took its place. */
  inPlaceOf(model: string, version: string): string {
    const next = this.coverage.successorOf(model, version);
    return next === version || this.condition(model, version).ready > 0 ? version : next;
  }

  /** Why a job that waits for it waits in vain; empty where it may not. `report`: where it has just come. */
  vainness(
    model: string,
    version: string,
    report = this.coverage.reportOf(modelKey(model, version), this.owner(model, version)),
  ): string {
    return report === undefined ? '' : this.coverage.lackOf(model, version, report);
  }

  condition(model: string, version: string): ModelCondition {
    return this.coverage.condition(modelKey(model, version), this.owner(model, version));
  }

  /** For people and probes: what is doubted for a moment is as it was. */
  shownCondition(model: string, version: string): ModelCondition {
    return this.grace.conditionOf(modelKey(model, version)) ?? this.condition(model, version);
  }

  gap(): string | undefined {
    if (this.schedulers.length === 0 && !this.gaps.hasDoubted) return 'no scheduler is connected';
    return this.gaps.sentence();
  }

  /** `clash`: another list has the same epoch, which is never to be. */
  follow(list: Ownership): 'higher' | 'known' | 'clash' {
    const came = this.owners.follow(list);
    if (came === 'higher') this.gaps.reviewAll();
    return came;
  }

  private review(): void {
    const trusted = this.links.with('scheduler').filter((member) => !this.distrusted.has(member));
    const staying = trusted.filter((member) => !this.leaving.has(member));
    const schedulers = staying.length > 0 ? staying : trusted;
    if (schedulers.join() === this.schedulers.join()) return;
    this.schedulers = schedulers;
    this.owners.changed();
    this.gaps.reviewAll();
  }
}
