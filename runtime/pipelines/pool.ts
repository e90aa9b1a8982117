// The pipeline threads of a process as its main thread sees them: started when requests come, each given the next request
// when it has the fewest, and one that is stuck in a step given nothing until it answers again or is replaced.
import { PipelineThread, type PlacedRequest, type ThreadHome } from './threads.js';

export class PipelinePool {
  readonly #countMax: number;
  readonly #silentMs: number;
  readonly #threads = new Set<PipelineThread>();
  readonly #home: ThreadHome;
  #isClosed = false;

  constructor(countMax: number, silentMs: number) {
    this.#countMax = countMax;
    this.#silentMs = silentMs;
    this.#home = {
      leaves: (thread) => this.#threads.delete(thread),
      passOn: (requests) => this.#passOn(requests),
      rests: (thread) => this.#trim(thread),
    };
  }

  /** The least busy thread that answers; a new one while all are busy and there may be more. */
  thread(): PipelineThread {
    const threads = [...this.#threads];
    const answering = threads.filter(({ isSilent }) => !isSilent);
    const best = leastBusy(answering);
    if (best?.load === 0) return best;
    // In the place of those that are stuck others are started, and at most as many once more.
    const mayGrow = answering.length < this.#countMax && threads.length < 2 * this.#countMax;
    if (!mayGrow) return best ?? (leastBusy(threads) as PipelineThread);
    const thread = new PipelineThread(this.#home, this.#silentMs);
    this.#threads.add(thread);
    if (this.#isClosed) thread.stop();
    return thread;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#threads].map((thread) => thread.stop()));
  }

  #passOn(requests: readonly PlacedRequest[]): void {
    for (const { letter, client } of requests) {
      if (this.#isClosed) {
        client.lost('the pipeline threads have been stopped', true);
        continue;
      }
      const thread = this.thread();
      client.moved(thread);
      thread.begin(letter, client);
    }
  }

  /** One that got free again while others had taken its place is one too many. */
  #trim(thread: PipelineThread): void {
    if (this.#threads.size <= this.#countMax || this.#isClosed) return;
    if (this.#threads.delete(thread)) void thread.stop();
  }
}

function leastBusy(threads: readonly PipelineThread[]): PipelineThread | undefined {
  return threads.reduce<PipelineThread | undefined>(
    (best, thread) => (best === undefined || thread.load < best.load ? thread : best),
    undefined,
  );
}
