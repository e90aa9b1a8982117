// How much of each worker's time a lane took lately. What is further back is forgotten.
import type { MemberId } from '../../proto/ids.js';
import type { Place } from '../../proto/messages.js';
import type { Member } from './crew.js';

const memoryMs = 100;
const placesKeptMax = 1024;

/** Worker milliseconds in a millisecond, as it was then. */
interface Rate {
  value: number;
  at: number;
}

export class Load {
  private readonly rates: Record<Place, Map<MemberId, Rate>> = { inline: new Map(), thread: new Map() };

  charge(worker: MemberId, place: Place, ms: number, now: number): void {
    const rates = this.rates[place];
    let rate = rates.get(worker);
    if (rate === undefined) {
      // Workers come and go; those of now are charged again at once.
      if (rates.size >= placesKeptMax) rates.clear();
      rate = { value: 0, at: now };
      rates.set(worker, rate);
    }
    rate.value = decayed(rate, now) + ms / memoryMs;
    rate.at = now;
  }

  /** Of all these workers together, in the places where they run the other lane's model. */
  on(crew: readonly Member[], now: number): number {
    let sum = 0;
    for (const { worker, share } of crew) {
      const rate = this.rates[share.place].get(worker.id);
      if (rate !== undefined) sum += decayed(rate, now);
    }
    return sum;
  }
}

function decayed({ value, at }: Rate, now: number): number {
  return value * Math.exp((at - now) / memoryMs);
}
