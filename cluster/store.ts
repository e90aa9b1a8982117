// The store port: a few small entries that all members of a cluster share, each with a revision. Its siblings: memory, for
// tests and the simulator, and NATS. What is in it is soft: all of it can be said again by those whom it is about.

import type { Parts } from './parts.js';

/** What such a store rejects with where it can't do what it was asked for: its message is a sentence. */
export class StoreFault extends Error {}

export interface Entry {
  readonly text: string;
  readonly revision: number;
}

/** In the order in which the store took them. The same entry may be told twice, and what was told may be told again. */
export interface WatchEvents {
  put(key: string, entry: Entry): void;
  /** Somebody has taken it out. An entry that was lost or grew too old is never told of. */
  removed(key: string, revision: number): void;
  /** What was there when the watch began has been told. */
  caughtUp(): void;
  /** Nothing more will be told. */
  ended(reason: string): void;
}

/** Every call rejects with a sentence when the store can't be reached. */
export interface Store {
  /** Resolves to what ends the watch: after that nothing is told. */
  watch(events: WatchEvents): Promise<() => void>;
  /** Whatever was there before. Resolves to the new revision. */
  put(key: string, text: string): Promise<number>;
  read(key: string): Promise<Entry | undefined>;
  /** Only if it is still at that revision; 0: only if there is none. Undefined: somebody was first. */
  write(key: string, text: string, expected: number): Promise<number | undefined>;
  /** Only if it is still at that revision. False: it is not. */
  remove(key: string, expected: number): Promise<boolean>;
  /** Whatever its revision is. */
  erase(key: string): Promise<void>;
}

export interface StoreOptions {
  /** Letters, digits, - and _. */
  readonly name: string;
  /** An entry that nobody has written for so long is dropped, without a word. 0: none is. */
  readonly keepMs: number;
}

export interface Connection {
  /** The store of that name, made where there is none. Open it anew after each `back`: it may have been lost. */
  open(options: StoreOptions): Promise<Store>;
  close(): Promise<void>;
}

/** One that takes pieces of files as well. */
export interface PartsConnection extends Connection {
  /** Those of that name, made where there are none. Open them anew after each `back`. */
  parts(name: string): Promise<Parts>;
}

export interface ConnectionEvents {
  /** It keeps trying. */
  away(reason: string): void;
  back(): void;
  /** For good: it has to be connected anew. */
  closed(reason: string): void;
  /** What is kept there is on fewer servers than it is to be, and this one may not change that. Told once for each. */
  lacks?(reason: string): void;
}
