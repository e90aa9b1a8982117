// Whose turn it is when several lanes want the same workers: each gets worker time by its weight, so that one that is
// flooded starves no other. Who had nothing to run does not save up for later.
import type { Lane } from '../lane/lane.js';
import type { Member } from './crew.js';
import { Load } from './load.js';

/** Less than this of a worker's time is nothing. */
const littleShare = 0.01;
/** More than this keeps others from counting on its being free. */
const muchShare = 0.05;

export class Turns {
  /** What each lane took lately, by where it ran. */
  private readonly loads = new Map<Lane, Load>();
  /** The account of whoever was served last: who comes anew starts from there. */
  private reached = 0;
  /** Of `shareOf`, filled anew by each: what others take, and their weights. */
  private readonly takes: number[] = [];
  private readonly takers: number[] = [];

  /** Lanes in which somebody waits, the one that had least first. */
  order(lanes: Iterable<Lane>): Lane[] {
    const waiting: Lane[] = [];
    for (const lane of lanes) if (lane.queue.count > 0) waiting.push(lane);
    return waiting.length < 2 ? waiting : waiting.sort((a, b) => a.served - b.served);
  }

  /** The order again, after the first of it was served. */
  reorder(order: Lane[]): void {
    const first = order[0] as Lane;
    let at = 1;
    for (; at < order.length && (order[at] as Lane).served < first.served; at++) {
      order[at - 1] = order[at] as Lane;
    }
    order[at - 1] = first;
  }

  /** Its first job since its queue was empty. */
  enter(lane: Lane): void {
    lane.served = Math.max(lane.served, this.reached);
  }

  charge(lane: Lane, { worker, share }: Pick<Member, 'worker' | 'share'>, ms: number, now: number): void {
    this.reached = Math.max(this.reached, lane.served);
    lane.served += ms / lane.batching.weight;
    let load = this.loads.get(lane);
    if (load === undefined) {
      load = new Load();
      this.loads.set(lane, load);
    }
    load.charge(worker.id, share.place, ms, now);
  }

  forget(lane: Lane): void {
    this.loads.delete(lane);
  }

  /** Other lanes are at work on the same workers. */
  contended(lane: Lane, crew: readonly Member[], now: number): boolean {
    if (this.loads.size < 2) return false;
    for (const [other, load] of this.loads) {
      if (other !== lane && load.on(crew, now) > muchShare) return true;
    }
    return false;
  }

  /** How much of its workers' time a lane can count on beside what others take of their shares. */
  shareOf(lane: Lane, crew: readonly Member[], now: number): number {
    if (this.loads.size < 2 || crew.length === 0) return 1;
    let weights = lane.batching.weight;
    const { takes, takers } = this;
    let count = 0;
    for (const [other, load] of this.loads) {
      if (other === lane) continue;
      const taken = load.on(crew, now);
      if (taken <= littleShare) continue;
      weights += other.batching.weight;
      takers[count] = other.batching.weight;
      takes[count++] = taken;
    }
    let left = 1;
    for (let at = 0; at < count; at++) {
      left -= Math.min((takes[at] as number) / crew.length, (takers[at] as number) / weights);
    }
    return Math.max(lane.batching.weight / weights, left);
  }
}
