// One try to get into NATS, at each of its servers: where these are amiss in several ways each is told.

export interface Entry<T> {
  /** `isAlone`: no other servers than these are tried. */
  dial(servers: readonly string[], isAlone: boolean): Promise<T>;
  close(entered: T): Promise<void>;
  /** For people. */
  reasonOf(fault: unknown): string;
}

/** Rejects with a sentence. */
export async function enter<T>(servers: readonly string[], entry: Entry<T>): Promise<T> {
  try {
    return await entry.dial(servers, false);
  } catch (fault) {
    const reasons = servers.length === 1 ? [] : await reasonsOfEach(servers, entry);
    if (new Set(reasons).size < 2 || reasons.includes('')) throw new Error(entry.reasonOf(fault));
    throw new Error(reasons.map((reason, at) => `${servers[at]}: ${reason}`).join('; '));
  }
}

/** Empty of one that lets in by now. */
function reasonsOfEach<T>(servers: readonly string[], entry: Entry<T>): Promise<string[]> {
  return Promise.all(
    servers.map((server) =>
      entry.dial([server], true).then(
        async (entered) => {
          await entry.close(entered);
          return '';
        },
        (fault: unknown) => entry.reasonOf(fault),
      ),
    ),
  );
}
