// A hierarchical timing wheel for deadlines: adding and removing cost the same however many are waiting, and nothing
// wakes up for a deadline that is still far away. Entries are linked in place; a fired one is never early.

export interface Deadline {
  /** Absolute, in the caller's milliseconds. */
  readonly deadline: number;
  wheelNext: Deadline | undefined;
  wheelBefore: Deadline | undefined;
  wheelSlot: number;
}

const slotsPerLevel = 64;
const levels = 5;
/** Slot widths: 1 ms, 64 ms, 4 s, 4.4 min, 4.7 h. */
const widths = Array.from({ length: levels }, (_, level) => slotsPerLevel ** level);

export class Wheel<T extends Deadline> {
  private readonly slots: (T | undefined)[] = new Array(slotsPerLevel * levels).fill(undefined);
  private readonly counts: number[] = new Array(levels).fill(0);
  /** All slots before this millisecond have been emptied. */
  private tick: number;
  size = 0;

  constructor(now: number) {
    this.tick = Math.floor(now);
  }

  add(entry: T, now: number): void {
    if (this.size === 0) this.tick = Math.max(this.tick, Math.floor(now));
    this.place(entry);
  }

  private place(entry: T): void {
    // Rounded up, so that an entry never fires before its time.
    const due = Math.max(Math.ceil(entry.deadline), this.tick);
    let level = 0;
    while (level < levels - 1 && slotNumber(due, level) - slotNumber(this.tick, level) >= slotsPerLevel)
      level++;
    const furthest = slotNumber(this.tick, level) + slotsPerLevel - 1;
    const slot = level * slotsPerLevel + (Math.min(slotNumber(due, level), furthest) % slotsPerLevel);
    const head = this.slots[slot];
    entry.wheelSlot = slot;
    entry.wheelBefore = undefined;
    entry.wheelNext = head;
    if (head !== undefined) head.wheelBefore = entry;
    this.slots[slot] = entry;
    this.counts[level] = (this.counts[level] as number) + 1;
    this.size++;
  }

  remove(entry: T): void {
    if (entry.wheelSlot < 0) return;
    const { wheelBefore, wheelNext } = entry;
    if (wheelBefore === undefined) this.slots[entry.wheelSlot] = wheelNext as T | undefined;
    else wheelBefore.wheelNext = wheelNext;
    if (wheelNext !== undefined) wheelNext.wheelBefore = wheelBefore;
    const level = Math.floor(entry.wheelSlot / slotsPerLevel);
    this.counts[level] = (this.counts[level] as number) - 1;
    entry.wheelSlot = -1;
    entry.wheelNext = undefined;
    entry.wheelBefore = undefined;
    this.size--;
  }

  /** When to look again: never later than the earliest deadline, rounded up. Infinity when nothing waits. */
  nextAt(): number {
    let soonest = Number.POSITIVE_INFINITY;
    for (let level = 0; level < levels; level++) {
      if (this.counts[level] === 0) continue;
      const first = slotNumber(this.tick, level);
      for (let ahead = 0; ahead < slotsPerLevel; ahead++) {
        if (this.slots[level * slotsPerLevel + ((first + ahead) % slotsPerLevel)] === undefined) continue;
        soonest = Math.min(soonest, Math.max((first + ahead) * (widths[level] as number), this.tick));
        break;
      }
    }
    return soonest;
  }

  /** Takes out everything that is due and hands it over. */
  advance(now: number, fire: (entry: T) => void): void {
    const until = Math.floor(now);
    while (this.size > 0 && this.nextAt() <= until) {
      this.tick = Math.max(this.tick, this.nextAt());
      this.cascade();
      this.fireSlot(this.tick % slotsPerLevel, fire);
      this.tick++;
    }
    this.tick = Math.max(this.tick, until);
  }

  /** Moves what the present tick has reached from the wide levels into narrower ones. */
  private cascade(): void {
    for (let level = levels - 1; level > 0; level--) {
      if (this.counts[level] === 0) continue;
      const slot = level * slotsPerLevel + (slotNumber(this.tick, level) % slotsPerLevel);
      let entry = this.slots[slot];
      while (entry !== undefined) {
        const following = entry.wheelNext as T | undefined;
        this.remove(entry);
        this.place(entry);
        entry = following;
      }
    }
  }

  private fireSlot(slot: number, fire: (entry: T) => void): void {
    let entry = this.slots[slot];
    while (entry !== undefined) {
      this.remove(entry);
      fire(entry);
      entry = this.slots[slot];
    }
  }
}

function slotNumber(at: number, level: number): number {
  return Math.floor(at / (widths[level] as number));
}
