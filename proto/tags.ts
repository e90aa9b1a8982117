// Tags: what models may ask for in a worker. Workers register with them, and nodes go by the same ones when they decide who is to
// have a model.
import { limits } from './limits.js';

export const tagPattern = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/;
export const tagWanted = 'a tag of 1 to 128 letters, digits, . _ : / -, the first a letter or digit';

/** What a worker has by itself, its device and its host, and what the node's owner says of it. */
export function tagsOf(given: readonly string[], device: string, host: string): string[] {
  // `cuda:1` is a `cuda` too.
  const all = [device, device.split(':')[0] as string, `host:${host}`, ...given].filter((tag) =>
    tagPattern.test(tag),
  );
  return [...new Set(all)].slice(0, limits.tagsMax);
}
