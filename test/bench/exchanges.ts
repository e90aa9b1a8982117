// Questions to another process and its answers: so many under way at any time, and how many a second that gives.

export class Exchanges {
  /** To be called for each answer. */
  answered: () => void = () => {};

  /** Keeps as many exchanges under way as said, until all are done. */
  perSecond(underWay: number, exchanges: number, ask: (count: number) => void): Promise<number> {
    return new Promise((resolve) => {
      const begun = performance.now();
      let sent = 0;
      let answered = 0;
      this.answered = () => {
        answered += 1;
        if (sent < exchanges) ask(++sent);
        else if (answered === exchanges) resolve(exchanges / ((performance.now() - begun) / 1000));
      };
      while (sent < underWay) ask(++sent);
    });
  }
}
