// Frames over ZeroMQ, and the only file that knows it: one ROUTER for whoever dials us, one DEALER for each endpoint that
// we dial. Its work is mostly to learn at once who is gone, for libzmq itself says so of an address, never of a peer.
import { Dealer, Router } from 'zeromq';
import { joinEnvelopes } from '../../proto/frame.js';
import type { MemberId } from '../../proto/ids.js';
import { limits } from '../../proto/limits.js';
import { after, settle } from '../clock.js';
import type { KeyRing } from '../keys/ring.js';
import { clientKeys, handshakeFault, serverKeys } from './curve.js';
import { DialledLinks } from './dialled.js';
import { clearPath, type Endpoint, leavePath, parseEndpoint, withKey, withoutKey } from './endpoint.js';
import { Knocks } from './knocks.js';
import { Routes, routingIdFor } from './routing.js';
import {
  type Fault,
  hand,
  handshakeFaults,
  lookDelayMs,
  looksInHaste,
  receive,
  whyUnsent,
} from './socket.js';
import {
  isDialled,
  type LinkId,
  type Transport,
  type TransportEvents,
  type TransportFactory,
} from './transport.js';
import { ZapDoor, zapEndpoint } from './zap.js';

export interface ZeromqOptions {
  /** A peer that sends a longer frame is disconnected before memory is given to it. */
  readonly frameBytesMax: number;
  /** Deliveries that wait for a peer that does not read; one more and it counts as lost. */
  readonly queuedMax: number;
  readonly reconnectMs: number;
  readonly reconnectMsMax: number;
  /** Links over tcp are for those alone whom it trusts, once it has a pair. */
  readonly keys: KeyRing | undefined;
  /** Over TCP: how long nothing may come before a connection is given up, and how long one try to connect takes. */
  readonly silentMs: number;
  readonly connectMs: number;
}

const usual: ZeromqOptions = {
  frameBytesMax: 2 ** 30,
  queuedMax: 8192,
  reconnectMs: 10,
  reconnectMsMax: 200,
  keys: undefined,
  silentMs: 3000,
  connectMs: 1000,
};

export function zeromqTransport(options: Partial<ZeromqOptions> = {}): TransportFactory {
  return (self, events) => new ZeromqTransport(self, events, { ...usual, ...options });
}

/**
 * A machine that is cut off says nothing, and TCP tries for minutes, ever more rarely: without word for so long a connection
 * is given up, and made anew soon after the other side can be reached again. Who is to be trusted meanwhile is not decided
 * here but by beats, and sooner.
 */
function overTcp({ silentMs }: ZeromqOptions) {
  return {
    heartbeatInterval: Math.ceil(silentMs / 3),
    heartbeatTimeout: silentMs,
    tcpMaxRetransmitTimeout: silentMs,
    handshakeInterval: silentMs,
  };
}

const closedWithinMs = 500;

/** A frame without envelopes: says nothing, but can't be sent to somebody who is gone. */
const probe = joinEnvelopes([]);
const idBytesMax = limits.nameLengthMax;

/** Where whoever connects to a socket with keys has to be listed. */
const door = new ZapDoor(() => {
  const socket = new Router({ linger: 0 });
  try {
    socket.bindSync(zapEndpoint);
  } catch (fault) {
    socket.close();
    throw fault;
  }
  return socket;
});

class ZeromqTransport implements Transport {
  readonly #self: MemberId;
  readonly #events: TransportEvents;
  readonly #options: ZeromqOptions;
  readonly #dialled: DialledLinks;
  readonly #knocks: Knocks;
  /** Routing ids of those who spoke to us. */
  readonly #peers = new Map<LinkId, Buffer>();
  #router: Router | undefined;
  /** Of those who called with keys; undefined where nobody needs one. */
  #routes: Routes | undefined;
  /** By which the door knows it; empty where nobody needs a key. */
  #domain = '';
  #bound = '';
  /** Of those who dialled us, whether they spoke or not. */
  #connections = 0;
  /** Of those that are about to end, how many had never got through their handshake. */
  #strangers = 0;
  #missing = 0;
  #probing = false;
  #closed = false;

  constructor(self: MemberId, events: TransportEvents, options: ZeromqOptions) {
    this.#self = self;
    this.#events = events;
    this.#options = options;
    const newDealer = (place: Endpoint): Dealer => this.#newDealer(place);
    this.#dialled = new DialledLinks({ events, keys: options.keys, newDealer });
    this.#knocks = new Knocks({ keys: options.keys, newDealer });
  }

  async bind(endpoint: string): Promise<string> {
    const place = parseEndpoint(endpoint);
    if (typeof place === 'string') throw new Error(place);
    if (this.#router !== undefined) throw new Error(`this node listens at ${this.#bound} already`);
    if (place.kind === 'ipc') await clearPath(place.path);
    const keys = serverKeys(place, this.#options.keys?.pair);
    if (keys !== undefined) {
      this.#routes = new Routes(this.#options.keys as KeyRing);
      this.#domain = await door.guard(this.#options.keys as KeyRing);
    }
    const router = new Router({
      // Where nobody answers at the door, nobody is let in.
      ...(keys && { ...keys, zapDomain: this.#domain, zapEnforceDomain: true }),
      mandatory: true,
      handover: true,
      sendTimeout: 0,
      linger: 0,
      ipv6: endpoint.includes('['),
      sendHighWaterMark: this.#options.queuedMax,
      maxMessageSize: this.#options.frameBytesMax,
      ...(place.kind === 'tcp' ? overTcp(this.#options) : {}),
    });
    try {
      router.bindSync(withoutKey(endpoint).replace('//localhost:', '//127.0.0.1:'));
    } catch (error) {
      router.close();
      this.#leaveDoor();
      throw new Error(whyNotBound(endpoint, error as NodeJS.ErrnoException));
    }
    this.#router = router;
    this.#bound = router.lastEndpoint ?? endpoint;
    router.events.on('accept', () => {
      this.#connections += 1;
    });
    for (const fault of handshakeFaults) {
      router.events.on(fault, ({ error }) => {
        this.#strangers += 1;
        this.#handshakeFailed(fault, error as Fault);
      });
    }
    router.events.on('disconnect', () => {
      this.#connections -= 1;
      if (this.#strangers > 0) this.#strangers -= 1;
      else this.#oneIsGone();
    });
    void this.#readBound(router);
    return withKey(this.#bound, keys && this.#options.keys?.pair?.publicKey);
  }

  dial(endpoint: string): LinkId {
    const place = parseEndpoint(endpoint);
    if (typeof place === 'string') throw new Error(place);
    if (this.#closed) return endpoint;
    this.#knocks.end(endpoint);
    this.#dialled.add(endpoint, place);
    return endpoint;
  }

  knock(endpoint: string): void {
    const place = parseEndpoint(endpoint);
    if (typeof place === 'string') throw new Error(place);
    if (!this.#closed && !this.#dialled.has(endpoint)) this.#knocks.begin(endpoint, place);
  }

  #newDealer(place: Endpoint): Dealer {
    const { queuedMax, frameBytesMax, reconnectMs, reconnectMsMax, connectMs, keys } = this.#options;
    return new Dealer({
      routingId: routingIdFor(this.#self, place.kind === 'tcp' ? place.key : '', keys),
      // Nothing is kept for a peer that is not there, so nothing old reaches the one who comes after it.
      immediate: true,
      sendTimeout: 0,
      linger: 0,
      ipv6: place.kind === 'tcp' && place.host.includes('['),
      sendHighWaterMark: queuedMax,
      maxMessageSize: frameBytesMax,
      reconnectInterval: reconnectMs,
      reconnectMaxInterval: reconnectMsMax,
      ...(place.kind === 'tcp' ? { ...overTcp(this.#options), connectTimeout: connectMs } : {}),
      ...clientKeys(place, keys?.pair),
    });
  }

  hangUp(link: LinkId): void {
    this.#peers.delete(link);
    this.#dialled.remove(link);
  }

  send(link: LinkId, frames: readonly Uint8Array[]): boolean {
    if (this.#closed) return false;
    if (isDialled(link)) return this.#dialled.send(link, frames);
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
    this.#knocks.close();
    this.#dialled.close(lingerMs);
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
    this.#leaveDoor();
  }

  #leaveDoor(): void {
    if (this.#domain !== '') door.leave(this.#domain);
    this.#domain = '';
  }

  #losePeer(link: LinkId, peer: Buffer, reason: string): void {
    if (this.#peers.get(link) !== peer) return;
    this.#peers.delete(link);
    if (this.#missing > 0) this.#missing -= 1;
    this.#events.lost(link, reason);
  }

  async #readBound(router: Router): Promise<void> {
    for (;;) {
      const frames = await receive(router);
      if (frames === undefined || this.#closed) return;
      const peer = frames.shift() as Buffer;
      const link = this.#linkOf(peer);
      if (link === undefined || link.length > idBytesMax || isDialled(link)) continue;
      if (!this.#peers.has(link)) {
        this.#peers.set(link, peer);
        this.#events.opened(link);
      }
      hand(link, frames, this.#events);
    }
  }

  /** Undefined for whoever is not heard: it has not the key of the member that it says it is, or another has its place. */
  #linkOf(peer: Buffer): LinkId | undefined {
    const routingId = peer.toString('latin1');
    if (this.#routes === undefined) return routingId;
    const member = this.#routes.memberAt(routingId);
    const there = member === undefined ? undefined : this.#peers.get(member);
    if (there === undefined || there.equals(peer)) return member;
    this.#routes.turnAway(routingId, 'a member with another key has that id');
    return undefined;
  }

  #handshakeFailed(event: string, error: Fault): void {
    const { keys } = this.#options;
    // Of those whose key is not listed more is known where they are turned away.
    if (event !== 'handshake:error:protocol') return;
    const refusal = handshakeFault(event, error?.code, keys?.pair !== undefined);
    if (refusal !== undefined) keys?.turnedAway({ at: 'somebody who called here', ...refusal });
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
      if (this.#missing > 0 && (turn < looksInHaste || this.#peers.size > this.#connections)) {
        after(lookDelayMs(turn), () => this.#probe(turn + 1), false);
        return;
      }
      this.#missing = 0;
      this.#probing = false;
    });
  }
}

function whyNotBound(endpoint: string, error: NodeJS.ErrnoException): string {
  if (error.code === 'EADDRINUSE') {
    return `the endpoint ${endpoint} is in use. Stop the process that listens there or choose another port`;
  }
  return `the endpoint ${endpoint} can't be had: ${error.message}`;
}
