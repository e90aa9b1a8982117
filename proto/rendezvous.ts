// Rendezvous hashing: who of several gets a thing, so that all agree without asking and one who goes or comes moves only
// what was or becomes its own.

/** Between 0 and 2^32; the highest of all candidates has the first claim to the key. */
export function weightOf(key: string, candidate: string): number {
  return hash(`${key}@${candidate}`);
}

/** Whatever the order in which the candidates are known. Undefined where there are none. */
export function firstOf<T extends string>(key: string, candidates: readonly T[]): T | undefined {
  if (candidates.length < 2) return candidates[0];
  let first: T | undefined;
  let highest = -1;
  for (const candidate of candidates) {
    const weight = weightOf(key, candidate);
    if (weight < highest || (weight === highest && first !== undefined && candidate > first)) continue;
    highest = weight;
    first = candidate;
  }
  return first;
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
