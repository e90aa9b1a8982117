// The links that a member dials, each with a socket of its own: called again after every loss and after every handshake
// that failed, and only where the keys of both sides allow it.
import { after, settle, type Timer } from '../clock.js';
import type { KeyRing, Refusal } from '../keys/ring.js';
import { barred, handshakeFault, turnedOf } from './curve.js';
import { type Endpoint, withoutKey } from './endpoint.js';
import {
  type Fault,
  type FrameSocket,
  type HandshakeFault,
  hand,
  handshakeFaults,
  lookDelayMs,
  receive,
  whyUnsent,
} from './socket.js';
import type { LinkId, TransportEvents } from './transport.js';

export interface DealerSocket extends FrameSocket {
  readonly writable: boolean;
  readonly events: {
    on(
      event: 'handshake' | 'disconnect' | HandshakeFault,
      hear: (told: { readonly type: string; readonly error?: Error }) => void,
    ): void;
  };
  linger: number;
  connect(endpoint: string): void;
  send(frames: Buffer[]): Promise<void>;
  close(): void;
}

export interface DialOptions {
  readonly events: TransportEvents;
  readonly keys: KeyRing | undefined;
  readonly newDealer: (place: Endpoint) => DealerSocket;
}

interface Dialled {
  readonly link: LinkId;
  readonly place: Endpoint;
  /** None while it is not to be called. */
  dealer: DealerSocket | undefined;
  open: boolean;
  /** Handshakes in a row that came to nothing. */
  broken: number;
  /** Connected, but the socket has yet to take notice. */
  looking: Timer | undefined;
}

/** After a handshake in which the two did not agree the library leaves it at that. */
const callAgainMs = 1000;
/** It also tells of those who went away in the middle of theirs: so many in a row are no chance. */
const brokenMost = 5;

export class DialledLinks {
  readonly #options: DialOptions;
  readonly #links = new Map<LinkId, Dialled>();

  constructor(options: DialOptions) {
    this.#options = options;
    options.keys?.watch(() => this.#review());
  }

  add(link: LinkId, place: Endpoint): void {
    if (this.#links.has(link)) return;
    const dialled = { link, place, dealer: undefined, open: false, broken: 0, looking: undefined };
    this.#links.set(link, dialled);
    this.#call(dialled);
  }

  has(link: LinkId): boolean {
    return this.#links.has(link);
  }

  remove(link: LinkId): void {
    const dialled = this.#links.get(link);
    if (dialled === undefined) return;
    this.#links.delete(link);
    dialled.open = false;
    dialled.dealer?.close();
  }

  send(link: LinkId, frames: readonly Uint8Array[]): boolean {
    const dialled = this.#links.get(link);
    const dealer = dialled?.dealer;
    if (dialled?.open !== true || dealer === undefined || !dealer.writable) return false;
    dealer.send(frames as Buffer[]).catch((error) => this.#lose(dialled, whyUnsent(error)));
    return true;
  }

  /** What was sent still leaves within `lingerMs`. */
  close(lingerMs: number): void {
    for (const { dealer } of this.#links.values()) {
      if (dealer === undefined) continue;
      dealer.linger = lingerMs;
      dealer.close();
    }
    this.#links.clear();
  }

  #call(dialled: Dialled): void {
    const { keys, newDealer } = this.#options;
    const { link, place } = dialled;
    const refusal = barred(place, keys);
    if (refusal !== undefined) return this.#turnedAway(dialled, refusal);
    const dealer = newDealer(place);
    dialled.dealer = dealer;
    // Settled first, so that what came in before an event is read before it.
    dealer.events.on('handshake', () => settle(() => this.#connected(dialled, dealer)));
    dealer.events.on('disconnect', () =>
      settle(() => {
        if (dialled.dealer !== dealer) return;
        dialled.looking?.cancel();
        this.#lose(dialled, 'its connection ended');
      }),
    );
    for (const fault of handshakeFaults) {
      dealer.events.on(fault, ({ error }) => this.#disagreed(dialled, dealer, fault, error));
    }
    dealer.connect(withoutKey(link));
    void this.#read(dialled, dealer);
  }

  #connected(dialled: Dialled, dealer: DealerSocket, turn = 0): void {
    dialled.looking?.cancel();
    if (!this.#isCurrent(dialled, dealer) || dialled.open) return;
    // Reading `writable` makes the socket take notice of its new connection.
    if (!dealer.writable) {
      const lookAgain = (): void => this.#connected(dialled, dealer, turn + 1);
      dialled.looking = after(lookDelayMs(turn), lookAgain, false);
      return;
    }
    dialled.open = true;
    dialled.broken = 0;
    this.#options.keys?.letIn(withoutKey(dialled.link));
    this.#options.events.opened(dialled.link);
  }

  #disagreed(dialled: Dialled, dealer: DealerSocket, event: HandshakeFault, error: Fault): void {
    if (!this.#isCurrent(dialled, dealer)) return;
    dialled.broken += 1;
    const isFinal = event !== 'handshake:error:other';
    if (!isFinal && dialled.broken < brokenMost) return;
    const { keys } = this.#options;
    const refusal = handshakeFault(event, error?.code, keys?.pair !== undefined);
    if (refusal !== undefined) this.#turnedAway(dialled, refusal);
    if (!isFinal) return;
    // Its last connection may have ended in this very turn, and word of that would find another socket.
    this.#lose(dialled, refusal?.reason ?? 'its connection ended');
    dialled.looking?.cancel();
    dialled.dealer = undefined;
    after(callAgainMs, () => this.#callAgain(dialled), false);
    settle(() => dealer.close());
  }

  #turnedAway({ link, place }: Dialled, refusal: Refusal): void {
    this.#options.keys?.turnedAway(turnedOf(link, place, refusal));
  }

  #callAgain(dialled: Dialled): void {
    if (this.#links.get(dialled.link) === dialled && dialled.dealer === undefined) this.#call(dialled);
  }

  /** Whom the keys allow has changed. */
  #review(): void {
    for (const dialled of this.#links.values()) {
      const refusal = barred(dialled.place, this.#options.keys);
      if (refusal === undefined) this.#callAgain(dialled);
      else if (dialled.dealer !== undefined) {
        dialled.dealer.close();
        dialled.dealer = undefined;
        dialled.looking?.cancel();
        this.#lose(dialled, refusal.reason);
      }
    }
  }

  #isCurrent(dialled: Dialled, dealer: DealerSocket): boolean {
    return dialled.dealer === dealer && this.#links.get(dialled.link) === dialled;
  }

  #lose(dialled: Dialled, reason: string): void {
    if (!dialled.open) return;
    dialled.open = false;
    this.#options.events.lost(dialled.link, reason);
  }

  async #read(dialled: Dialled, dealer: DealerSocket): Promise<void> {
    for (;;) {
      const frames = await receive(dealer);
      if (frames === undefined) return;
      if (dialled.open && dialled.dealer === dealer) hand(dialled.link, frames, this.#options.events);
    }
  }
}
