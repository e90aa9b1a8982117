// What becomes of each packet on a link with faults, decided from a seed: it is lost, or how late it comes.
import { chance } from '../bench/floor/chance.js';

/** Seen from who is at the far end: what it hears, and what it says. */
export type Way = 'in' | 'out';
export const ways: readonly Way[] = ['in', 'out'];

export interface Faults {
  /** Of all packets. */
  readonly lossShare?: number;
  readonly delayMs?: number;
  /** In that direction only. */
  readonly only?: Way;
}

/** In that direction. */
export function faultsOf(
  { lossShare = 0, delayMs = 0, only }: Faults,
  way: Way,
): { readonly lossShare: number; readonly delayMs: number } {
  return only === undefined || only === way ? { lossShare, delayMs } : { lossShare: 0, delayMs: 0 };
}

/** What goes one way. Packets never overtake one another in it. */
export class Lane {
  faults: Faults = {};
  private readonly way: Way;
  private readonly random: () => number;
  private lastAt = 0;

  constructor(way: Way, seed: number) {
    this.way = way;
    this.random = chance(seed);
  }

  /** When a packet that comes now arrives; undefined for one that is lost. */
  arrivalAt(now: number): number | undefined {
    const { lossShare, delayMs } = faultsOf(this.faults, this.way);
    if (this.random() < lossShare) return undefined;
    this.lastAt = Math.max(this.lastAt, now + delayMs);
    return this.lastAt;
  }
}
