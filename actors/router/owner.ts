// Which scheduler owns a model: rendezvous hashing, so that all routers agree without asking and a scheduler's death
// moves only its own models.
import type { MemberId } from '../../proto/ids.js';

export function ownerOf(model: string, schedulers: readonly MemberId[]): MemberId | undefined {
  let owner: MemberId | undefined;
  let highest = -1;
  for (const scheduler of schedulers) {
    const weight = schedulers.length === 1 ? 0 : hash(`${model}@${scheduler}`);
    if (weight > highest) {
      highest = weight;
      owner = scheduler;
    }
  }
  return owner;
}

/** FNV-1a with a last mixing, for short keys that differ in few places. */
function hash(key: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) {
    value = Math.imul(value ^ key.charCodeAt(at), 0x01000193);
  }
  value = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d);
  return (value ^ (value >>> 13)) >>> 0;
}
