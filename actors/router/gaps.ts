// What of all that is listed can be answered at present, kept up word by word: a report costs a look at the one model
// that it is about, however many are listed.
import { type MemberId, modelKey } from '../../proto/ids.js';
import { type Coverage, isUnavailable } from './coverage.js';
import type { Grace } from './grace.js';

/**
 * Of what nobody serves: `needed` keeps routers from being ready, `shared`, which the cluster shares, does not, nor does
 * `doubted`, which was served until a moment ago.
 */
type Standing = 'served' | 'doubted' | 'needed' | 'shared' | 'unavailable';

const namedMax = 3;

export class Gaps {
  private readonly coverage: Coverage;
  private readonly grace: Grace;
  private readonly ownerOf: (model: string, version: string) => MemberId;
  /** Shared ones that a scheduler has said nobody has, nor is about to: told already, and yet to be told. */
  private readonly told = new Set<string>();
  private readonly untold = new Set<string>();
  private readonly standings = new Map<string, Standing>();
  private readonly keys = {
    served: new Set<string>(),
    doubted: new Set<string>(),
    needed: new Set<string>(),
    shared: new Set<string>(),
    unavailable: new Set<string>(),
  } as const satisfies Record<Standing, Set<string>>;

  constructor(coverage: Coverage, grace: Grace, ownerOf: (model: string, version: string) => MemberId) {
    this.coverage = coverage;
    this.grace = grace;
    this.ownerOf = ownerOf;
  }

  /** What is listed, or who is there, has changed. */
  reviewAll(): void {
    this.standings.clear();
    for (const keys of Object.values(this.keys)) keys.clear();
    this.untold.clear();
    this.grace.forgetAllBut((key) => this.coverage.listing(key) !== undefined);
    for (const { model, version } of this.coverage.models()) this.review(model, version);
    for (const key of this.told) if (!this.keys.shared.has(key)) this.told.delete(key);
  }

  review(model: string, version: string): void {
    const key = modelKey(model, version);
    const standing = this.standingOf(key, model, version);
    this.stand(key, standing);
    if (standing !== 'shared') this.told.delete(key);
    this.hearOf(key, standing, model, version);
  }

  /** Those count no longer that were served too long ago. Returns when the next one does not. */
  lapse(now: number): number | undefined {
    for (const key of this.grace.takeLapsed(now)) {
      const listed = this.coverage.listing(key);
      if (listed !== undefined) this.review(listed.model, listed.version);
    }
    return this.grace.nextAt;
  }

  private hearOf(key: string, standing: Standing | undefined, model: string, version: string): void {
    // Nobody's word is no news: a scheduler is yet to come, or to tell.
    const isNews =
      standing === 'shared' && this.coverage.reportOf(key, this.ownerOf(model, version))?.loading === 0;
    if (isNews && !this.told.has(key)) this.untold.add(key);
    else this.untold.delete(key);
  }

  private stand(key: string, standing: Standing | undefined): void {
    const before = this.standings.get(key);
    if (standing === before) return;
    if (before !== undefined) this.keys[before].delete(key);
    if (standing === undefined) this.standings.delete(key);
    else {
      this.standings.set(key, standing);
      this.keys[standing].add(key);
    }
  }

  /** Why the whole isn't ready, in a sentence; nothing when it is. */
  sentence(): string | undefined {
    const { served, doubted, needed, shared } = this.keys;
    for (const key of needed) return lackOf(key);
    if (this.standings.size === 0 || served.size + doubted.size > 0) return undefined;
    for (const key of shared) return lackOf(key);
    return 'no model could be loaded by any worker';
  }

  /** Something that nobody serves at present counts as served. */
  get hasDoubted(): boolean {
    return this.keys.doubted.size > 0;
  }

  get hasUntold(): boolean {
    return this.untold.size > 0;
  }

  /** Shared ones that nobody has any more, each once for as long as that stays so. */
  takeUntold(): string[] {
    const keys = [...this.untold];
    for (const key of keys) this.told.add(key);
    this.untold.clear();
    return keys;
  }

  /** None where it is not listed, or can't be served by anybody. */
  private standingOf(key: string, model: string, version: string): Standing | undefined {
    const listed = this.coverage.listing(key);
    if (listed === undefined || listed.broken !== '') {
      this.grace.forget(key);
      return undefined;
    }
    const condition = this.coverage.condition(key, this.ownerOf(model, version));
    if (condition.ready + condition.resting > 0) {
      this.grace.answer(key, condition);
      return 'served';
    }
    if (isUnavailable(condition)) {
      this.grace.forget(key);
      return 'unavailable';
    }
    if (this.grace.doubt(key)) return 'doubted';
    return listed.isShared === true ? 'shared' : 'needed';
  }
}

/** Of many the first are named. */
export function lackOf(...keys: readonly string[]): string {
  const more = keys.length - namedMax;
  const named = keys.slice(0, namedMax).join(', ');
  return `no worker has ${named}${more > 0 ? ` and ${more} more` : ''} ready`;
}
