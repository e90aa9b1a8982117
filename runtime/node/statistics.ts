// Counts and sums per model since the start, in the shape in which clients of the statistics call expect them.
import type { Slice } from '../../actors/effects.js';
import type { ErrorCode } from '../../proto/errors.js';
import { modelKey, versionOf } from '../../proto/ids.js';
import type { JobStep } from '../../proto/job.js';
import type { ModelCounters } from '../doors/engine.js';

class Sum {
  count = 0;
  ms = 0;

  add(ms: number): void {
    this.count++;
    this.ms += ms;
  }
}

class Counters implements ModelCounters {
  lastInferenceMs = 0;
  inferenceCount = 0;
  executionCount = 0;
  readonly success = new Sum();
  readonly fail = new Sum();
  readonly codes = new Map<ErrorCode, number>();
  readonly queue = new Sum();
  readonly computeInput = new Sum();
  readonly computeInfer = new Sum();
  readonly computeOutput = new Sum();
  readonly batches = new Map<number, { computeInput: Sum; computeInfer: Sum; computeOutput: Sum }>();
}

const nothing: ModelCounters = new Counters();

export class Statistics {
  private readonly models = new Map<string, Counters>();

  of(model: string, version: string): ModelCounters {
    return this.models.get(modelKey(model, version)) ?? nothing;
  }

  /** A request that was answered; `isRun`: by a run that is not counted yet. */
  answered(model: string, version: string, slice: Slice, wallMs: number, isRun: boolean): void {
    const counters = this.countersOf(model, version);
    const { times } = slice;
    const { queueMs, computeInputMs, computeMs, computeOutputMs } = times;
    counters.lastInferenceMs = wallMs;
    counters.inferenceCount += slice.rows;
    counters.success.add(queueMs + computeInputMs + computeMs + computeOutputMs);
    counters.queue.add(queueMs);
    counters.computeInput.add(computeInputMs);
    counters.computeInfer.add(computeMs);
    counters.computeOutput.add(computeOutputMs);
    if (!isRun) return;
    counters.executionCount++;
    let batch = counters.batches.get(slice.rowsTotal);
    if (batch === undefined) {
      batch = { computeInput: new Sum(), computeInfer: new Sum(), computeOutput: new Sum() };
      counters.batches.set(slice.rowsTotal, batch);
    }
    batch.computeInput.add(computeInputMs);
    batch.computeInfer.add(computeMs);
    batch.computeOutput.add(computeOutputMs);
  }

  /** A request that was answered by the steps of a model and another model's runs. */
  passed(model: string, version: string, path: readonly JobStep[], wallMs: number): void {
    const counters = this.countersOf(model, version);
    const begun = path.find(({ state }) => state === 'before');
    counters.lastInferenceMs = wallMs;
    counters.inferenceCount++;
    counters.success.add(path.at(-1)?.afterMs ?? 0);
    counters.queue.add(begun?.afterMs ?? 0);
  }

  /** One that was not, and why. */
  failed(model: string, version: string, code: ErrorCode): void {
    const { fail, codes } = this.countersOf(model, version);
    fail.add(0);
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }

  private countersOf(model: string, version: string): Counters {
    const key = modelKey(model, versionOf(version));
    let counters = this.models.get(key);
    if (counters === undefined) {
      counters = new Counters();
      this.models.set(key, counters);
    }
    return counters;
  }
}
