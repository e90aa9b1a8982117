// Keeps a node's membership in a store: connects and connects again, carries out what the membership decides, tells it what
// came of that and what time it is. The decisions are in cluster/.
import type { Step } from '../../cluster/membership.js';
import type { Connection, ConnectionEvents, Store, StoreOptions } from '../../cluster/store.js';
import type { Note, StoredMembership, StoreEffect, StoreFact } from '../../cluster/stored.js';
import { type Clock, realClock, type Timer } from '../clock.js';
import type { Log } from '../log.js';
import { Turns } from './turns.js';
import { unusableNats } from './unusable.js';

export interface UpkeepOptions {
  readonly membership: StoredMembership;
  readonly connect: (events: ConnectionEvents) => Promise<Connection>;
  readonly store: StoreOptions;
  /** What is connected to, for people. */
  readonly where: string;
  /** Only at the start does it give up. */
  readonly startMs: number;
  readonly tickMs: number;
  readonly log: Log;
  /** Whom to call and whom not to call any more. */
  readonly take: (step: Step) => void;
  /** Something that may matter to those who look has changed. */
  readonly changed: () => void;
  /** What else is kept there goes over the same connection: it is there, perhaps again, or lost. */
  readonly connected?: (connection: Connection | undefined) => void;
  readonly clock?: Clock;
  readonly waits?: Waits;
}

export interface Waits {
  /** Between two tries to open the store, at first and at most. */
  readonly againFirstMs: number;
  readonly againMostMs: number;
  /** At most between two tries of a node that serves to get in at all: many may be refused at once, and nobody waits for it. */
  readonly inMostMs: number;
  /** Who leaves waits so long for its word to get there. */
  readonly goodbyeMs: number;
}

const usualWaits: Waits = { againFirstMs: 250, againMostMs: 1000, inMostMs: 5000, goodbyeMs: 1000 };
const warnings: readonly Note['event'][] = ['cluster.frozen', 'member.refused'];

export class Upkeep {
  private readonly options: UpkeepOptions;
  private readonly clock: Clock;
  private readonly waits: Waits;
  private connection: Connection | undefined;
  private store: Store | undefined;
  private endWatch: () => void = () => {};
  private readonly turns = new Turns();
  private wanted: { readonly key: string; readonly text: string } | undefined;
  private isWriting = false;
  private hasStarted = false;
  private isStopped = false;
  private ticking: Timer | undefined;
  private deadline: Timer | undefined;
  private tries = 0;
  private amiss = 'it does not answer';
  private isKnown: () => void = () => {};
  private readonly known = new Promise<void>((resolve) => {
    this.isKnown = resolve;
  });

  constructor(options: UpkeepOptions) {
    this.options = options;
    this.clock = options.clock ?? realClock;
    this.waits = options.waits ?? usualWaits;
  }

  /** Resolves when those who are there are known; rejects with a sentence when that can't be had in time. */
  async start(): Promise<void> {
    const { where, startMs } = this.options;
    this.tick();
    void this.open();
    const late = new Promise<never>((_, reject) => {
      this.deadline = this.clock.after(startMs, () =>
        reject(new Error(hopeless(where, this.tries, startMs, this.amiss))),
      );
    });
    try {
      await Promise.race([this.known, late]);
      this.hasStarted = true;
    } catch (fault) {
      await this.abandon();
      throw fault;
    } finally {
      this.deadline?.cancel();
    }
  }

  /** A start is not to wait any longer: the node stops. */
  hurry(): void {
    this.isKnown();
  }

  /** Why it has no connection; empty while it has one. */
  get trouble(): string {
    return this.connection === undefined ? this.amiss : '';
  }

  /** The node has changed: the others are to know at once. */
  renew(): void {
    this.tell({ type: 'self.changed' });
  }

  /** Off the list with a dead one. */
  evict(member: string): void {
    this.tell({ type: 'member.evicted', member });
  }

  /** Says goodbye, where there is somebody to hear it. */
  async stop(): Promise<void> {
    const store = this.options.membership.standing().state === 'live' ? this.store : undefined;
    this.isStopped = true;
    for (const effect of this.options.membership.told({ type: 'self.leaving' }, this.clock.now()).effects) {
      if (effect.type !== 'erase' || store === undefined) continue;
      await this.within(store.erase(effect.key));
    }
    await this.abandon();
  }

  /** Ends without a word: the others will see. */
  async abandon(): Promise<void> {
    this.isStopped = true;
    this.turns.end();
    this.ticking?.cancel();
    this.endWatch();
    if (this.connection !== undefined) await this.within(this.connection.close());
  }

  private tick(): void {
    this.ticking = this.clock.after(
      this.options.tickMs,
      () => {
        this.tell({ type: 'tick' });
        if (!this.isStopped) this.tick();
      },
      false,
    );
  }

  /** Tries until it has the store and a watch of it. */
  private open(firstMs = 0): Promise<void> {
    return this.turns.take((isOurs) => this.openIn(isOurs, firstMs));
  }

  private async openIn(isOurs: () => boolean, firstMs: number): Promise<void> {
    const { where: tried, log } = this.options;
    let againMs = Math.max(this.waits.againFirstMs, firstMs);
    if (firstMs > 0) await this.clock.pause(firstMs);
    while (isOurs() && !this.isStopped) {
      this.tries++;
      try {
        return await this.tryToOpen(isOurs);
      } catch (fault) {
        if (!isOurs()) return;
        this.amiss = (fault as Error).message;
        this.tell({ type: 'write.failed', reason: `NATS at ${tried} can't be used: ${this.amiss}` });
        log.warn('nats.unreachable', { tried, reason: this.amiss, tries: this.tries, againMs });
        await this.clock.pause(againMs);
        againMs = Math.min(2 * againMs, this.mostMs());
      }
    }
  }

  private mostMs(): number {
    const { againMostMs, inMostMs } = this.waits;
    return this.hasStarted && this.connection === undefined ? inMostMs : againMostMs;
  }

  private async tryToOpen(isOurs: () => boolean): Promise<void> {
    this.connection ??= await this.connect();
    if (this.isStopped) return void this.connection.close();
    const store = await this.connection.open(this.options.store);
    if (!isOurs()) return;
    this.endWatch();
    this.store = store;
    this.tell({ type: 'store.opened' });
    const end = await store.watch({
      put: (key, { text, revision }) => {
        if (isOurs()) this.tell({ type: 'entry.put', key, text, revision });
      },
      removed: (key) => {
        if (isOurs()) this.tell({ type: 'entry.removed', key });
      },
      caughtUp: () => this.isKnown(),
      ended: (reason) => {
        if (isOurs()) this.lose(reason);
      },
    });
    if (!isOurs()) return end();
    this.endWatch = end;
    this.options.connected?.(this.connection);
  }

  private async connect(): Promise<Connection> {
    const isCurrent = (): boolean => this.connection === connection && !this.isStopped;
    const connection: Connection = await this.options.connect({
      away: (reason) => {
        if (!isCurrent()) return;
        this.turns.end();
        this.tell({ type: 'store.lost', reason });
        this.options.connected?.(undefined);
      },
      back: () => {
        if (isCurrent()) void this.open();
      },
      closed: (reason) => {
        if (!isCurrent()) return;
        this.connection = undefined;
        this.amiss = reason;
        this.options.connected?.(undefined);
        // It ends of itself where it is refused: that has been tried several times by then.
        this.lose(reason, this.waits.againMostMs);
      },
      lacks: (reason) => this.options.log.warn('store.uncopied', { reason }),
    });
    return connection;
  }

  private lose(reason: string, firstMs = this.waits.againFirstMs): void {
    this.tell({ type: 'store.lost', reason });
    void this.open(firstMs);
  }

  private tell(fact: StoreFact): void {
    if (this.isStopped) return;
    const { membership, take, changed } = this.options;
    const before = membership.standing().state;
    const step = membership.told(fact, this.clock.now());
    take(step);
    for (const effect of step.effects) this.perform(effect);
    if (step.effects.some(({ type }) => type === 'note') || before !== membership.standing().state) changed();
  }

  private perform(effect: StoreEffect): void {
    switch (effect.type) {
      case 'put':
        this.wanted = effect;
        if (!this.isWriting) void this.write();
        return;
      case 'remove':
        this.store?.remove(effect.key, effect.expected).catch(() => {
          // What is left of it grows old and is dropped.
        });
        return;
      case 'reopen':
        // One that is under way is not begun anew, however slow the store is: it would never be there.
        if (!this.turns.isTaken) void this.open();
        return;
      case 'note': {
        const { event, ...fields } = effect.note;
        if (warnings.includes(event)) this.options.log.warn(event, fields);
        else this.options.log.info(event, fields);
      }
    }
  }

  /** The latest that is wanted: what is older is no use any more. */
  private async write(): Promise<void> {
    this.isWriting = true;
    while (this.wanted !== undefined && this.store !== undefined && !this.isStopped) {
      const { key, text } = this.wanted;
      this.wanted = undefined;
      await this.store.put(key, text).catch((fault: Error) => {
        this.tell({
          type: 'write.failed',
          reason: `the node's entry could not be written: ${fault.message}`,
        });
      });
    }
    this.isWriting = false;
  }

  /** Settles in time whatever comes of it. */
  private async within(asked: Promise<unknown>): Promise<void> {
    const late = new Promise<void>((resolve) => {
      this.clock.after(this.waits.goodbyeMs, resolve, false);
    });
    await Promise.race([asked.catch(() => {}), late]);
  }
}

function hopeless(where: string, tries: number, startMs: number, reason: string): string {
  const times = tries === 1 ? 'once' : `${tries} times`;
  return unusableNats(where, reason, `, tried ${times} in ${startMs / 1000} s`);
}
