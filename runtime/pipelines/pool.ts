// The pipeline threads of a process as its main thread sees them: started when the first requests come, each given the
// next request when it has the fewest, and replaced when one breaks down.
import { Worker } from 'node:worker_threads';
import { memoryOf } from '../executor/letters.js';
import type { FromPipelineThread, ToPipelineThread } from './letters.js';

export interface ThreadClient {
  hear(letter: FromPipelineThread): void;
  /** The thread has ended under it; as a bystander where it was ended because of another. */
  lost(reason: string, isBystander: boolean): void;
}

export class PipelinePool {
  readonly #countMax: number;
  readonly #threads = new Set<PipelineThread>();
  #isClosed = false;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** The least busy thread; a new one while all are busy and there may be more. */
  thread(): PipelineThread {
    let best: PipelineThread | undefined;
    for (const thread of this.#threads) if (best === undefined || thread.load < best.load) best = thread;
    if (best !== undefined && (best.load === 0 || this.#threads.size >= this.#countMax)) return best;
    const thread = new PipelineThread(() => this.#threads.delete(thread));
    this.#threads.add(thread);
    if (this.#isClosed) thread.stop();
    return thread;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#threads].map((thread) => thread.stop()));
  }
}

export class PipelineThread {
  readonly #worker = new Worker(new URL('./thread.js', import.meta.url), { execArgv: [] });
  readonly #clients = new Map<number, ThreadClient>();
  readonly #gone: Promise<void>;
  readonly #ended: () => void;
  #reason = 'the pipeline thread ended';
  #isKilled = false;

  constructor(ended: () => void) {
    this.#ended = ended;
    this.#worker.on('message', (letter: FromPipelineThread) => this.#clients.get(letter.id)?.hear(letter));
    this.#worker.on('error', (fault) => {
      this.#reason = `the pipeline thread broke down: ${fault.message}`;
    });
    this.#gone = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        ended();
        for (const client of this.#clients.values()) client.lost(this.#reason, this.#isKilled);
        this.#clients.clear();
        resolve();
      });
    });
  }

  /** How many requests it has. */
  get load(): number {
    return this.#clients.size;
  }

  begin(letter: Extract<ToPipelineThread, { kind: 'begin' }>, client: ThreadClient): void {
    this.#clients.set(letter.id, client);
    this.post(letter);
  }

  end(id: number): void {
    this.#clients.delete(id);
  }

  post(letter: ToPipelineThread): void {
    const tensors = letter.kind === 'begin' ? letter.inputs : letter.kind === 'answer' ? letter.outputs : [];
    this.#worker.postMessage(letter, memoryOf(tensors));
  }

  /** Ends it whatever it does, and with it all that it has; nothing more is given to it. */
  kill(reason: string): void {
    this.#ended();
    this.#isKilled = true;
    this.#reason = `the pipeline thread was ended: ${reason}`;
    void this.#worker.terminate();
  }

  async stop(): Promise<void> {
    this.post({ kind: 'stop' });
    await this.#gone;
  }
}
