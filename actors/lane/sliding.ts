// The ninety-ninth percentile of the newest values, of at most a fixed number of them.

const size = 192;
/** Of fewer values the tail says little: until then a usual one is assumed. */
const enough = 48;
const usual = 1.1;

export class SlidingHigh {
  private readonly ring = new Float64Array(size);
  private count = 0;
  private next = 0;
  private sum = 0;
  private known = 1;
  private stale = true;

  add(value: number): void {
    if (this.count === size) this.sum -= this.ring[this.next] as number;
    else this.count++;
    this.ring[this.next] = value;
    this.sum += value;
    this.next = (this.next + 1) % size;
    this.stale = true;
  }

  /** Forgets all but that values are about `value` now. */
  restart(value: number): void {
    this.count = 0;
    this.next = 0;
    this.sum = 0;
    this.add(value);
  }

  /** 0 of none. */
  get high(): number {
    if (!this.stale) return this.known;
    this.stale = false;
    this.known = this.find();
    return this.known;
  }

  /** With so few values the second largest is it, and one that stands alone does not count. */
  private find(): number {
    let most = 0;
    let second = 0;
    for (let at = 0; at < this.count; at++) {
      const value = this.ring[at] as number;
      if (value > most) {
        second = most;
        most = value;
      } else if (value > second) second = value;
    }
    if (this.count >= enough) return second;
    const average = this.count === 0 ? 1 : this.sum / this.count;
    return Math.max(second, average * usual);
  }
}
