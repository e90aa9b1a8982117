// Counts what a door is still busy with, so that a stop can wait for it.
import { after } from '../clock.js';

export class Flight {
  #count = 0;
  #waiting: (() => void)[] = [];

  /** Returns how to leave; leaving again does nothing. */
  enter(): () => void {
    this.#count++;
    let isHere = true;
    return () => {
      if (isHere) this.#leave();
      isHere = false;
    };
  }

  /** Resolves when nothing is under way any more, or after `graceMs`. */
  landed(graceMs: number): Promise<void> {
    if (this.#count === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = after(graceMs, resolve);
      this.#waiting.push(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  #leave(): void {
    this.#count--;
    if (this.#count > 0) return;
    for (const tell of this.#waiting) tell();
    this.#waiting = [];
  }
}

/** Resolves when `done` does, or after `graceMs`. */
export function within(done: Promise<void>, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = after(graceMs, resolve);
    void done.finally(() => {
      timer.cancel();
      resolve();
    });
  });
}
