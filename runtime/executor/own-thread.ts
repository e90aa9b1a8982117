// The thread of one model whose backend is a user's own: whatever that does, loading for ever included, befalls this model
// alone. A thread that it has ended is begun anew with the next run.
import { after } from '../clock.js';
import { nameOf } from './backends/module.js';
import { ComputeThread } from './compute.js';
import type { Run, RunResult } from './executor.js';
import { filledRows } from './filling.js';
import type { LoadOrder } from './order.js';

/** To let go of what the model holds; then its thread is ended. */
const unloadLongestMs = 2_000;

export class OwnThread {
  readonly #order: LoadOrder;
  readonly #name: string;
  /** Of which the model is loaded. */
  #thread: ComputeThread | undefined;
  /** Being opened or open. */
  #latest: ComputeThread | undefined;
  #opening: Promise<ComputeThread> | undefined;
  #runMs = 0;
  #runs = 0;
  #drained: (() => void) | undefined;

  constructor(order: LoadOrder) {
    this.#order = order;
    this.#name = nameOf(order);
  }

  /** Milliseconds of a warm run, or 0; rejects with a sentence. */
  async load(): Promise<number> {
    await this.#opened();
    return this.#runMs;
  }

  async measure(rows: number): Promise<number> {
    const thread = await this.#opened();
    return this.#inTime(thread, 'run', thread.measure(this.#order.key, rows));
  }

  run(run: Run, rows: number, ownRows: number, done: (result: RunResult) => void): void {
    this.#runs += 1;
    const finish = (result: RunResult): void => {
      this.#runs -= 1;
      done(result);
      if (this.#runs === 0) this.#drained?.();
    };
    if (this.#thread !== undefined) return this.#thread.run(run, this.#order.key, rows, ownRows, finish);
    this.#opened().then(
      (thread) => thread.run(run, this.#order.key, rows, ownRows, finish),
      ({ message }: Error) => finish({ key: run.key, ok: false, code: 'MODEL_FAILED', reason: message }),
    );
  }

  /** Once no run is left. */
  async stop(): Promise<void> {
    if (this.#runs > 0) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
      });
    }
    const [latest, isOpen] = [this.#latest, this.#thread !== undefined];
    this.#thread = undefined;
    this.#latest = undefined;
    if (latest === undefined) return;
    if (!isOpen) return latest.end(`${this.#name} was unloaded`);
    const late = after(unloadLongestMs, () => void latest.end());
    await latest.stop();
    late.cancel();
  }

  #opened(): Promise<ComputeThread> {
    if (this.#thread !== undefined) return Promise.resolve(this.#thread);
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #open(): Promise<ComputeThread> {
    const thread = new ComputeThread(() => this.#forget(thread), {
      name: `the thread of ${this.#name}`,
      lost: 'MODEL_FAILED',
    });
    this.#latest = thread;
    const rows = filledRows(this.#order.rowSizes, 1);
    const load = async (): Promise<number> => {
      await thread.load(this.#order);
      return thread.warmup(this.#order.key, rows);
    };
    this.#runMs = await this.#inTime(thread, 'load', load());
    this.#thread = thread;
    return thread;
  }

  /** What fails here ends the thread. */
  async #inTime(thread: ComputeThread, what: string, done: Promise<number>): Promise<number> {
    const { loadLongestMs } = this.#order;
    const late = after(loadLongestMs, () => {
      void thread.end(`${this.#name} did not ${what} within ${loadLongestMs} ms, which is loadLongestMs`);
    });
    try {
      return await done;
    } catch (error) {
      this.#forget(thread);
      await thread.end();
      throw error;
    } finally {
      late.cancel();
    }
  }

  #forget(thread: ComputeThread): void {
    if (this.#thread === thread) this.#thread = undefined;
    if (this.#latest === thread) this.#latest = undefined;
  }
}
