// Keeps a connection's open calls in a table that leaves nothing behind. Node has them in a Map, and Maps change their table
// every few dozen entries, each old one leading to the next: once the garbage collector has taken one of them for
// long-lived, every call that was open at such a moment stays in memory until the whole heap is marked, which then stops
// the node for up to a tenth of a second.
import { types } from 'node:util';
import { Numbered } from '../../../actors/numbered.js';
import { prepareHttp2Server } from './http2-server.js';

/** Before the server listens. Where that can't be done, calls are kept as Node does it. */
export function replaceStreamTables(server: object): void {
  prepareHttp2Server(server, (http2Server) => {
    http2Server.on('session', replaceStreamTable);
  });
}

/** Of a session that has no call yet. False when it is not made as expected: then it is left as it is. */
export function replaceStreamTable(session: object): boolean {
  const symbol = Object.getOwnPropertySymbols(session).find(({ description }) => description === 'state');
  if (symbol === undefined) return false;
  const state = (session as Record<symbol, unknown>)[symbol] as { streams?: unknown } | undefined;
  // Node's own class of Maps does not count as one by `instanceof`.
  if (!types.isMap(state?.streams) || state.streams.size > 0) return false;
  state.streams = new OpenStreams();
  return true;
}

/** A Map by number, as far as anybody may use it. */
export class OpenStreams<V extends object = object> implements Map<number, V> {
  readonly [Symbol.toStringTag] = 'OpenStreams';
  #open = new Numbered<V>();

  get size(): number {
    return this.#open.size;
  }

  get(id: number): V | undefined {
    return this.#open.get(id);
  }

  has(id: number): boolean {
    return this.#open.get(id) !== undefined;
  }

  set(id: number, stream: V): this {
    this.#open.set(id, stream);
    return this;
  }

  delete(id: number): boolean {
    return this.#open.delete(id);
  }

  clear(): void {
    this.#open = new Numbered();
  }

  forEach(visit: (stream: V, id: number, all: Map<number, V>) => void, self?: unknown): void {
    for (const [id, stream] of this) visit.call(self, stream, id, this);
  }

  /** Who goes while the others are visited is left out. */
  *entries(): MapIterator<[number, V]> {
    for (const id of this.#open.keys()) {
      const stream = this.#open.get(id);
      if (stream !== undefined) yield [id, stream];
    }
  }

  *keys(): MapIterator<number> {
    for (const [id] of this) yield id;
  }

  *values(): MapIterator<V> {
    for (const [, stream] of this) yield stream;
  }

  [Symbol.iterator](): MapIterator<[number, V]> {
    return this.entries();
  }
}
