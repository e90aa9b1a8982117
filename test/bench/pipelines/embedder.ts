// minilm without a server, in this process: texts to tokens, batches as large and as well sorted as is best for it, and
// vectors out. Variants are held against each other here, too.
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { Tokenizer } from '../../../runtime/pipelines/text/tokenizer.js';
import { waitedMs } from '../../processes/proc.js';

export const tokensMax = 256;
const batchSizes = [8, 16, 32];

type Ids = readonly number[];

export interface Pace {
  readonly perSecond: number;
  /** The same, as if nothing else had wanted the cores. */
  readonly perSecondOwnCore: number;
  readonly cpuMsEach: number;
}

export function openTokenizer(models: string): Promise<Tokenizer> {
  return Tokenizer.open(join(models, 'minilm'), tokensMax);
}

export class Embedder {
  private readonly session: ort.InferenceSession;

  private constructor(session: ort.InferenceSession) {
    this.session = session;
  }

  static async open(file: string, threads = 1): Promise<Embedder> {
    const session = await ort.InferenceSession.create(file, {
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: 'all',
      extra: { session: { intra_op: { allow_spinning: '0' } } },
    });
    return new Embedder(session);
  }

  async run(texts: readonly Ids[]): Promise<void> {
    const length = Math.max(...texts.map((ids) => ids.length));
    const ids = new BigInt64Array(texts.length * length);
    const mask = new BigInt64Array(texts.length * length);
    for (const [row, text] of texts.entries()) {
      for (const [at, id] of text.entries()) ids[row * length + at] = BigInt(id);
      mask.fill(1n, row * length, row * length + text.length);
    }
    const shape = [texts.length, length];
    await this.session.run({
      input_ids: new ort.Tensor('int64', ids, shape),
      attention_mask: new ort.Tensor('int64', mask, shape),
    });
  }

  /** At the size of batches that does most, sorted by length. */
  async best(texts: readonly string[], tokenizer: Tokenizer): Promise<Pace> {
    let best: Pace | undefined;
    for (const batch of batchSizes) {
      const pace = await this.flatOut(texts, tokenizer, batch);
      if (best === undefined || pace.cpuMsEach < best.cpuMsEach) best = pace;
    }
    return best as Pace;
  }

  private async flatOut(texts: readonly string[], tokenizer: Tokenizer, batch: number): Promise<Pace> {
    const [cpu, waited, began] = [process.cpuUsage(), waitedMs(process.pid), performance.now()];
    const sorted = texts.map((text) => tokenizer.encode(text).ids).sort((a, b) => a.length - b.length);
    for (let at = 0; at < sorted.length; at += batch) await this.run(sorted.slice(at, at + batch));
    const tookMs = performance.now() - began;
    const { user, system } = process.cpuUsage(cpu);
    return {
      perSecond: (texts.length * 1000) / tookMs,
      perSecondOwnCore: (texts.length * 1000) / (tookMs - (waitedMs(process.pid) - waited)),
      cpuMsEach: (user + system) / 1000 / texts.length,
    };
  }

  /** Processor time, which others on the machine do not take. */
  async cpuMs(texts: readonly Ids[]): Promise<number> {
    const before = process.cpuUsage();
    await this.run(texts);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  }

  end(): Promise<void> {
    return this.session.release();
  }
}
