// What models may ask for in this worker: its device, its host, and what the node's owner says of it.
import { hostname } from 'node:os';
import { limits } from '../../proto/limits.js';
import { tagPattern } from '../models/batching.js';

export function tagsOf(given: readonly string[], device: string, host = hostname()): string[] {
  // `cuda:1` is a `cuda` too.
  const all = [device, device.split(':')[0] as string, `host:${host}`, ...given].filter((tag) =>
    tagPattern.test(tag),
  );
  return [...new Set(all)].slice(0, limits.tagsMax);
}
