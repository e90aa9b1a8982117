// How suspicious a member's silence is: its length against the pace of its beats so far (phi accrual with exponential
// gaps). The watcher's own lag is not held against the watched: of a gap in its own attention only a part counts.

export interface SuspicionSettings {
  readonly tickMs: number;
  /** Phi at which a member gets no new work, and at which it is given up. */
  readonly suspectPhi: number;
  readonly downPhi: number;
  /** Bounds on the pace that is believed, so that detection is neither jumpy nor slow: of whoever says of itself that it
   *  beats slower they are wider by as much. */
  readonly gapLeastMs: number;
  readonly gapMostMs: number;
  /** A member that has not beaten yet is starting: it gets this long. */
  readonly firstBeatMs: number;
}

const weight = 0.1;
/** No slower pace is believed, whatever a member says of itself. */
const intervalMostMs = 10_000;

export class Suspicion {
  private meanGapMs: number;
  private silentMs = 0;
  private lastSequence = 0;
  private beaten = false;
  private readonly settings: SuspicionSettings;

  constructor(settings: SuspicionSettings) {
    this.settings = settings;
    this.meanGapMs = settings.gapLeastMs;
  }

  /** False for a copy or a late one. `intervalMs` is the pace that the member itself means to keep. */
  beat(sequence: number, intervalMs: number): boolean {
    if (sequence <= this.lastSequence) return false;
    const missed = sequence - this.lastSequence;
    const { gapLeastMs, gapMostMs } = this.settings;
    const leastMs = Math.max(gapLeastMs, Math.min(intervalMs, intervalMostMs));
    if (this.beaten) {
      const mostMs = leastMs * (gapMostMs / gapLeastMs);
      const gap = Math.min(Math.max(this.silentMs / missed, leastMs), mostMs);
      this.meanGapMs += weight * (gap - this.meanGapMs);
    }
    this.meanGapMs = Math.max(this.meanGapMs, leastMs);
    this.lastSequence = sequence;
    this.beaten = true;
    this.silentMs = 0;
    return true;
  }

  /** Time went by for the watcher. Of a long absence of its own it counts no more than two ticks. */
  pass(elapsedMs: number): void {
    this.silentMs += Math.min(elapsedMs, this.settings.tickMs * 2);
  }

  phi(): number {
    const silence = this.beaten ? this.silentMs : this.silentMs - this.settings.firstBeatMs;
    return (Math.max(0, silence) / this.meanGapMs) * Math.LOG10E;
  }

  get silence(): number {
    return this.silentMs;
  }
}
