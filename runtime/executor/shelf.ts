// The models that one thread holds. Loads them, warms them up, runs batches and looks at every answer before it leaves;
// the same code serves the main thread and the compute thread.
import { byteSize, type Tensor } from '../../proto/tensor.js';
import { now } from '../clock.js';
import { BackendError, findBackend, type LoadedModel } from './backend.js';
import type { RunFailure } from './executor.js';
import { findNotFinite } from './finite.js';
import type { LoadOrder } from './order.js';
import { measured, warmed } from './warming.js';

export type Outcome =
  | {
      readonly ok: true;
      readonly outputs: readonly Tensor[];
      readonly computeMs: number;
      readonly outputMs: number;
    }
  | { readonly ok: false; readonly code: RunFailure['code']; readonly reason: string };

interface Shelved {
  readonly order: LoadOrder;
  readonly model: LoadedModel;
  readonly outputs: readonly string[];
  runs: number;
  /** Set when the model is to go as soon as no run uses it. */
  idle: (() => void) | undefined;
}

export class Shelf {
  readonly #models = new Map<string, Shelved>();

  get size(): number {
    return this.#models.size;
  }

  /** Tells what of it runs elsewhere. Rejects with a sentence. A model of the same key is replaced. */
  async load(order: LoadOrder): Promise<string> {
    const backend = await findBackend(order.backend);
    const model = await backend.load(order);
    await this.unload(order.key);
    this.#models.set(order.key, { order, model, outputs: namesOf(order), runs: 0, idle: undefined });
    return model.partly ?? '';
  }

  /** Milliseconds of a warm run; 0 when that can't be told. */
  async warmup(key: string, rows: number): Promise<number> {
    const shelved = this.#models.get(key);
    return shelved === undefined ? 0 : warmed(shelved.model, shelved.order, rows);
  }

  async measure(key: string, rows: number): Promise<number> {
    const shelved = this.#models.get(key);
    return shelved === undefined ? 0 : measured(shelved.model, shelved.order, rows);
  }

  async unload(key: string): Promise<void> {
    const shelved = this.#models.get(key);
    if (shelved === undefined) return;
    this.#models.delete(key);
    if (shelved.runs > 0) {
      await new Promise<void>((resolve) => {
        shelved.idle = resolve;
      });
    }
    await shelved.model.unload();
  }

  async unloadAll(): Promise<void> {
    for (const key of [...this.#models.keys()]) await this.unload(key);
  }

  /** Never rejects. Of the rows the first `own` are asked for, others only fill the batch up. */
  async run(
    key: string,
    inputs: readonly Tensor[],
    rows: number,
    wanted: readonly string[],
    own = rows,
  ): Promise<Outcome> {
    const shelved = this.#models.get(key);
    if (shelved === undefined)
      return { ok: false, code: 'MODEL_FAILED', reason: `${key} is not loaded here` };
    const startedAt = now();
    shelved.runs += 1;
    try {
      const names = wanted.length === 0 ? shelved.outputs : wanted;
      const outputs = await shelved.model.infer({ inputs, rows, outputs: names });
      const computedAt = now();
      const { batches, finite } = shelved.order;
      const fault =
        findWrongOutput(outputs, names, batches ? rows : undefined) ??
        (finite ? findNotFinite(outputs, batches ? own : undefined) : undefined);
      if (fault !== undefined) return { ok: false, code: 'RESULT_INVALID', reason: fault };
      return { ok: true, outputs, computeMs: computedAt - startedAt, outputMs: now() - computedAt };
    } catch (error) {
      if (error instanceof BackendError) return { ok: false, code: error.code, reason: error.message };
      return {
        ok: false,
        code: 'MODEL_FAILED',
        reason: error instanceof Error ? error.message : String(error),
      };
    } finally {
      shelved.runs -= 1;
      if (shelved.runs === 0) shelved.idle?.();
    }
  }
}

function namesOf(order: LoadOrder): string[] {
  return order.outputs.map((output) => output.name);
}

function findWrongOutput(
  outputs: readonly Tensor[],
  names: readonly string[],
  rows: number | undefined,
): string | undefined {
  if (outputs.length !== names.length)
    return `the model gave ${outputs.length} outputs, wanted are ${names.length}`;
  for (const output of outputs) {
    const shown = `output ${output.name} ${output.datatype} [${output.shape}]`;
    const wanted = byteSize(output);
    if (wanted >= 0 && output.data.byteLength !== wanted) {
      return `${shown} has ${output.data.byteLength} bytes, wanted are ${wanted}`;
    }
    if (rows !== undefined && output.shape[0] !== rows) return `${shown} has not the batch's ${rows} rows`;
  }
  return undefined;
}
