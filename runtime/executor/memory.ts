// Memory for runs that goes to the compute thread and comes back: used again, for fresh pages cost more than the copy.

const keptBytesMax = 32 << 20;
const keptCountMax = 8;

export class MemoryPool {
  readonly #kept: ArrayBuffer[] = [];
  #keptBytes = 0;

  /** At least that large, not cleared. */
  take(bytes: number): ArrayBuffer {
    const index = this.#kept.findIndex(
      (memory) => memory.byteLength >= bytes && memory.byteLength <= bytes * 4 + 4096,
    );
    const found = index < 0 ? undefined : this.#kept.splice(index, 1)[0];
    if (found === undefined) return Buffer.allocUnsafeSlow(bytes).buffer as ArrayBuffer;
    this.#keptBytes -= found.byteLength;
    return found;
  }

  give(memory: ArrayBuffer): void {
    if (memory.byteLength > keptBytesMax) return;
    this.#kept.push(memory);
    this.#keptBytes += memory.byteLength;
    while (this.#kept.length > keptCountMax || this.#keptBytes > keptBytesMax) {
      this.#keptBytes -= this.#kept.shift()?.byteLength ?? 0;
    }
  }
}
