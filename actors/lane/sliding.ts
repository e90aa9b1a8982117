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
  private most = 0;
  private second = 0;
  /** One of the two was overwritten. */
  private stale = false;

  add(value: number): void {
    if (this.count === size) {
      const oldest = this.ring[this.next] as number;
      this.sum -= oldest;
      this.stale ||= oldest >= this.second;
    } else this.count++;
    this.ring[this.next] = value;
    this.sum += value;
    this.next = (this.next + 1) % size;
    this.see(value);
  }

  /** Forgets all but that values are about `value` now. */
  restart(value: number): void {
    this.count = 0;
    this.next = 0;
    this.sum = 0;
    this.most = 0;
    this.second = 0;
    this.stale = false;
    this.add(value);
  }

  /** With so few values the second largest is it, and one that stands alone does not count. */
  get high(): number {
    if (this.stale) this.find();
    if (this.count >= enough) return this.second;
    const average = this.count === 0 ? 1 : this.sum / this.count;
    return Math.max(this.second, average * usual);
  }

  private find(): void {
    this.stale = false;
    this.most = 0;
    this.second = 0;
    for (let at = 0; at < this.count; at++) this.see(this.ring[at] as number);
  }

  private see(value: number): void {
    if (value > this.most) {
      this.second = this.most;
      this.most = value;
    } else if (value > this.second) this.second = value;
  }
}
