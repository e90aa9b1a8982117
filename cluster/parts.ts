// The port to what is too large for an entry: pieces of models' files, each known by the SHA-256 of what is in it. Its
// siblings: memory, and the object store of NATS.

export interface Parts {
  /** Names of all that are there. */
  list(): Promise<Set<string>>;
  put(name: string, bytes: Uint8Array): Promise<void>;
  /**
   * Undefined: there is none. What is of another size than it should be is not taken in; nobody has looked yet whether the rest is
   * what its name says. Rejects once it is given up.
   */
  get(name: string, sizeBytes: number, givenUp: AbortSignal): Promise<Uint8Array | 'otherSize' | undefined>;
  remove(name: string): Promise<void>;
  /** Takes out what was begun to be put, never came to an end, and has not grown for so long. Resolves to how many there were. */
  sweep(quietMs: number): Promise<number>;
}
