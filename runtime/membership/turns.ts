// Of several that try to open one thing the latest goes on, and those before it end where they notice.

export class Turns {
  private latest = 0;
  /** 0 when none is. */
  private underWay = 0;

  /** Whoever tried before goes on no more. `isOurs` tells so also when it is over. */
  async take(open: (isOurs: () => boolean) => Promise<void>): Promise<void> {
    const turn = ++this.latest;
    this.underWay = turn;
    try {
      await open(() => turn === this.latest);
    } finally {
      if (this.underWay === turn) this.underWay = 0;
    }
  }

  /** Nobody goes on. */
  end(): void {
    this.latest++;
  }

  /** The latest is still at it. */
  get isTaken(): boolean {
    return this.underWay === this.latest;
  }
}
