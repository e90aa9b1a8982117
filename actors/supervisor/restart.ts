// The restart budget of one slot: a worker that had been useful comes back at once, as long as that does not happen too
// often; one that keeps dying before it is of use waits longer each time.

export interface RestartSettings {
  /** So many immediate restarts within the window. */
  readonly restartsMax: number;
  readonly windowMs: number;
  readonly backoffFirstMs: number;
  readonly backoffMostMs: number;
  /** A process that lived this long had been useful. */
  readonly usefulAfterMs: number;
}

export class RestartBudget {
  private readonly settings: RestartSettings;
  private recent: number[] = [];
  private futile = 0;

  constructor(settings: RestartSettings) {
    this.settings = settings;
  }

  /** How long to wait before the next start. */
  next(livedMs: number, now: number): number {
    const { restartsMax, windowMs, backoffFirstMs, backoffMostMs, usefulAfterMs } = this.settings;
    this.recent = this.recent.filter((at) => at > now - windowMs);
    this.recent.push(now);
    this.futile = livedMs >= usefulAfterMs ? 0 : this.futile + 1;
    if (this.futile === 0 && this.recent.length <= restartsMax) return 0;
    const steps = Math.max(this.futile - 1, this.recent.length - restartsMax, 0);
    return Math.min(backoffMostMs, backoffFirstMs * 2 ** Math.min(steps, 20));
  }
}
