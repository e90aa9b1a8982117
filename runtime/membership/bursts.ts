// Many changes that come at once are told in a few words: the first at once, those right behind it together.
import { after, type Timer } from '../clock.js';

export class Bursts {
  private readonly waitMs: number;
  private readonly run: () => void;
  private waiting: Timer | undefined;
  private isMore = false;

  constructor(waitMs: number, run: () => void) {
    this.waitMs = waitMs;
    this.run = run;
  }

  tell(): void {
    if (this.waiting !== undefined) {
      this.isMore = true;
      return;
    }
    this.isMore = false;
    this.waiting = after(
      this.waitMs,
      () => {
        this.waiting = undefined;
        if (this.isMore) this.tell();
      },
      false,
    );
    this.run();
  }

  stop(): void {
    this.waiting?.cancel();
  }
}
