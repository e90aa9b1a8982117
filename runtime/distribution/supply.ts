// What a node has of the models that its cluster shares: it watches the store, decides with what it sees of the others which of
// them its workers are to have, fetches those, and lets go what others have by now or nobody wants any more.
import { type Manifest, manifestKey, readManifest, shortDigest } from '../../cluster/manifest.js';
import { type Holding, holdersOf, isCovered, isUnderWay, whyNowhere } from '../../cluster/placement.js';
import type { NodeRecord } from '../../cluster/record.js';
import type { ConnectionEvents, PartsConnection } from '../../cluster/store.js';
import { type Takers, takersOf } from '../../cluster/takers.js';
import { type MemberId, modelKey } from '../../proto/ids.js';
import { after, now, pause, type Timer } from '../clock.js';
import type { Log } from '../log.js';
import { editionOf, type ModelEntry } from '../models/entry.js';
import type { Shelf } from '../models/shelf.js';
import { Cache } from './cache.js';
import { fetchVersion } from './fetching.js';
import { editionIn, type Held, newlyHeld } from './held.js';
import { Line } from './line.js';

export interface SupplyOptions {
  readonly self: MemberId;
  readonly cluster: string;
  readonly cacheFolder: string;
  readonly log: Log;
  readonly connect: (events: ConnectionEvents) => Promise<PartsConnection>;
  /** Its router answers for every model, whoever runs it: it has to know them all. */
  readonly routes: boolean;
  readonly shelf: Shelf;
  /** How long a start waits for what is there already. */
  readonly startMs: number;
  /** This node, as it says itself, and the others. */
  nodes(): { readonly own: NodeRecord; readonly others: readonly NodeRecord[]; readonly isLive: boolean };
  /** The model's folders are read again; what is found is offered to clients and workers. */
  offer(model: string): Promise<readonly ModelEntry[]>;
  /** How its workers are with it. Undefined: none of them has tried yet. */
  loadedAt(entry: ModelEntry): { readonly ready: boolean; readonly reason: string } | undefined;
  /** What workers are to have has changed. */
  announce(): void;
  /** What this node says of itself has changed. */
  changed(): void;
}

const tickMs = 1000;
const passedOnLookMs = 50;
const fetchesAtOnce = 2;
const retryFirstMs = 2000;
const retryMostMs = 300_000;
/** Until then workers that start anew may still need it. */
const leftoverMs = 60_000;

export class Supply {
  private readonly options: SupplyOptions;
  private readonly cache: Cache;
  private readonly line: Line;
  private readonly manifests = new Map<string, Manifest>();
  private readonly held = new Map<string, Held>();
  /** Editions that are for workers of other nodes. */
  private readonly away = new Set<string>();
  /** Keys that the store has told of since it was opened. */
  private told = new Set<string>();
  private readonly removed = new Set<string>();
  private fetching = 0;
  private ticking: Timer | undefined;
  private isStopped = false;
  private isKnown = false;
  private know: () => void = () => {};
  private readonly known = new Promise<void>((resolve) => {
    this.know = resolve;
  });
  private said = '';
  /** What was in the store at the start, is wanted here, and has not come yet. */
  private readonly awaited = new Set<Held>();

  constructor(options: SupplyOptions) {
    this.options = options;
    this.cache = new Cache(options.cacheFolder, options.cluster);
    this.line = new Line({
      connect: options.connect,
      cluster: options.cluster,
      log: options.log,
      events: {
        put: (key, { text }) => this.put(key, text),
        removed: (key) => this.remove(key),
        caughtUp: () => void this.caughtUp(),
      },
    });
  }

  /** Resolves when what is wanted here and is in the cache serves; what has to be fetched comes after that. */
  async start(): Promise<void> {
    void this.line.keep();
    this.tick();
    const late = after(this.options.startMs, this.know);
    await this.known;
    late.cancel();
  }

  /** A start is not to wait any longer: the node stops. */
  hurry(): void {
    this.know();
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    this.ticking?.cancel();
    for (const { givenUp } of this.held.values()) givenUp.abort('the node stops');
    await this.line.stop();
  }

  /** Workers of other nodes have it: those of this one are not to load it. What a node has of its own it keeps. */
  isElsewhere(entry: ModelEntry): boolean {
    if (this.away.size === 0 || !this.away.has(modelKey(entry.name, editionOf(entry)))) return false;
    return !this.options.shelf.isOwn(entry);
  }

  /** Why this node does not know yet all that it is to answer for; empty when it does. */
  behind(): string {
    const names = [...this.awaited].map(({ manifest }) => `${manifest.model}:${manifest.version}`);
    return names.length === 0 ? '' : `the node still fetches ${names.join(', ')}`;
  }

  /** Why no workers have it yet, for people; empty for what is not out of the store. */
  whyNowhere(model: string, version: string): string {
    const manifest = this.manifests.get(manifestKey(model, version));
    if (manifest === undefined || this.options.shelf.hasOwn(model, version)) return '';
    const { own, others } = this.options.nodes();
    return whyNowhere(manifest, [own, ...others]);
  }

  /** Who else could take it; undefined for what is not out of the store. */
  takers(model: string, version: string, without: ReadonlySet<MemberId>): Takers | undefined {
    const manifest = this.manifests.get(manifestKey(model, version));
    if (manifest === undefined || this.options.shelf.hasOwn(model, version)) return undefined;
    const { own, others } = this.options.nodes();
    return takersOf(manifest, [own, ...others], without);
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

  /** Resolves when others have what its workers have, or after that time. */
  async passedOn(mostMs: number): Promise<void> {
    const until = now() + mostMs;
    while (this.uncovered > 0 && now() < until) await pause(passedOnLookMs);
  }

  /** After something was heard: of the store, of other nodes, of its own workers. */
  review(): void {
    if (!this.isKnown || this.isStopped) return;
    for (const [key, held] of this.held) if (!this.manifests.has(key)) this.letGo(key, held);
    for (const [key, manifest] of this.manifests) this.consider(key, manifest);
    this.pump();
    this.say();
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
    this.told.add(key);
    this.removed.delete(key);
    const manifest = readManifest(key, text);
    if (typeof manifest === 'string') {
      this.options.log.warn('manifest.unreadable', { key, reason: manifest });
      return;
    }
    this.manifests.set(key, manifest);
    this.review();
  }

  private remove(key: string): void {
    this.removed.add(key);
    this.manifests.delete(key);
    this.review();
  }

  /** A store that has lost what it had takes nothing away: only who removes a model does. */
  private async caughtUp(): Promise<void> {
    const { log } = this.options;
    const forgotten = [...this.manifests.keys()].filter((key) => !this.told.has(key));
    this.told = new Set();
    if (forgotten.length > 0)
      log.warn('store.forgot', { keys: forgotten, hint: 'they are served on here: push them again' });
    if (this.isKnown) return this.review();
    this.isKnown = true;
    for (const [key, manifest] of this.manifests) {
      const held = this.consider(key, manifest);
      if (held.state !== 'waiting') continue;
      if (await this.cache.has(manifest)) await this.obtain(held);
      else this.awaited.add(held);
    }
    this.know();
    this.review();
    await this.tidy();
  }

  private consider(key: string, manifest: Manifest): Held {
    let held = this.held.get(key);
    if (held?.manifest.digest !== manifest.digest) {
      if (held !== undefined) this.forget(held);
      held = newlyHeld(manifest);
      this.held.set(key, held);
    }
    this.place(held);
    const isWanted = held.isPlaced || this.options.routes;
    if (!isWanted) {
      // Why it could not be had here stays, so that others go on passing this node by.
      if (held.state === 'failed' && now() < held.retryAt) return held;
      if (held.state !== 'idle') this.withdraw(key, held);
    } else if (
      held.state === 'idle' ||
      (held.state === 'failed' && held.entry === undefined && now() >= held.retryAt)
    ) {
      held.state = 'waiting';
    } else if (held.entry !== undefined) {
      this.look(held, held.entry);
    }
    return held;
  }

  /** The view of the others is needed for that: while it stands still everything stays where it is. */
  private place(held: Held): void {
    const { own, others, isLive } = this.options.nodes();
    const { manifest } = held;
    const wasPlaced = held.isPlaced;
    if (isLive) {
      const places = [own, ...others];
      const holders = holdersOf(manifest, places);
      const stays = wasPlaced && held.entry !== undefined && !isCovered(manifest, holders, places);
      held.isPlaced = holders.includes(own.member.id) || (stays && held.state !== 'failed');
    }
    const edition = modelKey(manifest.model, editionIn(manifest));
    if (held.isPlaced === wasPlaced && this.away.has(edition) !== held.isPlaced) return;
    if (held.isPlaced) this.away.delete(edition);
    else this.away.add(edition);
    if (held.entry !== undefined) this.options.announce();
  }

  /** How far workers are with it. */
  private look(held: Held, entry: ModelEntry): void {
    const { model, version, digest } = held.manifest;
    const passedOver = this.options.shelf.passesOver(model, version, shortDigest(digest));
    if (passedOver)
      return this.fail(
        held,
        'the node has this version with other content in its own --models, which goes first',
      );
    if (entry.state !== 'available') return this.fail(held, entry.reason);
    // Its workers are not to have it: what was said when they were stays for a while.
    if (held.state === 'failed' && !held.isPlaced && now() < held.retryAt) return;
    const loaded = this.options.loadedAt(entry);
    if (loaded === undefined) held.state = 'loading';
    else if (loaded.ready) held.state = 'ready';
    else return this.fail(held, loaded.reason);
    held.reason = '';
  }

  private fail(held: Held, reason: string): void {
    held.state = 'failed';
    held.reason = reason.slice(0, 500);
    held.retryAt = now() + retryMostMs;
  }

  private pump(): void {
    for (const held of this.held.values()) {
      if (this.fetching >= fetchesAtOnce) return;
      if (held.state !== 'waiting') continue;
      this.fetching++;
      void this.obtain(held).finally(() => {
        this.fetching--;
        this.review();
      });
    }
  }

  private async obtain(held: Held): Promise<void> {
    const { manifest, givenUp } = held;
    const { log, shelf } = this.options;
    const { model, version } = manifest;
    const content = shortDigest(manifest.digest);
    held.state = 'fetching';
    this.say();
    const startedAt = now();
    try {
      const parts = () => this.line.parts();
      const fetched = await fetchVersion({
        manifest,
        cache: this.cache,
        parts,
        log,
        givenUp: givenUp.signal,
      });
      if (givenUp.signal.aborted) return;
      const tookMs = Math.round(now() - startedAt);
      log.info('model.fetched', {
        model,
        version,
        content,
        parts: fetched.parts,
        sent: fetched.fetchedParts,
        tookMs,
      });
      shelf.put(model, version, { folder: fetched.folder, content });
      held.failures = 0;
      held.state = 'loading';
      const found = await this.options.offer(model);
      held.entry = found.find((entry) => entry.version === version);
      if (held.entry !== undefined) this.look(held, held.entry);
    } catch (fault) {
      if (givenUp.signal.aborted) return;
      const reason = (fault as Error).message;
      const againMs = Math.min(retryFirstMs * 2 ** held.failures++, retryMostMs);
      log.error('model.unfetched', { model, version, content, reason, againMs });
      this.fail(held, reason);
      held.retryAt = now() + againMs;
    } finally {
      this.awaited.delete(held);
    }
  }

  /** It is out of the store: nothing new gets to it, what was taken is still run. */
  private letGo(key: string, held: Held): void {
    this.withdraw(key, held);
    this.held.delete(key);
    this.away.delete(modelKey(held.manifest.model, editionIn(held.manifest)));
    this.discard(held.manifest);
  }

  private withdraw(key: string, held: Held): void {
    const { model, version } = held.manifest;
    held.givenUp.abort('it is not wanted here any more');
    this.awaited.delete(held);
    if (this.manifests.has(key)) this.held.set(key, newlyHeld(held.manifest));
    if (!this.options.shelf.drop(model, version, shortDigest(held.manifest.digest))) return;
    this.options.log.info('model.letGo', { model, version });
    void this.options.offer(model).catch((fault: Error) => {
      this.options.log.error('model.unfetched', { model, version, reason: fault.message });
    });
  }

  /** Another content takes its place, which serves until that is there. */
  private forget(held: Held): void {
    held.givenUp.abort('it was replaced in the store');
    this.awaited.delete(held);
    this.discard(held.manifest);
  }

  private discard(manifest: Manifest): void {
    after(
      leftoverMs,
      () => {
        const wanted = this.manifests.get(manifestKey(manifest.model, manifest.version));
        if (wanted?.digest !== manifest.digest) void this.cache.remove(manifest).catch(() => {});
      },
      false,
    );
  }

  /** What was fetched once and has been replaced or removed since. What a store says nothing of stays. */
  private async tidy(): Promise<void> {
    for (const { manifest } of await this.cache.list()) {
      const key = manifestKey(manifest.model, manifest.version);
      const current = this.manifests.get(key);
      const isReplaced = current !== undefined && current.digest !== manifest.digest;
      if (isReplaced || this.removed.has(key)) await this.cache.remove(manifest).catch(() => {});
    }
  }

  private say(): void {
    const said = JSON.stringify(this.holdings());
    if (said === this.said) return;
    this.said = said;
    this.options.changed();
  }
}
