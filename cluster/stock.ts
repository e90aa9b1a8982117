// What one node is to have of the models that its cluster shares: what it fetches and when again, what its workers are to have,
// what it may let go, and whom it waits for. Decisions only: facts and the time come in, what is to be done goes out.
import { type MemberId, modelKey } from '../proto/ids.js';
import type { Takers } from '../proto/takers.js';
import { Backlog } from './backlog.js';
import { type Parted, whenHere, whenReplaced } from './former.js';
import { fail, type Held, newlyHeld } from './held.js';
import { lostOf } from './lost.js';
import { type Manifest, manifestKey, shortDigest } from './manifest.js';
import { type Holding, holdersOf, isCovered, isUnderWay, type Place, whyNowhere } from './placement.js';
import { takersOf } from './takers.js';

export type StockFact =
  /** A watch of it begins: what is in it is about to be told. */
  | { readonly type: 'store.opened' }
  | { readonly type: 'manifest.put'; readonly manifest: Manifest }
  /** It is there, and can't be read: what was there before is served on. */
  | { readonly type: 'manifest.unreadable'; readonly key: string }
  | { readonly type: 'manifest.removed'; readonly key: string }
  /** All that was in it has been told. */
  | { readonly type: 'store.caughtUp' }
  /** What of it is complete on this node's disk. */
  | { readonly type: 'cache.read'; readonly complete: readonly Manifest[] }
  /** It is there, and its workers are told of it; with a reason it is not. */
  | {
      readonly type: 'fetch.ended';
      readonly turn: number;
      readonly reason?: string;
      /** The store did not answer: it may be there. */
      readonly isUnreached?: boolean;
    }
  /** Something was heard of other nodes or of its own workers, or time has gone by. */
  | { readonly type: 'tick' };

type Ended = Extract<StockFact, { type: 'fetch.ended' }>;

export type StockEffect =
  /** Of what the store tells: to be answered with `cache.read`, once. */
  | { readonly type: 'readCache'; readonly manifests: readonly Manifest[] }
  /** To be answered with `fetch.ended`, also when it is given up. */
  | { readonly type: 'fetch'; readonly turn: number; readonly manifest: Manifest }
  /** It did not come, and is tried again. */
  | {
      readonly type: 'putOff';
      readonly manifest: Manifest;
      readonly reason: string;
      readonly againMs: number;
    }
  | { readonly type: 'giveUp'; readonly turn: number; readonly reason: string }
  /** Nothing new gets to it; what was taken is still run. */
  | { readonly type: 'letGo'; readonly manifest: Manifest }
  /** Its files are of no use once nobody can need them any more. */
  | { readonly type: 'discard'; readonly manifest: Manifest }
  /** What the workers of this node are to have has changed. */
  | { readonly type: 'announce' }
  /** The store has lost them, and nobody took them out. */
  | { readonly type: 'forgotten'; readonly keys: readonly string[] };

/** How workers are with what was fetched. */
export interface Faring {
  readonly state: 'loading' | 'ready' | 'failed';
  readonly reason: string;
}

/** This node, as it says itself, and the others as it sees them. */
export interface Sight {
  readonly own: Place;
  readonly others: readonly Place[];
  /** While it does not live everything stays where it is. */
  readonly isLive: boolean;
}

export interface StockOptions {
  /** It answers for every model, whoever runs it: it has to know them all. */
  readonly routes: boolean;
  readonly nodes: () => Sight;
  /** Asked of what has been fetched. */
  readonly faringOf: (manifest: Manifest) => Faring;
  /** Whether who asks for the version may get that content, though it was replaced. */
  readonly isServed: (manifest: Manifest) => boolean;
}

const fetchesAtOnce = 2;
const retryFirstMs = 2000;
export const retryMostMs = 300_000;
/** A store that does not answer may do so at any time. */
const unreachedMostMs = 16_000;

export class Stock {
  private readonly options: StockOptions;
  private readonly manifests = new Map<string, Manifest>();
  private readonly held = new Map<string, Held>();
  /** Editions that are for workers of other nodes. */
  private readonly away = new Set<string>();
  /** Keys that the store has told of since it was opened. */
  private told = new Set<string>();
  /** That is under way. */
  private isTold = false;
  private readonly removed = new Set<string>();
  /** Fetches that have not ended, those that were given up among them. */
  private fetching = 0;
  private turns = 0;
  private knows: 'nothing' | 'store' | 'all' = 'nothing';
  private readonly backlog = new Backlog();
  private effects: StockEffect[] = [];

  constructor(options: StockOptions) {
    this.options = options;
  }

  hear(fact: StockFact, now: number): StockEffect[] {
    const keys = this.take(fact, now);
    if (this.knows === 'all') this.review(keys, now);
    const { effects } = this;
    this.effects = [];
    return effects;
  }

  /** What was on the disk at the start is offered: what has to be fetched comes after that. */
  get hasStarted(): boolean {
    return this.backlog.isOffered;
  }

  /** Why this node does not know yet all that it is to answer for; empty when it does. */
  behind(): string {
    return this.backlog.reason();
  }

  /** What this node tells the others of it. */
  holdings(): Holding[] {
    const holdings: Holding[] = [];
    for (const { manifest, state, reason, isPlaced } of this.held.values()) {
      if (state === 'idle' || state === 'waiting') continue;
      if (!isPlaced && state !== 'fetching' && state !== 'failed') continue;
      const { model, version, digest } = manifest;
      holdings.push({ model, version, content: shortDigest(digest), state, reason });
    }
    return holdings;
  }

  /** How many models its workers have that others, who are to have them when it is gone, have not yet. */
  get uncovered(): number {
    const { others, isLive } = this.options.nodes();
    // Who is not seen is not waited for.
    if (!isLive) return 0;
    const ready = [...this.held.values()].filter((held) => held.isPlaced && held.state === 'ready');
    return ready.filter(({ manifest }) => isUnderWay(manifest, others)).length;
  }

  /** What is served, here or elsewhere, and not in the store any more. Nothing before all is told. */
  lost(): readonly string[] {
    if (this.isTold || this.knows !== 'all') return [];
    const { own, others } = this.options.nodes();
    return lostOf([own, ...others], (key) => this.told.has(key) || this.removed.has(key));
  }

  /** Workers of other nodes have it: those of this one are not to load it. */
  isElsewhere(model: string, edition: string): boolean {
    return this.away.size > 0 && this.away.has(modelKey(model, edition));
  }

  /** Why no workers have it yet, for people; empty for what the store does not tell of. */
  whyNowhere(model: string, version: string): string {
    const manifest = this.manifests.get(manifestKey(model, version));
    if (manifest === undefined) return '';
    const { own, others } = this.options.nodes();
    return whyNowhere(manifest, [own, ...others]);
  }

  /** Who else could take it; undefined for what the store does not tell of. */
  takers(model: string, version: string, without: ReadonlySet<MemberId>): Takers | undefined {
    const manifest = this.manifests.get(manifestKey(model, version));
    if (manifest === undefined) return undefined;
    const { own, others } = this.options.nodes();
    return takersOf(manifest, [own, ...others], without);
  }

  /** Whether that content may be thrown away: another one took its place, or it was taken out. What a store says nothing of stays. */
  isSpare(manifest: Manifest): boolean {
    const key = keyOf(manifest);
    const current = this.manifests.get(key);
    if (this.held.get(key)?.former.some(({ digest }) => digest === manifest.digest)) return false;
    return current === undefined ? this.removed.has(key) : current.digest !== manifest.digest;
  }

  /** The keys of what it may change something for. */
  private take(fact: StockFact, now: number): Iterable<string> {
    switch (fact.type) {
      case 'store.opened':
        this.told = new Set();
        this.isTold = true;
        return [];
      case 'manifest.put': {
        const key = keyOf(fact.manifest);
        this.told.add(key);
        this.removed.delete(key);
        this.manifests.set(key, fact.manifest);
        return this.once(key);
      }
      case 'manifest.unreadable':
        this.told.add(fact.key);
        return [];
      case 'manifest.removed':
        this.removed.add(fact.key);
        this.manifests.delete(fact.key);
        return this.once(fact.key);
      case 'store.caughtUp':
        this.isTold = false;
        this.caughtUp();
        return this.keys();
      case 'cache.read':
        this.knows = 'all';
        this.backlog.begin(fact.complete);
        return this.keys();
      case 'fetch.ended':
        return this.ended(fact, now);
      case 'tick':
        return this.keys();
    }
  }

  private keys(): Set<string> {
    return new Set([...this.held.keys(), ...this.manifests.keys()]);
  }

  /** What is told of while all is told is looked at when that has come to its end. */
  private once(key: string): readonly string[] {
    return this.isTold ? [] : [key];
  }

  /** A store that has lost what it had takes nothing away: only who removes a model does. */
  private caughtUp(): void {
    const keys = [...this.manifests.keys()].filter((key) => !this.told.has(key));
    if (keys.length > 0) this.effects.push({ type: 'forgotten', keys });
    if (this.knows !== 'nothing') return;
    this.knows = 'store';
    this.effects.push({ type: 'readCache', manifests: [...this.manifests.values()] });
  }

  private review(keys: Iterable<string>, now: number): void {
    const sight = this.options.nodes();
    const { isGathering } = this.backlog;
    // What was told while the disk was read, or while nobody saw the others, is among it.
    for (const key of isGathering ? this.keys() : keys) {
      const held = this.held.get(key);
      const manifest = this.manifests.get(key);
      if (manifest !== undefined) this.consider(key, manifest, sight, now);
      else if (held !== undefined) this.letGo(key, held);
    }
    if (sight.isLive || this.options.routes || this.manifests.size === 0) this.backlog.gathered();
    for (const held of this.backlog.atHand()) this.fetch(held);
    for (const held of this.held.values()) this.fetch(held);
  }

  private consider(key: string, manifest: Manifest, sight: Sight, now: number): void {
    let held = this.held.get(key);
    const isAwaited = held !== undefined && this.backlog.awaits(held);
    if (held?.manifest.digest !== manifest.digest) {
      held = newlyHeld(manifest, held === undefined ? [] : this.replaced(held));
      this.held.set(key, held);
    }
    held.manifest = manifest;
    this.place(held, sight);
    const isWanted = held.isPlaced || this.options.routes;
    const isPutOff = held.state === 'failed' && now < held.retryAt;
    if (!isWanted) {
      this.backlog.drop(held);
      if (held.former.length > 0 && isCoveredIn(sight, manifest)) this.dropFormer(held);
      // Why it could not be had here stays, so that others go on passing this node by.
      if (held.state === 'idle' || isPutOff) return;
      this.withdraw(held);
      held = newlyHeld(manifest, held.former);
      this.held.set(key, held);
    } else if (held.isHere) {
      this.look(held, now);
      if (held.former.length > 0) held.former = this.parted(whenHere(held, this.options.isServed));
    } else if (held.state === 'idle' || (held.state === 'failed' && !isPutOff)) {
      held.state = 'waiting';
      if (isAwaited) this.backlog.await(held);
      else this.backlog.meet(held);
    }
  }

  /** The view of the others is needed for that. */
  private place(held: Held, { own, others, isLive }: Sight): void {
    const { manifest } = held;
    const wasPlaced = held.isPlaced;
    if (isLive) {
      const places = [own, ...others];
      const holders = holdersOf(manifest, places);
      const stays =
        wasPlaced && held.isHere && held.state !== 'failed' && !isCovered(manifest, holders, places);
      held.isPlaced = stays || holders.includes(own.member.id);
    }
    const edition = editionKeyOf(manifest);
    if (held.isPlaced !== this.away.has(edition)) return;
    if (held.isPlaced) this.away.delete(edition);
    else this.away.add(edition);
    if (held.isHere) this.effects.push({ type: 'announce' });
  }

  /** How far workers are with it. */
  private look(held: Held, now: number): void {
    // Its workers are not to have it: what was said when they were stays for a while.
    if (held.state === 'failed' && !held.isPlaced && now < held.retryAt) return;
    const { state, reason } = this.options.faringOf(held.manifest);
    if (state === 'failed') return fail(held, reason, now + retryMostMs);
    held.state = state;
    held.reason = '';
  }

  private fetch(held: Held): void {
    if (held.state !== 'waiting' || this.fetching >= fetchesAtOnce) return;
    this.fetching++;
    held.state = 'fetching';
    held.turn = ++this.turns;
    this.effects.push({ type: 'fetch', turn: held.turn, manifest: held.manifest });
  }

  private ended({ turn, reason, isUnreached = false }: Ended, now: number): readonly string[] {
    this.fetching--;
    const held = [...this.held.values()].find((other) => other.turn === turn);
    // It was given up meanwhile.
    if (held === undefined) return [];
    const key = keyOf(held.manifest);
    held.turn = 0;
    if (isUnreached) this.backlog.missed(held);
    else this.backlog.drop(held);
    if (reason !== undefined) {
      const mostMs = isUnreached ? unreachedMostMs : retryMostMs;
      const againMs = Math.min(retryFirstMs * 2 ** held.failures++, mostMs);
      this.effects.push({ type: 'putOff', manifest: held.manifest, reason, againMs });
      fail(held, reason, now + againMs);
      return [key];
    }
    held.isHere = true;
    held.state = 'loading';
    return [key];
  }

  private replaced(held: Held): readonly Manifest[] {
    this.abandon(held, 'it was replaced in the store');
    return this.parted(whenReplaced(held));
  }

  private parted({ kept, spare }: Parted): readonly Manifest[] {
    for (const manifest of spare) {
      this.away.delete(editionKeyOf(manifest));
      this.effects.push({ type: 'discard', manifest });
    }
    return kept;
  }

  private dropFormer(held: Held): void {
    for (const manifest of held.former)
      this.effects.push({ type: 'letGo', manifest }, { type: 'discard', manifest });
    held.former = [];
  }

  /** It is out of the store. */
  private letGo(key: string, held: Held): void {
    this.withdraw(held);
    this.dropFormer(held);
    this.held.delete(key);
    this.away.delete(editionKeyOf(held.manifest));
    this.effects.push({ type: 'discard', manifest: held.manifest });
  }

  private withdraw(held: Held): void {
    const { manifest, isHere, turn } = held;
    this.abandon(held, 'it is not wanted here any more');
    if (isHere || turn !== 0) this.effects.push({ type: 'letGo', manifest });
  }

  /** Whatever comes of its fetch is not heard any more. */
  private abandon(held: Held, reason: string): void {
    if (held.turn !== 0) this.effects.push({ type: 'giveUp', turn: held.turn, reason });
    this.backlog.drop(held);
  }
}

/** Those who are to have it have it; while this node does not live nobody knows. */
function isCoveredIn({ own, others, isLive }: Sight, manifest: Manifest): boolean {
  const places = [own, ...others];
  return isLive && isCovered(manifest, holdersOf(manifest, places), places);
}

function keyOf({ model, version }: Manifest): string {
  return manifestKey(model, version);
}

/** As every node calls it. */
export function editionIn({ version, digest }: Manifest): string {
  return `${version}+${shortDigest(digest)}`;
}

export function editionKeyOf(manifest: Manifest): string {
  return modelKey(manifest.model, editionIn(manifest));
}
