// Texts asked of minilm on a node, so many requests in flight, by a lean client; and what that costs: by the clock, in
// processor time, and without the time in which the thread that computes stood ready and had no core.
import { textRequestBytes } from '../../processes/client.js';
import type { RunningNode } from '../../processes/harness.js';
import { cpuMsOf, threadsCpuMsOf, waitedMs } from '../../processes/proc.js';
import { type Answer, Asker } from '../floor/asker.js';
import { framed } from '../floor/loader.js';
import type { Pace } from './embedder.js';

/** A busy machine is slow, which is no reason to refuse. */
const timeoutMs = 300_000;
const sessions = 4;

export interface Offered {
  readonly textsEach: number;
  readonly inFlight: number;
}

export interface Served extends Pace {
  /** Of the node's own process, client excluded. */
  readonly nodeCpuMsEach: number;
}

export class EmbedLoad {
  readonly #node: RunningNode;
  readonly #asker: Asker;

  private constructor(node: RunningNode, asker: Asker) {
    this.#node = node;
    this.#asker = asker;
  }

  static async on(node: RunningNode): Promise<EmbedLoad> {
    return new EmbedLoad(node, await new Asker(node.grpcPort, sessions).connected());
  }

  async run(texts: readonly string[], { textsEach, inFlight }: Offered): Promise<Served> {
    const bodies: Buffer[] = [];
    for (let at = 0; at < texts.length; at += textsEach) {
      bodies.push(framed(textRequestBytes('minilm', texts.slice(at, at + textsEach), timeoutMs)));
    }
    const workers = this.#node.workers().map(({ pid }) => pid);
    const computing = workers.map((pid) => ({ pid, thread: busiestOf(pid) }));
    const waitedOf = (): number =>
      computing.reduce((sum, { pid, thread }) => sum + waitedMs(pid, thread), 0) / computing.length;
    const [cpu, nodeCpu, waited] = [cpuMsOf(workers), cpuMsOf([this.#node.pid]), waitedOf()];
    const began = performance.now();
    await Promise.all(Array.from({ length: inFlight }, () => this.#client(bodies)));
    const tookMs = performance.now() - began;
    return {
      perSecond: (texts.length * 1000) / tookMs,
      perSecondOwnCore: (texts.length * 1000) / (tookMs - (waitedOf() - waited)),
      cpuMsEach: (cpuMsOf(workers) - cpu) / texts.length,
      nodeCpuMsEach: (cpuMsOf([this.#node.pid]) - nodeCpu) / texts.length,
    };
  }

  end(): void {
    this.#asker.break();
  }

  /** Takes the next body as long as there is one. */
  async #client(bodies: Buffer[]): Promise<void> {
    for (let body = bodies.shift(); body !== undefined; body = bodies.shift()) {
      const sent = body;
      const { status, code } = await new Promise<Answer>((resolve) => {
        this.#asker.ask(sent, undefined, resolve);
      });
      if (status !== '0') throw new Error(`a text was answered with gRPC status ${status} ${code}`);
    }
  }
}

/** The thread of a worker that has cost most is the one that computes. */
function busiestOf(pid: number): number {
  const [first] = [...threadsCpuMsOf(pid)].sort(([, a], [, b]) => b - a);
  return first?.[0] ?? pid;
}
