// A node's line to the store of models: connects, watches the manifests, and begins anew whenever that has ended. It is apart from
// the one by which the node is a member: parts of models must not hold up its heartbeats.
import type { Parts } from '../../cluster/parts.js';
import type { ConnectionEvents, PartsConnection, WatchEvents } from '../../cluster/store.js';
import { after, type Timer } from '../clock.js';
import type { Log } from '../log.js';
import { openDepot } from './depot.js';

export interface LineOptions {
  readonly connect: (events: ConnectionEvents) => Promise<PartsConnection>;
  readonly cluster: string;
  readonly log: Log;
  readonly events: Pick<WatchEvents, 'put' | 'removed' | 'caughtUp'> & {
    /** A watch begins. */
    opened(): void;
  };
}

const againFirstMs = 250;
const againMostMs = 4000;

export class Line {
  private readonly options: LineOptions;
  private connection: PartsConnection | undefined;
  private store: Parts | undefined;
  private why = '';
  private isStopped = false;
  private wake: (reason: string) => void = () => {};
  private timer: Timer | undefined;

  constructor(options: LineOptions) {
    this.options = options;
  }

  /** Why it is away; empty while it is not. */
  get trouble(): string {
    return this.why;
  }

  /** Undefined while NATS is away. */
  parts(): Parts | undefined {
    return this.store;
  }

  /** Ends only when it is stopped. */
  async keep(): Promise<void> {
    const { log } = this.options;
    let againMs = againFirstMs;
    while (!this.isStopped) {
      let reason: string;
      try {
        reason = await this.once();
        againMs = againFirstMs;
      } catch (fault) {
        reason = (fault as Error).message;
      }
      this.store = undefined;
      if (this.isStopped) return;
      if (reason !== this.why) log.warn('store.away', { reason });
      this.why = reason;
      await this.rest(againMs);
      againMs = Math.min(2 * againMs, againMostMs);
    }
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    this.timer?.cancel();
    this.wake('stopped');
    await this.connection?.close().catch(() => {});
  }

  /** Resolves with the reason when what was opened can't be relied upon any more. */
  private async once(): Promise<string> {
    this.connection ??= await this.connect();
    if (this.isStopped) return 'stopped';
    const { manifests, parts } = await openDepot(this.connection, this.options.cluster);
    const ended = new Promise<string>((resolve) => {
      this.wake = resolve;
    });
    const { events } = this.options;
    events.opened();
    const end = await manifests.watch({
      ...events,
      caughtUp: () => {
        this.why = '';
        events.caughtUp();
      },
      ended: (reason) => this.wake(reason),
    });
    this.store = parts;
    const reason = await ended;
    end();
    return reason;
  }

  private async connect(): Promise<PartsConnection> {
    return this.options.connect({
      away: (reason) => this.wake(reason),
      back: () => {},
      lacks: (reason) => this.options.log.warn('store.uncopied', { reason }),
      closed: (reason) => {
        this.connection = undefined;
        this.wake(reason);
      },
    });
  }

  private rest(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.wake = () => resolve();
      this.timer = after(delayMs, resolve, false);
    });
  }
}
