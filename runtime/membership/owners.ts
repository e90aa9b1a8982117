// Keeps the list of who owns which model: carries out what the steward decides in a store of its own, over the connection that
// the node's membership has, and tells it what came of that and what time it is. Without it models are served all the same.

import type { Steward, StewardEffect, StewardFact, StewardNote } from '../../cluster/steward.js';
import type { Connection, Store, StoreOptions } from '../../cluster/store.js';
import type { Ownership } from '../../proto/ownership.js';
import { type Clock, realClock, type Timer } from '../clock.js';
import type { Log } from '../log.js';
import { Turns } from './turns.js';

export interface OwnersOptions {
  readonly steward: Steward;
  readonly store: StoreOptions;
  readonly tickMs: number;
  readonly log: Log;
  /** For the actors of this node. */
  readonly told: (list: Ownership) => void;
  readonly clock?: Clock;
  readonly waits?: OwnersWaits;
}

export interface OwnersWaits {
  /** Between the end of a watch and the next one. */
  readonly againFirstMs: number;
  /** Between two tries to open the store. */
  readonly againMs: number;
}

const usualWaits: OwnersWaits = { againFirstMs: 250, againMs: 1000 };
const levels: Readonly<Record<StewardNote['event'], 'info' | 'warn' | 'error'>> = {
  'owners.changed': 'info',
  'owners.refused': 'warn',
  'owners.unwritten': 'warn',
  'owners.rewound': 'warn',
  'owners.clashed': 'error',
};

export class OwnersUpkeep {
  private readonly options: OwnersOptions;
  private readonly clock: Clock;
  private readonly waits: OwnersWaits;
  private connection: Connection | undefined;
  private store: Store | undefined;
  private endWatch: () => void = () => {};
  private readonly turns = new Turns();
  private amiss = '';
  private isStopped = false;
  private ticking: Timer | undefined;

  constructor(options: OwnersOptions) {
    this.options = options;
    this.clock = options.clock ?? realClock;
    this.waits = options.waits ?? usualWaits;
    this.tick();
  }

  /** There is one, perhaps again, or none any more. */
  connected(connection: Connection | undefined): void {
    if (this.isStopped) return;
    this.connection = connection;
    if (connection !== undefined) return void this.open();
    this.turns.end();
    this.tell({ type: 'store.lost' });
  }

  membersChanged(): void {
    this.tell({ type: 'members.changed' });
  }

  stop(): void {
    this.isStopped = true;
    this.turns.end();
    this.ticking?.cancel();
    this.endWatch();
  }

  private tick(): void {
    const look = (): void => {
      this.tell({ type: 'tick' });
      if (!this.isStopped) this.tick();
    };
    this.ticking = this.clock.after(this.options.tickMs, look, false);
  }

  /** Tries until it has the store and a watch of it. */
  private open(firstMs = 0): Promise<void> {
    return this.turns.take((isOurs) => this.openIn(isOurs, firstMs));
  }

  private async openIn(isOurs: () => boolean, firstMs: number): Promise<void> {
    if (firstMs > 0) await this.clock.pause(firstMs);
    while (isOurs() && this.connection !== undefined) {
      try {
        return await this.tryToOpen(isOurs, this.connection);
      } catch (fault) {
        if (!isOurs()) return;
        const reason = (fault as Error).message;
        if (reason !== this.amiss) this.options.log.warn('owners.unreachable', { reason });
        this.amiss = reason;
        await this.clock.pause(this.waits.againMs);
      }
    }
  }

  private async tryToOpen(isOurs: () => boolean, connection: Connection): Promise<void> {
    const store = await connection.open(this.options.store);
    if (!isOurs()) return;
    this.endWatch();
    this.store = store;
    this.amiss = '';
    this.tell({ type: 'store.opened' });
    const tell = (fact: StewardFact): void => {
      if (isOurs()) this.tell(fact);
    };
    const end = await store.watch({
      put: (key, { text, revision }) => tell({ type: 'entry.put', key, text, revision }),
      removed: (key) => tell({ type: 'entry.removed', key }),
      caughtUp: () => tell({ type: 'store.caughtUp' }),
      ended: () => {
        if (!isOurs()) return;
        this.tell({ type: 'store.lost' });
        // One that ends as soon as it begins is not begun again and again without a pause.
        void this.open(this.waits.againFirstMs);
      },
    });
    if (isOurs()) this.endWatch = end;
    else end();
  }

  private tell(fact: StewardFact): void {
    if (this.isStopped) return;
    for (const effect of this.options.steward.told(fact, this.clock.now())) this.perform(effect);
  }

  private perform(effect: StewardEffect): void {
    switch (effect.type) {
      case 'write':
        return void this.write(effect);
      case 'reopen':
        // One that is under way is not begun anew, however slow the store is: it would never be there.
        if (!this.turns.isTaken) void this.open();
        return;
      case 'told':
        return this.options.told(effect.list);
      case 'note': {
        const { event, ...fields } = effect.note;
        this.options.log[levels[event]](event, fields);
      }
    }
  }

  private async write({ key, text, expected }: Extract<StewardEffect, { type: 'write' }>): Promise<void> {
    try {
      const revision = await this.store?.write(key, text, expected);
      this.tell(revision === undefined ? { type: 'write.refused' } : { type: 'write.done', revision });
    } catch (fault) {
      this.tell({ type: 'write.failed', reason: (fault as Error).message });
    }
  }
}
