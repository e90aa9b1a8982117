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
/** How often the network may be blamed at most: each time but the first doubles the patience with the member. */
const blameMost = 4;
/** With each beat so much of the blame is left: half of it for ten seconds at the usual pace. */
const blameKept = 0.997;
/** Of the beats of a silence so many have to come at its end before the network is blamed for it. */
const lateShare = 0.5;
/** No slower pace is believed, whatever a member says of itself. */
const intervalMostMs = 10_000;

export class Suspicion {
  private meanGapMs: number;
  private silentMs = 0;
  private lastSequence = 0;
  private beaten = false;
  /** How often its beats had been sent, and the network had held them back. */
  private blame = 0;
  /** The silence that has just ended, how long ago, and how many beats have come since. */
  private ended = { silentMs: 0, agoMs: 0, beats: 0 };
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
    this.blameNetwork(leastMs);
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
    const passedMs = Math.min(elapsedMs, this.settings.tickMs * 2);
    this.silentMs += passedMs;
    this.ended.agoMs += passedMs;
  }

  /** Who was stuck sends nothing; whose beats come all at once had sent them, and the network had held them
   *  back. Once is a cable that was pulled; again and again it is a bad network, in which members are given more time. */
  private blameNetwork(paceMs: number): void {
    this.blame *= blameKept;
    if (this.phi() >= this.settings.suspectPhi) this.ended = { silentMs: this.silentMs, agoMs: 0, beats: 0 };
    const { ended } = this;
    if (ended.silentMs === 0) return;
    ended.beats++;
    if (ended.agoMs > this.settings.tickMs * 2) ended.silentMs = 0;
    else if (ended.beats * paceMs >= ended.silentMs * lateShare) {
      ended.silentMs = 0;
      this.blame = Math.min(this.blame + 1, blameMost);
    }
  }

  phi(): number {
    const silence = this.beaten ? this.silentMs : this.silentMs - this.settings.firstBeatMs;
    const patience = 2 ** Math.max(0, this.blame - 1);
    return (Math.max(0, silence) / (this.meanGapMs * patience)) * Math.LOG10E;
  }

  get silence(): number {
    return this.silentMs;
  }
}
