// Frames over ZeroMQ, and the only file that knows it: one ROUTER for whoever dials us, one DEALER for each endpoint that
// we dial. Its work is mostly to learn at once who is gone, for libzmq itself says so of an address, never of a peer.
import { Dealer, Router } from 'zeromq';
import { joinEnvelopes } from '../../proto/frame.js';
import type { MemberId } from '../../proto/ids.js';
import { limits } from '../../proto/limits.js';
import { after, settle, type Timer } from '../clock.js';
import { clearPath, leavePath, parseEndpoint } from './endpoint.js';
import {
  align,
  isDialled,
  type LinkId,
  type Transport,
  type TransportEvents,
  type TransportFactory,
} from './transport.js';

export interface ZeromqOptions {
  /** A peer that sends a longer frame is disconnected before memory is given to it. */
  readonly frameBytesMax: number;
  /** Deliveries that wait for a peer that does not read; one more and it counts as lost. */
  readonly queuedMax: number;
  readonly reconnectMs: number;
  readonly reconnectMsMax: number;
}

const usual: ZeromqOptions = {
  frameBytesMax: 2 ** 30,
  queuedMax: 8192,
  reconnectMs: 10,
  reconnectMsMax: 200,
};

export function zeromqTransport(options: Partial<ZeromqOptions> = {}): TransportFactory {
  return (self, events) => new ZeromqTransport(self, events, { ...usual, ...options });
}

/** Waits between looking for what libzmq has reported, for it reports before it carries out. */
const probeDelaysMs = [0.5, 1, 2, 5, 10, 25, 50, 100, 250];
const closedWithinMs = 500;

function probeDelayMs(turn: number): number {
  return probeDelaysMs[Math.min(turn, probeDelaysMs.length - 1)] as number;
}

/** A frame without envelopes: says nothing, but can't be sent to somebody who is gone. */
const probe = joinEnvelopes([]);
const idBytesMax = limits.nameLengthMax;

interface Dialled {
  readonly dealer: Dealer;
  open: boolean;
  /** Connected, but the socket has yet to take notice. */
  looking: Timer | undefined;
}

class ZeromqTransport implements Transport {
  readonly #self: MemberId;
  readonly #events: TransportEvents;
  readonly #options: ZeromqOptions;
  readonly #dialled = new Map<LinkId, Dialled>();
  /** Routing ids of those who spoke to us. */
  readonly #peers = new Map<LinkId, Buffer>();
  #router: Router | undefined;
  #bound = '';
  /** Of those who dialled us, whether they spoke or not. */
  #connections = 0;
  #missing = 0;
  #probing = false;
  #closed = false;

  constructor(self: MemberId, events: TransportEvents, options: ZeromqOptions) {
    this.#self = self;
    this.#events = events;
    this.#options = options;
  }

  async bind(endpoint: string): Promise<string> {
    const place = parseEndpoint(endpoint);
    if (typeof place === 'string') throw new Error(place);
    if (this.#router !== undefined) throw new Error(`this node listens at ${this.#bound} already`);
    if (place.kind === 'ipc') await clearPath(place.path);
    const router = new Router({
      mandatory: true,
      handover: true,
      sendTimeout: 0,
      linger: 0,
      ipv6: endpoint.includes('['),
      sendHighWaterMark: this.#options.queuedMax,
      maxMessageSize: this.#options.frameBytesMax,
    });
    try {
      router.bindSync(endpoint.replace('//localhost:', '//127.0.0.1:'));
    } catch (error) {
      router.close();
      throw new Error(whyNotBound(endpoint, error as NodeJS.ErrnoException));
    }
    this.#router = router;
    this.#bound = router.lastEndpoint ?? endpoint;
    router.events.on('accept', () => {
      this.#connections += 1;
    });
    router.events.on('disconnect', () => {
      this.#connections -= 1;
      this.#oneIsGone();
    });
    void this.#readBound(router);
    return this.#bound;
  }

  dial(endpoint: string): LinkId {
    const place = parseEndpoint(endpoint);
    if (typeof place === 'string') throw new Error(place);
    if (this.#closed || this.#dialled.has(endpoint)) return endpoint;
    const dealer = new Dealer({
      routingId: this.#self,
      // Nothing is kept for a peer that is not there, so nothing old reaches the one who comes after it.
      immediate: true,
      sendTimeout: 0,
      linger: 0,
      ipv6: endpoint.includes('['),
      sendHighWaterMark: this.#options.queuedMax,
      maxMessageSize: this.#options.frameBytesMax,
      reconnectInterval: this.#options.reconnectMs,
      reconnectMaxInterval: this.#options.reconnectMsMax,
    });
    const dialled: Dialled = { dealer, open: false, looking: undefined };
    this.#dialled.set(endpoint, dialled);
    // Settled first, so that what came in before an event is read before it.
    dealer.events.on('handshake', () => settle(() => this.#connected(endpoint, dialled)));
    dealer.events.on('disconnect', () =>
      settle(() => {
        dialled.looking?.cancel();
        this.#loseDialled(endpoint, dialled, 'its connection ended');
      }),
    );
    dealer.connect(endpoint);
    void this.#readDialled(endpoint, dialled);
    return endpoint;
  }

  hangUp(link: LinkId): void {
    this.#peers.delete(link);
    const dialled = this.#dialled.get(link);
    if (dialled === undefined) return;
    this.#dialled.delete(link);
    dialled.open = false;
    dialled.dealer.close();
  }

  send(link: LinkId, frames: readonly Uint8Array[]): boolean {
    if (this.#closed) return false;
    if (isDialled(link)) return this.#sendDialled(link, frames);
    const peer = this.#peers.get(link);
    if (peer === undefined || this.#router === undefined) return false;
    this.#router.send([peer, ...(frames as Buffer[])]).catch((error) => {
      this.#losePeer(link, peer, whyUnsent(error));
    });
    return true;
  }

  async close(lingerMs: number): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const { dealer } of this.#dialled.values()) {
      dealer.linger = lingerMs;
      dealer.close();
    }
    this.#dialled.clear();
    this.#peers.clear();
    const router = this.#router;
    if (router === undefined) return;
    router.linger = lingerMs;
    const place = parseEndpoint(this.#bound);
    if (typeof place === 'object' && place.kind === 'ipc') await leavePath(place.path);
    const freed = new Promise<void>((resolve) => {
      const late = after(closedWithinMs, resolve);
      router.events.on('close', () => {
        late.cancel();
        resolve();
      });
    });
    // Ends the listening too. `unbind` would do so from a second thread, while this one still serves the socket.
    router.disconnect(this.#bound);
    await freed;
    router.close();
  }

  #sendDialled(link: LinkId, frames: readonly Uint8Array[]): boolean {
    const dialled = this.#dialled.get(link);
    if (dialled === undefined || !dialled.open || !dialled.dealer.writable) return false;
    dialled.dealer.send(frames as Buffer[]).catch((error) => {
      this.#loseDialled(link, dialled, whyUnsent(error));
    });
    return true;
  }

  #connected(link: LinkId, dialled: Dialled, turn = 0): void {
    dialled.looking?.cancel();
    if (this.#dialled.get(link) !== dialled || dialled.open) return;
    // Reading `writable` makes the socket take notice of its new connection.
    if (!dialled.dealer.writable) {
      dialled.looking = after(probeDelayMs(turn), () => this.#connected(link, dialled, turn + 1), false);
      return;
    }
    dialled.open = true;
    this.#events.opened(link);
  }

  #loseDialled(link: LinkId, dialled: Dialled, reason: string): void {
    if (!dialled.open) return;
    dialled.open = false;
    this.#events.lost(link, reason);
  }

  #losePeer(link: LinkId, peer: Buffer, reason: string): void {
    if (this.#peers.get(link) !== peer) return;
    this.#peers.delete(link);
    if (this.#missing > 0) this.#missing -= 1;
    this.#events.lost(link, reason);
  }

  async #readDialled(link: LinkId, dialled: Dialled): Promise<void> {
    for (;;) {
      const frames = await receive(dialled.dealer);
      if (frames === undefined) return;
      if (dialled.open) this.#hand(link, frames);
    }
  }

  async #readBound(router: Router): Promise<void> {
    for (;;) {
      const frames = await receive(router);
      if (frames === undefined || this.#closed) return;
      const peer = frames.shift() as Buffer;
      const link = peer.toString('latin1');
      if (peer.length > idBytesMax || isDialled(link)) continue;
      if (!this.#peers.has(link)) {
        this.#peers.set(link, peer);
        this.#events.opened(link);
      }
      this.#hand(link, frames);
    }
  }

  #hand(link: LinkId, frames: Buffer[]): void {
    if (frames.length > 0) this.#events.received(link, align(frames));
  }

  #oneIsGone(): void {
    this.#missing += 1;
    if (this.#probing) return;
    this.#probing = true;
    settle(() => this.#probe(0));
  }

  /** Whoever can't be sent to is the one; asked again until as many were found as connections ended. */
  #probe(turn: number): void {
    const router = this.#router;
    if (router === undefined || this.#closed) return;
    // Reading `writable` makes the socket take notice of ended connections.
    void router.writable;
    for (const [link, peer] of this.#peers) {
      router.send([peer, probe]).catch((error) => {
        if (error.code === 'EHOSTUNREACH') this.#losePeer(link, peer, whyUnsent(error));
      });
    }
    settle(() => {
      // Who never spoke, or came back meanwhile, is not found: in the end there must only be a connection for each peer.
      if (this.#missing > 0 && (turn < probeDelaysMs.length || this.#peers.size > this.#connections)) {
        after(probeDelayMs(turn), () => this.#probe(turn + 1), false);
        return;
      }
      this.#missing = 0;
      this.#probing = false;
    });
  }
}

/** The next delivery; nothing once the socket is closed. */
async function receive(socket: Dealer | Router): Promise<Buffer[] | undefined> {
  try {
    return socket.closed ? undefined : await socket.receive();
  } catch {
    return undefined;
  }
}

function whyUnsent(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EHOSTUNREACH') return 'its connection ended';
  if (code === 'EAGAIN') return 'it does not read: its queue is full';
  return message;
}

function whyNotBound(endpoint: string, error: NodeJS.ErrnoException): string {
  if (error.code === 'EADDRINUSE') {
    return `the endpoint ${endpoint} is in use. Stop the process that listens there or choose another port`;
  }
  return `the endpoint ${endpoint} can't be had: ${error.message}`;
}
