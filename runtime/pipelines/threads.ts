// One pipeline thread as the main thread sees it: what it has, whether it answers, and its end. A request is handed to it
// only when it does nothing or has just answered, so that nobody waits behind a step that does not end.
import { Worker } from 'node:worker_threads';
import { after, type Timer } from '../clock.js';
import { memoryOf } from '../executor/letters.js';
import type { FromPipelineThread, ToPipelineThread } from './letters.js';

export type BeginLetter = Extract<ToPipelineThread, { kind: 'begin' }>;

export interface ThreadClient {
  /** It has ended, whatever its steps still do. */
  readonly isOver: boolean;
  hear(letter: Exclude<FromPipelineThread, { kind: 'heard' }>): void;
  /** Before any of its steps ran. */
  moved(thread: PipelineThread): void;
  /** The thread has ended under it; as a bystander where it was ended because of another. */
  lost(reason: string, isBystander: boolean): void;
}

export interface PlacedRequest {
  readonly letter: BeginLetter;
  readonly client: ThreadClient;
}

export interface ThreadHome {
  /** It takes nothing any more. */
  leaves(thread: PipelineThread): void;
  /** What it could not begin goes to another. */
  passOn(requests: readonly PlacedRequest[]): void;
  /** It has nothing to do. */
  rests(thread: PipelineThread): void;
}

const givenTogether = 4;

export class PipelineThread {
  readonly #home: ThreadHome;
  readonly #silentMs: number;
  /** The request whose step runs, or ran last. */
  readonly #current = new Int32Array(new SharedArrayBuffer(4));
  readonly #worker: Worker;
  readonly #clients = new Map<number, ThreadClient>();
  readonly #queued = new Map<number, PlacedRequest>();
  readonly #gone: Promise<void>;
  /** Letters that it has not answered; the first that it owes is that it has started. */
  #unheard = 1;
  #silence: Timer | undefined;
  #hasStarted = false;
  #isSilent = false;
  #isRetired = false;
  #isKilled = false;
  #reason = 'the pipeline thread ended';

  constructor(home: ThreadHome, silentMs: number) {
    this.#home = home;
    this.#silentMs = silentMs;
    const thread = new URL('./thread.js', import.meta.url);
    this.#worker = new Worker(thread, { execArgv: [], workerData: this.#current });
    this.#worker.on('message', (letter: FromPipelineThread) => {
      if (letter.kind === 'heard') this.#heard();
      else this.#clients.get(letter.id)?.hear(letter);
    });
    this.#worker.on('error', (fault) => {
      this.#reason = `the pipeline thread broke down: ${fault.message}`;
    });
    this.#gone = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.#over();
        resolve();
      });
    });
  }

  /** How many requests it has. */
  get load(): number {
    return this.#clients.size + this.#queued.size;
  }

  get isSilent(): boolean {
    return this.#isSilent;
  }

  begin(letter: BeginLetter, client: ThreadClient): void {
    if (this.load === 0 && (this.#unheard === 0 || !this.#hasStarted)) {
      this.#give(letter, client);
      return;
    }
    this.#queued.set(letter.id, { letter, client });
    this.#probe();
  }

  /** Nobody waits for it any more. False: it had not begun, and is out. */
  drop(id: number): boolean {
    if (this.#queued.delete(id)) return false;
    this.#tell({ kind: 'drop', id });
    return true;
  }

  end(id: number): void {
    this.#clients.delete(id);
    if (this.#isRetired) this.#endRetired();
    else if (this.load === 0 && !this.#isKilled) this.#home.rests(this);
  }

  post(letter: ToPipelineThread): void {
    const tensors = letter.kind === 'begin' ? letter.inputs : letter.kind === 'answer' ? letter.outputs : [];
    this.#worker.postMessage(letter, memoryOf(tensors));
  }

  /**
   * A step of a request that has ended still runs, and ought not. A thread that is stuck in it is ended with all that it has;
   * one that answers gets nothing new, and is ended when those whose turn it is are through.
   */
  giveUp(reason: string): void {
    if (this.#isKilled) return;
    this.#reason = `the pipeline thread was ended: ${reason}`;
    if (!this.#isSilent) this.#retire();
    else if (this.#stuckClient()?.isOver !== false) this.#kill();
  }

  async stop(): Promise<void> {
    this.post({ kind: 'stop' });
    await this.#gone;
  }

  #give(letter: BeginLetter, client: ThreadClient): void {
    this.#clients.set(letter.id, client);
    this.post(letter);
  }

  #probe(): void {
    if (this.#queued.size > 0 && this.#unheard === 0) this.#tell({ kind: 'probe' });
  }

  #tell(letter: ToPipelineThread): void {
    this.#unheard++;
    this.post(letter);
    this.#listen();
  }

  /** Starting takes what it takes. */
  #listen(): void {
    if (this.#hasStarted) this.#silence ??= after(this.#silentMs, () => this.#fallSilent(), false);
  }

  #heard(): void {
    this.#unheard--;
    this.#silence?.cancel();
    this.#silence = undefined;
    if (!this.#hasStarted) this.#hasStarted = true;
    else if (this.#unheard === 0) this.#giveSome();
    if (this.#unheard > 0) this.#listen();
    else this.#probe();
  }

  /** Few, for the first step of one may be that which never ends. */
  #giveSome(): void {
    this.#isSilent = false;
    for (const { letter, client } of [...this.#queued.values()].slice(0, givenTogether)) {
      this.#queued.delete(letter.id);
      this.#give(letter, client);
    }
  }

  #fallSilent(): void {
    this.#isSilent = true;
    this.#passOn();
  }

  #passOn(): void {
    const queued = [...this.#queued.values()];
    this.#queued.clear();
    this.#home.passOn(queued);
  }

  #stuckClient(): ThreadClient | undefined {
    const number = Atomics.load(this.#current, 0);
    for (const [id, client] of this.#clients) if ((id | 0) === number) return client;
    return undefined;
  }

  #retire(): void {
    if (this.#isRetired) return;
    this.#isRetired = true;
    this.#home.leaves(this);
    this.#passOn();
    this.#endRetired();
  }

  #endRetired(): void {
    if ([...this.#clients.values()].every(({ isOver }) => isOver)) this.#kill();
  }

  #kill(): void {
    if (this.#isKilled) return;
    this.#isKilled = true;
    this.#home.leaves(this);
    void this.#worker.terminate();
  }

  #over(): void {
    this.#silence?.cancel();
    this.#home.leaves(this);
    const clients = [...this.#clients.values()];
    this.#clients.clear();
    this.#passOn();
    for (const client of clients) client.lost(this.#reason, this.#isKilled);
  }
}
