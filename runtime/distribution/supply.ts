// The hand of a node's stock (cluster/stock.ts): watches the store, fetches, offers, lets go and throws away as that decides, and
// tells it what came of it.
import { type Manifest, manifestKey, readManifest, shortDigest } from '../../cluster/manifest.js';
import type { Holding } from '../../cluster/placement.js';
import {
  editionIn,
  editionKeyOf,
  type Faring,
  type Sight,
  Stock,
  type StockEffect,
  type StockFact,
} from '../../cluster/stock.js';
import type { ConnectionEvents, PartsConnection } from '../../cluster/store.js';
import { type MemberId, modelKey } from '../../proto/ids.js';
import type { Takers } from '../../proto/takers.js';
import { after, now, pause, settle, type Timer } from '../clock.js';
import type { Log } from '../log.js';
import { editionOf, type ModelEntry } from '../models/entry.js';
import type { Shelf } from '../models/shelf.js';
import { Cache } from './cache.js';
import { fetchVersion, Unreached } from './fetching.js';
import { Line } from './line.js';

export interface SupplyOptions {
  readonly cluster: string;
  readonly cacheFolder: string;
  readonly log: Log;
  readonly connect: (events: ConnectionEvents) => Promise<PartsConnection>;
  /** Its router answers for every model, whoever runs it: it has to know them all. */
  readonly routes: boolean;
  readonly shelf: Shelf;
  /** How long a start waits for what is there already. */
  readonly startMs: number;
  /** How long files stay that this node needs no more; a minute unless told. */
  readonly leftoverMs?: number;
  readonly nodes: () => Sight;
  /** The model's folders are read again; what is found is offered to clients and workers. */
  offer(model: string): Promise<readonly ModelEntry[]>;
  /** How its workers are with it. */
  faringOf(entry: ModelEntry): Faring;
  /** Whether who asks for the model may get that edition. */
  serves(model: string, edition: string): boolean;
  /** What workers are to have has changed. */
  announce(): void;
  /** What this node says of itself has changed. */
  changed(): void;
}

interface Offered {
  /** As it was found after it was fetched. */
  readonly entry: ModelEntry;
  /** Its workers were ready with it. */
  hasCome: boolean;
}

const tickMs = 1000;
const passedOnLookMs = 50;
/** Until then workers that start anew may still need it. */
const leftoverMs = 60_000;

export class Supply {
  private readonly options: SupplyOptions;
  private readonly stock: Stock;
  private readonly cache: Cache;
  private readonly line: Line;
  /** What was fetched and is not let go, by content. */
  private readonly entries = new Map<string, Offered>();
  /** By version: the content that was offered last. */
  private readonly latest = new Map<string, string>();
  private readonly fetches = new Map<number, AbortController>();
  private ticking: Timer | undefined;
  private isStopped = false;
  private isAnnouncing = false;
  private started: () => void = () => {};
  private readonly hasStarted = new Promise<void>((resolve) => {
    this.started = resolve;
  });
  private said = '';

  constructor(options: SupplyOptions) {
    this.options = options;
    const { routes, nodes, cacheFolder, cluster, connect, log } = options;
    this.stock = new Stock({
      routes,
      nodes,
      faringOf: (manifest) => this.faringOf(manifest),
      isServed: (manifest) => options.serves(manifest.model, editionIn(manifest)),
    });
    this.cache = new Cache(cacheFolder, cluster);
    this.line = new Line({
      connect,
      cluster,
      log,
      events: {
        opened: () => this.tell({ type: 'store.opened' }),
        put: (key, { text }) => this.put(key, text),
        removed: (key) => this.tell({ type: 'manifest.removed', key }),
        caughtUp: () => this.tell({ type: 'store.caughtUp' }),
      },
    });
  }

  /** Resolves when what is wanted here and is in the cache serves; what has to be fetched comes after that. */
  async start(): Promise<void> {
    void this.line.keep();
    this.tick();
    const late = after(this.options.startMs, this.started);
    await this.hasStarted;
    late.cancel();
  }

  /** A start is not to wait any longer: the node stops. */
  hurry(): void {
    this.started();
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    this.ticking?.cancel();
    for (const givenUp of this.fetches.values()) givenUp.abort('the node stops');
    this.cache.close();
    await this.line.stop();
  }

  /** Workers of other nodes have it: those of this one are not to load it. What a node has of its own it keeps. */
  isElsewhere(entry: ModelEntry): boolean {
    return this.stock.isElsewhere(entry.name, editionOf(entry)) && !this.options.shelf.isOwn(entry);
  }

  /** What its workers had of versions that were replaced, until they have what was offered in its place. */
  former(): ModelEntry[] {
    const former: ModelEntry[] = [];
    for (const [content, { entry, hasCome }] of this.entries) {
      const { name, version, isShared } = entry;
      const isReplaced = this.latest.get(manifestKey(name, version)) !== content;
      if (isReplaced && hasCome && isShared === true && !this.options.shelf.hasOwn(name, version))
        former.push(entry);
    }
    return former;
  }

  /** Its workers were ready with it, if only once. */
  hasCome(entry: ModelEntry): boolean {
    return this.entries.get(modelKey(entry.name, editionOf(entry)))?.hasCome === true;
  }

  /** Why this node does not know yet all that it is to answer for; empty when it does. */
  behind(): string {
    const behind = this.stock.behind();
    const { trouble } = this.line;
    return behind === '' || trouble === '' ? behind : `${behind}; the store is away: ${trouble}`;
  }

  /** Why no workers have it yet, for people; empty for what is not out of the store. */
  whyNowhere(model: string, version: string): string {
    return this.options.shelf.hasOwn(model, version) ? '' : this.stock.whyNowhere(model, version);
  }

  /** What is served and not in the store any more. */
  lost(): readonly string[] {
    return this.stock.lost();
  }

  /** Who else could take it; undefined for what is not out of the store. */
  takers(model: string, version: string, without: ReadonlySet<MemberId>): Takers | undefined {
    return this.options.shelf.hasOwn(model, version) ? undefined : this.stock.takers(model, version, without);
  }

  /** What this node tells the others of it. */
  holdings(): Holding[] {
    return this.stock.holdings();
  }

  /** How many models its workers have that others, who are to have them when it is gone, have not yet. */
  get uncovered(): number {
    return this.stock.uncovered;
  }

  /** Resolves when others have what its workers have, or after that time. */
  async passedOn(mostMs: number): Promise<void> {
    const until = now() + mostMs;
    while (this.uncovered > 0 && now() < until) await pause(passedOnLookMs);
  }

  /** After something was heard of other nodes, or of its own workers. */
  review(): void {
    this.tell({ type: 'tick' });
  }

  private tick(): void {
    this.ticking = after(
      tickMs,
      () => {
        this.review();
        if (!this.isStopped) this.tick();
      },
      false,
    );
  }

  private put(key: string, text: string): void {
    const manifest = readManifest(key, text);
    if (typeof manifest === 'object') return this.tell({ type: 'manifest.put', manifest });
    this.options.log.warn('manifest.unreadable', { key, reason: manifest });
    this.tell({ type: 'manifest.unreadable', key });
  }

  private tell(fact: StockFact): void {
    if (this.isStopped) return;
    for (const effect of this.stock.hear(fact, now())) this.perform(effect);
    if (this.stock.hasStarted) this.started();
    const said = JSON.stringify([this.stock.behind(), this.holdings()]);
    if (said === this.said) return;
    this.said = said;
    this.options.changed();
  }

  private perform(effect: StockEffect): void {
    const { announce, log } = this.options;
    switch (effect.type) {
      case 'readCache':
        return void this.readCache(effect.manifests);
      case 'fetch':
        return void this.fetch(effect.turn, effect.manifest);
      case 'giveUp':
        return this.fetches.get(effect.turn)?.abort(effect.reason);
      case 'letGo':
        return this.letGo(effect.manifest);
      case 'putOff': {
        const { manifest, reason, againMs } = effect;
        log.error('model.unfetched', { ...aboutOf(manifest), reason, againMs });
        return;
      }
      case 'discard':
        this.forget(effect.manifest);
        return this.discardLater(effect.manifest);
      case 'announce':
        return announce();
      case 'forgotten': {
        const { keys } = effect;
        log.warn('store.forgot', { keys, hint: 'they are served on here: push them again' });
      }
    }
  }

  private async readCache(manifests: readonly Manifest[]): Promise<void> {
    const complete: Manifest[] = [];
    for (const manifest of manifests) if (await this.cache.has(manifest)) complete.push(manifest);
    this.tell({ type: 'cache.read', complete });
    for (const { manifest } of await this.cache.list()) await this.discard(manifest);
    await this.cache.sweep();
  }

  private async fetch(turn: number, manifest: Manifest): Promise<void> {
    const givenUp = new AbortController();
    this.fetches.set(turn, givenUp);
    const amiss = await this.obtain(manifest, givenUp.signal).then(
      () => ({}),
      (fault: Error) => ({ reason: fault.message, isUnreached: fault instanceof Unreached }),
    );
    this.fetches.delete(turn);
    this.tell({ type: 'fetch.ended', turn, ...amiss });
  }

  private async obtain(manifest: Manifest, givenUp: AbortSignal): Promise<void> {
    const { cache, options } = this;
    const { log, shelf } = options;
    const { model, version } = manifest;
    const startedAt = now();
    const before = this.entries.get(this.latest.get(manifestKey(model, version)) ?? '');
    if (before !== undefined) this.look(before);
    const parts = () => this.line.parts();
    const {
      folder,
      parts: count,
      fetchedParts,
    } = await fetchVersion({ manifest, cache, parts, log, givenUp });
    if (givenUp.aborted) return;
    const tookMs = Math.round(now() - startedAt);
    log.info('model.fetched', { ...aboutOf(manifest), parts: count, sent: fetchedParts, tookMs });
    this.latest.set(manifestKey(model, version), editionKeyOf(manifest));
    shelf.put(model, version, { folder, content: shortDigest(manifest.digest) });
    const found = await options.offer(model);
    const entry = found.find((other) => other.version === version);
    if (entry === undefined) throw new Error(`${folder} has no version ${version} of it: push it again`);
    if (!givenUp.aborted) this.entries.set(editionKeyOf(manifest), { entry, hasCome: false });
  }

  /** How far workers are with it. */
  private faringOf(manifest: Manifest): Faring {
    const { model, version, digest } = manifest;
    const offered = this.entries.get(editionKeyOf(manifest));
    if (this.options.shelf.passesOver(model, version, shortDigest(digest)))
      return failed('the node has this version with other content in its own --models, which goes first');
    if (offered === undefined) return { state: 'loading', reason: '' };
    return this.look(offered);
  }

  private look(offered: Offered): Faring {
    const { entry } = offered;
    if (entry.state !== 'available') return failed(entry.reason);
    const faring = this.options.faringOf(entry);
    if (faring.state === 'ready' && !offered.hasCome) this.come(offered);
    return faring;
  }

  private come(offered: Offered): void {
    offered.hasCome = true;
    if (this.options.routes || this.isAnnouncing) return;
    this.isAnnouncing = true;
    settle(() => {
      this.isAnnouncing = false;
      if (!this.isStopped) this.options.announce();
    });
  }

  /** Its workers need not have it on its account. */
  private forget(manifest: Manifest): void {
    const { announce, routes } = this.options;
    const content = editionKeyOf(manifest);
    const key = manifestKey(manifest.model, manifest.version);
    if (this.latest.get(key) === content) this.latest.delete(key);
    if (this.entries.delete(content) && !routes) announce();
  }

  private letGo(manifest: Manifest): void {
    const { log, shelf, offer } = this.options;
    const { model, version, digest } = manifest;
    this.forget(manifest);
    if (!shelf.drop(model, version, shortDigest(digest))) return;
    log.info('model.letGo', { model, version });
    void offer(model).catch((fault: Error) => {
      log.error('model.unfetched', { model, version, reason: fault.message });
    });
  }

  private discardLater(manifest: Manifest): void {
    after(this.options.leftoverMs ?? leftoverMs, () => void this.discard(manifest), false);
  }

  /** As long as other nodes that share the cache folder use its files they stay, and are looked at again. */
  private async discard(manifest: Manifest): Promise<void> {
    if (this.isStopped || !this.stock.isSpare(manifest)) return;
    const isGone = await this.cache.remove(manifest).catch(() => true);
    if (!isGone) this.discardLater(manifest);
  }
}

function aboutOf({ model, version, digest }: Manifest): { model: string; version: string; content: string } {
  return { model, version, content: shortDigest(digest) };
}

function failed(reason: string): Faring {
  return { state: 'failed', reason };
}
