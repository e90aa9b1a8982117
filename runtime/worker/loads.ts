// The loading of models in a worker: the node hears of each before it begins, so that it knows whom to blame if the process
// does not survive it. One that is under suspicion is loaded while no other is.
import type { Loaded } from '../executor/executor.js';
import type { LoadRisks } from '../supervise/load-deaths.js';
import type { WorkerWord } from './order.js';

export class Loads {
  private readonly isBusy: () => boolean;
  private readonly say: (word: WorkerWord) => Promise<void>;
  private readonly running = new Set<Promise<unknown>>();
  private alone: Promise<unknown> = Promise.resolve();
  private risks: LoadRisks = {};

  /** `say` resolves when the word is out; `isBusy` tells whether anything is run. */
  constructor(say: (word: WorkerWord) => Promise<void>, isBusy: () => boolean) {
    this.say = say;
    this.isBusy = isBusy;
  }

  /** Something is about to be run: that may be to blame as well. */
  ran(): void {
    if (this.running.size > 0) void this.say({ type: 'ran' });
  }

  know(risks: LoadRisks): void {
    this.risks = risks;
  }

  async run(key: string, load: () => Promise<Loaded>): Promise<Loaded> {
    const risk = this.risks[key];
    if (risk === undefined) {
      await this.alone;
      return this.noted(key, load);
    }
    if (risk !== '') return { ok: false, reason: risk };
    const turn = this.alone.then(async () => {
      while (this.running.size > 0) await Promise.allSettled(this.running);
      return this.noted(key, load);
    });
    this.alone = turn.catch(() => undefined);
    return turn;
  }

  private async noted(key: string, load: () => Promise<Loaded>): Promise<Loaded> {
    const work = this.say({ type: 'loading', key, isBusy: this.isBusy() }).then(load);
    this.running.add(work);
    let reason = 'it broke down';
    try {
      const loaded = await work;
      reason = loaded.ok ? '' : loaded.reason;
      return loaded;
    } finally {
      this.running.delete(work);
      void this.say({ type: 'loaded', key, reason });
    }
  }
}
