// What lives for a short time under a number of its own: jobs, batches. A Map would do the same, but it changes its table
// every few dozen entries and each old table leads to the next: once the collector takes one of them for long-lived, all
// that was in any of them stays until the whole heap is marked. Here entries stay in one place.

const slotsFirst = 64;
/** By 2 ** 32 the golden section: its multiples keep away from each other. */
const spreadFactor = 0x9e3779b1;

export class Numbered<V extends object | string> {
  #values: (V | undefined)[] = new Array(slotsFirst).fill(undefined);
  #numbers = new Float64Array(slotsFirst);
  #mask = slotsFirst - 1;
  #shift = 32 - Math.log2(slotsFirst);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(number: number): V | undefined {
    return this.#values[this.#slotOf(number)];
  }

  set(number: number, value: V): void {
    const slot = this.#slotOf(number);
    if (this.#values[slot] === undefined) this.#size++;
    this.#values[slot] = value;
    this.#numbers[slot] = number;
    if (this.#size * 2 > this.#mask) this.#grow();
  }

  delete(number: number): boolean {
    let empty = this.#slotOf(number);
    if (this.#values[empty] === undefined) return false;
    this.#size--;
    this.#values[empty] = undefined;
    // Whoever had to move on for a taken slot moves back, so that looking may stop at the first empty one.
    for (let slot = this.#after(empty); this.#values[slot] !== undefined; slot = this.#after(slot)) {
      const moved = (slot - this.#homeOf(this.#numbers[slot] as number)) & this.#mask;
      if (moved < ((slot - empty) & this.#mask)) continue;
      this.#values[empty] = this.#values[slot];
      this.#numbers[empty] = this.#numbers[slot] as number;
      this.#values[slot] = undefined;
      empty = slot;
    }
    return true;
  }

  /** The numbers in use, lowest first. */
  keys(): number[] {
    const numbers: number[] = [];
    if (this.#size === 0) return numbers;
    for (let slot = 0; slot <= this.#mask; slot++) {
      if (this.#values[slot] !== undefined) numbers.push(this.#numbers[slot] as number);
    }
    return numbers.sort((a, b) => a - b);
  }

  /** In the order of their numbers; as it is now, whatever becomes of it meanwhile. */
  values(): V[] {
    return this.keys().map((number) => this.get(number) as V);
  }

  /** The slot of the number, or the empty one where it would be. */
  #slotOf(number: number): number {
    let slot = this.#homeOf(number);
    while (this.#values[slot] !== undefined && this.#numbers[slot] !== number) slot = this.#after(slot);
    return slot;
  }

  /** Neighbours far apart: numbers in a row would make long rows of slots, and whoever leaves looks to the end of its row. */
  #homeOf(number: number): number {
    return Math.imul(number, spreadFactor) >>> this.#shift;
  }

  #after(slot: number): number {
    return (slot + 1) & this.#mask;
  }

  #grow(): void {
    const values = this.#values;
    const numbers = this.#numbers;
    const slots = values.length * 2;
    this.#values = new Array(slots).fill(undefined);
    this.#numbers = new Float64Array(slots);
    this.#mask = slots - 1;
    this.#shift--;
    for (let old = 0; old < values.length; old++) {
      if (values[old] === undefined) continue;
      const slot = this.#slotOf(numbers[old] as number);
      this.#values[slot] = values[old];
      this.#numbers[slot] = numbers[old] as number;
    }
  }
}
