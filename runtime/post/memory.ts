// Frames carried inside one process, in order and by reference: the transport's sibling for tests, with the same
// promises. What ZeroMQ knows by connections, it knows by the network that its members share.
import type { MemberId } from '../../proto/ids.js';
import { settle } from '../clock.js';
import { parseEndpoint } from './endpoint.js';
import {
  align,
  isDialled,
  type LinkId,
  type Transport,
  type TransportEvents,
  type TransportFactory,
} from './transport.js';

export class MemoryNetwork {
  readonly bound = new Map<string, MemoryTransport>();
  readonly members = new Set<MemoryTransport>();
  #port = 1;

  readonly transport: TransportFactory = (self, events) => {
    const member = new MemoryTransport(this, self, events);
    this.members.add(member);
    return member;
  };

  /** As if the member's process were killed: nothing more leaves it, and its peers notice. */
  cut(member: MemberId): void {
    for (const transport of this.members) if (transport.self === member) void transport.close(0);
  }

  freePort(): number {
    return this.#port++;
  }
}

class MemoryTransport implements Transport {
  readonly self: MemberId;
  readonly #network: MemoryNetwork;
  readonly #events: TransportEvents;
  readonly #dialled = new Map<LinkId, MemoryTransport | undefined>();
  readonly #peers = new Map<LinkId, MemoryTransport>();
  #endpoint: string | undefined;
  #closed = false;

  constructor(network: MemoryNetwork, self: MemberId, events: TransportEvents) {
    this.#network = network;
    this.self = self;
    this.#events = events;
  }

  async bind(endpoint: string): Promise<string> {
    const place = parseEndpoint(endpoint);
    if (typeof place === 'string') throw new Error(place);
    if (this.#endpoint !== undefined) throw new Error(`this node listens at ${this.#endpoint} already`);
    const free = place.kind === 'tcp' && place.port === 0;
    const actual = free ? `tcp://${place.host}:${this.#network.freePort()}` : endpoint;
    if (this.#network.bound.has(actual)) throw new Error(`the endpoint ${actual} is in use`);
    this.#network.bound.set(actual, this);
    this.#endpoint = actual;
    for (const member of this.#network.members) member.#connect(actual);
    return actual;
  }

  dial(endpoint: string): LinkId {
    const place = parseEndpoint(endpoint);
    if (typeof place === 'string') throw new Error(place);
    if (this.#closed || this.#dialled.has(endpoint)) return endpoint;
    this.#dialled.set(endpoint, undefined);
    this.#connect(endpoint);
    return endpoint;
  }

  /** It has no keys: everybody is let in. */
  knock(): void {}

  hangUp(link: LinkId): void {
    this.#peers.delete(link);
    const peer = this.#dialled.get(link);
    this.#dialled.delete(link);
    if (peer !== undefined) settle(() => peer.#losePeer(this));
  }

  send(link: LinkId, frames: readonly Uint8Array[]): boolean {
    const peer = isDialled(link) ? this.#dialled.get(link) : this.#peers.get(link);
    if (this.#closed || peer === undefined || peer.#closed) return false;
    const sent = [...frames];
    settle(() => {
      if (isDialled(link)) peer.#acceptBound(this, sent);
      else peer.#acceptDialled(this, sent);
    });
    return true;
  }

  async close(_lingerMs: number): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#network.members.delete(this);
    if (this.#endpoint !== undefined) this.#network.bound.delete(this.#endpoint);
    for (const member of this.#network.members) {
      settle(() => {
        member.#losePeer(this);
        member.#loseDialled(this);
      });
    }
  }

  #connect(endpoint: string): void {
    if (!this.#dialled.has(endpoint)) return;
    settle(() => {
      const peer = this.#network.bound.get(endpoint);
      if (this.#closed || peer === undefined || peer.#closed) return;
      if (!this.#dialled.has(endpoint) || this.#dialled.get(endpoint) !== undefined) return;
      this.#dialled.set(endpoint, peer);
      this.#events.opened(endpoint);
    });
  }

  #acceptBound(from: MemoryTransport, frames: Uint8Array[]): void {
    if (this.#closed || from.#dialled.get(this.#endpoint ?? '') !== this) return;
    if (this.#peers.get(from.self) !== from) {
      this.#peers.set(from.self, from);
      this.#events.opened(from.self);
    }
    this.#events.received(from.self, align(frames));
  }

  #acceptDialled(from: MemoryTransport, frames: Uint8Array[]): void {
    const endpoint = from.#endpoint;
    if (this.#closed || endpoint === undefined || this.#dialled.get(endpoint) !== from) return;
    this.#events.received(endpoint, align(frames));
  }

  #losePeer(peer: MemoryTransport): void {
    if (this.#closed || this.#peers.get(peer.self) !== peer) return;
    this.#peers.delete(peer.self);
    this.#events.lost(peer.self, 'its connection ended');
  }

  #loseDialled(peer: MemoryTransport): void {
    const endpoint = peer.#endpoint;
    if (this.#closed || endpoint === undefined || this.#dialled.get(endpoint) !== peer) return;
    this.#dialled.set(endpoint, undefined);
    this.#events.lost(endpoint, 'its connection ended');
  }
}
