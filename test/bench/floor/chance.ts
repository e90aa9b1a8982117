// Chance from a seed: the same seed, the same load.

export function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Until the next of many clients asks who know nothing of each other. */
export function gapMs(random: () => number, perMs: number): number {
  return -Math.log(1 - random()) / perMs;
}

/** A factor around 1, most of it within `sigma`. */
export function noiseOf(random: () => number, sigma: number): () => number {
  return () => {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return Math.exp(sigma * normal - (sigma * sigma) / 2);
  };
}
