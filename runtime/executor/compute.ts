// The main thread's end of the compute thread: starts it, hands it letters and memory, and hears what became of them.
// The common one is never ended by force, for that would abort the process when a run of ONNX Runtime is in flight.
import { Worker } from 'node:worker_threads';
import { now } from '../clock.js';
import type { Run, RunFailure, RunResult } from './executor.js';
import { copyInputs, layOut } from './gather.js';
import type { FromThread, ToThread } from './letters.js';
import { MemoryPool } from './memory.js';
import type { LoadOrder } from './order.js';

type Done = Extract<FromThread, { kind: 'done' }>;

interface Served {
  resolve(done: Done): void;
  reject(error: Error): void;
}

interface Running {
  readonly run: Run;
  readonly inputMs: number;
  readonly done: (result: RunResult) => void;
}

export interface ThreadOptions {
  readonly name: string;
  /** What runs end as when the thread does. */
  readonly lost: RunFailure['code'];
}

export class ComputeThread {
  readonly #worker = new Worker(new URL('./thread.js', import.meta.url), { execArgv: [] });
  readonly #memory = new MemoryPool();
  readonly #served = new Map<number, Served>();
  readonly #running = new Map<number, Running>();
  readonly #gone: Promise<void>;
  readonly #broken: (reason: string) => void;
  readonly #lost: RunFailure['code'];
  #lettersSent = 0;
  #end = '';
  #isStopping = false;

  /** `broken` is called when it ends without having been told to. */
  constructor(
    broken: (reason: string) => void,
    { name, lost }: ThreadOptions = { name: 'the compute thread', lost: 'DEVICE_LOST' },
  ) {
    this.#broken = broken;
    this.#lost = lost;
    this.#worker.on('message', (letter: FromThread) => this.#hear(letter));
    this.#worker.on('error', (error) => this.#fail(`${name} failed: ${wordsOf(error)}`));
    this.#gone = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.#fail(`${name} has ended`);
        resolve();
      });
    });
  }

  /** What of it runs elsewhere than on its device. */
  async load(order: LoadOrder): Promise<string> {
    return (await this.#ask((id) => ({ kind: 'load', id, order }))).partly;
  }

  async warmup(key: string, rows: number): Promise<number> {
    return (await this.#ask((id) => ({ kind: 'warmup', id, key, rows }))).runMs;
  }

  async measure(key: string, rows: number): Promise<number> {
    return (await this.#ask((id) => ({ kind: 'measure', id, key, rows }))).runMs;
  }

  async unload(key: string): Promise<void> {
    await this.#ask((id) => ({ kind: 'unload', id, key }));
  }

  run(run: Run, key: string, rows: number, own: number, done: (result: RunResult) => void): void {
    if (this.#end !== '') {
      done({ key: run.key, ok: false, code: this.#lost, reason: this.#end });
      return;
    }
    const startedAt = now();
    const layout = layOut(run);
    // Received frames can't be handed to a thread, only cloned, which costs two copies: this is one, and puts them together.
    const memory = this.#memory.take(layout.bytes);
    copyInputs(run, layout, memory);
    this.#lettersSent += 1;
    const id = this.#lettersSent;
    this.#running.set(id, { run, inputMs: now() - startedAt, done });
    const headers = run.inputs.map((input) => input.header);
    this.#post({ kind: 'run', id, key, headers, layout, memory, rows, own, outputs: run.outputs }, [memory]);
  }

  /** Resolves when all that was asked is done and the thread has gone. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    if (this.#end === '') await this.#ask((id) => ({ kind: 'stop', id })).catch(() => undefined);
    await this.#gone;
  }

  /** By force, whatever it does. */
  async end(reason = 'the thread was ended'): Promise<void> {
    this.#isStopping = true;
    this.#fail(reason);
    await this.#worker.terminate();
  }

  #ask(letter: (id: number) => ToThread): Promise<Done> {
    if (this.#end !== '') return Promise.reject(new Error(this.#end));
    return new Promise((resolve, reject) => {
      this.#lettersSent += 1;
      this.#served.set(this.#lettersSent, { resolve, reject });
      this.#post(letter(this.#lettersSent), []);
    });
  }

  #post(letter: ToThread, handed: ArrayBuffer[]): void {
    this.#worker.postMessage(letter, handed);
  }

  #hear(letter: FromThread): void {
    if (letter.kind === 'done') {
      const served = this.#served.get(letter.id);
      this.#served.delete(letter.id);
      if (letter.reason === '') served?.resolve(letter);
      else served?.reject(new Error(letter.reason));
      return;
    }
    if (letter.memory !== undefined) this.#memory.give(letter.memory);
    const running = this.#running.get(letter.id);
    if (running === undefined) return;
    this.#running.delete(letter.id);
    const { run, inputMs } = running;
    const { outcome } = letter;
    running.done(outcome.ok ? { key: run.key, inputMs, ...outcome } : { key: run.key, ...outcome });
  }

  #fail(reason: string): void {
    if (this.#end === '') {
      this.#end = reason;
      if (!this.#isStopping) this.#broken(reason);
    }
    for (const served of this.#served.values()) served.reject(new Error(this.#end));
    this.#served.clear();
    const running = [...this.#running.values()];
    this.#running.clear();
    for (const { run, done } of running)
      done({ key: run.key, ok: false, code: this.#lost, reason: this.#end });
  }
}

/** Whatever was thrown: a user's code may throw anything. */
function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
