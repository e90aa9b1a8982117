// The chances that a run meets, from a seed: gaps between arrivals as of many clients that know nothing of each other,
// and the noise on costs.
import type { Chances } from './engine.js';

export function chances(seed: number, requests: number, sigma: number): Chances {
  const random = generator(seed);
  const gaps = Float64Array.from({ length: requests }, () => -Math.log(1 - random()));
  const noise = Float64Array.from({ length: 4096 }, () => {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return Math.exp(sigma * normal - (sigma * sigma) / 2);
  });
  return { gaps, noise, uncounted: Math.floor(requests / 5) };
}

function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
