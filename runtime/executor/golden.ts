// Golden inputs: of each loaded model one input whose right answer is known, given by its owner or recorded when the model
// was first loaded. A worker whose model answers it otherwise is not to be trusted with any other.
import type { Golden } from '../../actors/facts.js';
import type { RunResult } from './executor.js';
import { type Answer, answerOf, difference } from './golden-answer.js';
import { type GoldenInput, goldenFile, madeUp, readGoldenFile } from './golden-input.js';
import type { GoldenRecords } from './golden-records.js';
import type { LoadOrder } from './order.js';

type Ask = (input: GoldenInput) => Promise<RunResult>;

interface Known {
  readonly order: LoadOrder;
  readonly input: () => GoldenInput;
  readonly answer: Answer;
}

export interface Proof {
  readonly golden: Golden;
  /** How its answer was another; empty when it was not. */
  readonly failed: string;
}

const unproved: Proof = { golden: 'none', failed: '' };

/** Of a warm run: a model that takes longer is only proved with what its owner gives, for its worker waits for that. */
export const madeUpMostMs = 250;
/** The same where there is a record already: a machine that is busy today is no reason to go unproved. */
const recordedMostMs = 8 * madeUpMostMs;

export class GoldenInputs {
  readonly #known = new Map<string, Known>();
  readonly #records: GoldenRecords;
  readonly #note: (event: string, fields: Record<string, string>) => void;

  constructor(records: GoldenRecords, note: (event: string, fields: Record<string, string>) => void) {
    this.#records = records;
    this.#note = note;
  }

  /** Of a model that was just loaded, and how long its warm run took. Rejects with a sentence where its owner's file can't be used. */
  async prove(order: LoadOrder, runMs: number, ask: Ask): Promise<Proof> {
    this.#known.delete(order.key);
    if (order.golden === undefined) return unproved;
    const given = await readGoldenFile(order);
    if (given !== undefined) return this.#check(order, () => given.input, given.answer, ask);
    const recorded = runMs <= recordedMostMs ? await this.#records.find(order) : undefined;
    if (recorded !== undefined)
      return this.#check(order, () => madeUp(order, recorded.isBlank), recorded.answer, ask);
    if (runMs <= madeUpMostMs) {
      await this.#compare(order, ask);
      return this.#record(order, ask);
    }
    const reason = `a run takes ${Math.round(runMs)} ms, more than the ${madeUpMostMs} ms that a made-up input may take`;
    return this.#noneFor(order, reason);
  }

  /** Why the answer of the first that fails is another; empty when none does. */
  async probe(keys: readonly string[], ask: (key: string) => Ask | undefined): Promise<string> {
    for (const key of keys) {
      const known = this.#known.get(key);
      const run = ask(key);
      if (known === undefined || run === undefined) continue;
      const failed = differs(known, await run(known.input()));
      if (failed !== '') return `${key}: ${failed}`;
    }
    return '';
  }

  async #check(order: LoadOrder, input: () => GoldenInput, answer: Answer, ask: Ask): Promise<Proof> {
    const known = { order, input, answer };
    const failed = differs(known, await ask(input()));
    if (failed === '') this.#known.set(order.key, known);
    return { golden: 'passed', failed };
  }

  /** With what was recorded on the CPU, if anything was. Rejects where a device that is asked first computes otherwise. */
  async #compare(order: LoadOrder, ask: Ask): Promise<void> {
    const known = order.device === 'cpu' ? undefined : await this.#records.find({ ...order, device: 'cpu' });
    if (known === undefined) return;
    const given = await ask(madeUp(order, known.isBlank));
    const other = differs({ order, answer: known.answer }, given);
    if (other === '') return;
    throw new Error(
      `it does not compute what the CPU does: ${other}; where that is right, raise golden.tolerance, or set golden.use: off`,
    );
  }

  async #record(order: LoadOrder, ask: Ask): Promise<Proof> {
    let why = '';
    for (const isBlank of [false, true]) {
      const input = () => madeUp(order, isBlank);
      const first = await ask(input());
      if (!first.ok) {
        why = first.reason;
        continue;
      }
      const answer = answerOf(first.outputs);
      const known = { order, input, answer };
      why = differs(known, await ask(input()));
      if (why !== '') break;
      await this.#records.keep(order, { isBlank, answer });
      this.#known.set(order.key, known);
      return { golden: 'recorded', failed: '' };
    }
    return this.#noneFor(order, `no made-up input gives the same answer twice: ${why}`);
  }

  #noneFor({ model, version }: LoadOrder, why: string): Proof {
    const reason = `${why}: give one in ${goldenFile}`;
    this.#note('golden.none', { model, version, reason });
    return unproved;
  }
}

function differs({ order, answer }: Pick<Known, 'order' | 'answer'>, result: RunResult): string {
  if (!result.ok) return `its golden input ended as ${result.code}: ${result.reason}`;
  return difference(answer, answerOf(result.outputs), order.golden?.tolerance ?? 0);
}
