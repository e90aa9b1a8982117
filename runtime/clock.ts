// The one clock of the process: everything that waits or asks the time does it here, so that nothing else can.

/** Monotonic milliseconds with fractions. */
export function now(): number {
  return performance.now();
}

/** Wall time in milliseconds since 1970, for logs and names only: never for a decision. */
export function wallTime(): number {
  return Date.now();
}

export interface Timer {
  cancel(): void;
}

/** Timers keep the process alive only when asked to. */
export function after(delayMs: number, run: () => void, keepsAlive = true): Timer {
  const handle = setTimeout(run, delayMs);
  if (!keepsAlive) handle.unref();
  return { cancel: () => clearTimeout(handle) };
}

/** Runs once everything that is already at hand has been handled. */
export function settle(run: () => void): void {
  setImmediate(run);
}

export function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    after(delayMs, resolve);
  });
}

/** For what is also run in virtual time: there it gets another one. */
export interface Clock {
  now(): number;
  after(delayMs: number, run: () => void, keepsAlive?: boolean): Timer;
  pause(delayMs: number): Promise<void>;
}

export const realClock: Clock = { now, after, pause };
