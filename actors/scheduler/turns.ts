// Whose turn it is when several lanes want the same workers: each gets worker time by its weight, so that one that is
// flooded starves no other. Who had nothing to run does not save up for later.
import type { Lane } from '../lane/lane.js';

/** What a lane took lately counts; what is further back is forgotten. */
const memoryMs = 100;

interface Load {
  /** Worker milliseconds in a millisecond. */
  rate: number;
  chargedAt: number;
}

export class Turns {
  private readonly loads = new Map<Lane, Load>();
  /** The account of whoever was served last: who comes anew starts from there. */
  private reached = 0;

  /** Lanes in which somebody waits, the one that had least first. */
  order(lanes: Iterable<Lane>): Lane[] {
    const waiting: Lane[] = [];
    for (const lane of lanes) if (lane.queue.count > 0) waiting.push(lane);
    return waiting.length < 2 ? waiting : waiting.sort((a, b) => a.served - b.served);
  }

  /** Its first job since its queue was empty. */
  enter(lane: Lane): void {
    lane.served = Math.max(lane.served, this.reached);
  }

  charge(lane: Lane, ms: number, now: number): void {
    this.reached = Math.max(this.reached, lane.served);
    lane.served += ms / lane.batching.weight;
    const load = this.loads.get(lane) ?? { rate: 0, chargedAt: now };
    load.rate = decayed(load, now) + ms / memoryMs;
    load.chargedAt = now;
    this.loads.set(lane, load);
  }

  /** Other lanes are at work too. */
  contended(lane: Lane, now: number): boolean {
    for (const [other, load] of this.loads) {
      if (other !== lane && (other.queue.count > 0 || decayed(load, now) > 0.05)) return true;
    }
    return false;
  }

  /** How much of the workers' time a lane can count on beside what others take of their shares. */
  shareOf(lane: Lane, workers: number, now: number): number {
    if (this.loads.size < 2 || workers === 0) return 1;
    let weights = lane.batching.weight;
    for (const [other, load] of this.loads) {
      if (other !== lane && decayed(load, now) > 0.01) weights += other.batching.weight;
    }
    let taken = 0;
    for (const [other, load] of this.loads) {
      if (other === lane) continue;
      taken += Math.min(decayed(load, now) / workers, other.batching.weight / weights);
    }
    return Math.max(lane.batching.weight / weights, 1 - taken);
  }
}

function decayed({ rate, chargedAt }: Load, now: number): number {
  return rate * Math.exp((chargedAt - now) / memoryMs);
}
