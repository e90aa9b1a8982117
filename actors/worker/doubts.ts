// Whether an invalid answer puts a worker in doubt. The first of a model does; once a golden input has passed after it,
// the blame is the model's, and its next ones count for nothing for a while, or a model that fails on some inputs would
// keep every worker from its work. Too many of them in a row are a doubt all the same.
import { modelKey } from '../../proto/ids.js';

const trustFirstMs = 1000;
const trustMostMs = 10_000;
const inRowMost = 8;

interface Blame {
  until: number;
  trustMs: number;
  inRow: number;
}

export class Doubts {
  private readonly blamed = new Map<string, Blame>();

  /** The run of the model ended well. */
  good(model: string, version: string): void {
    if (this.blamed.size === 0) return;
    const blame = this.blamed.get(modelKey(model, version));
    if (blame !== undefined) blame.inRow = 0;
  }

  /** Its answer was invalid: whether that is a doubt. */
  invalid(model: string, version: string, now: number): boolean {
    const blame = this.blamed.get(modelKey(model, version));
    if (blame === undefined) return true;
    blame.inRow++;
    return now >= blame.until || blame.inRow >= inRowMost;
  }

  /** The device is fine: the model is not. */
  blame(model: string, version: string, now: number): void {
    const key = modelKey(model, version);
    const before = this.blamed.get(key);
    const trustMs = before === undefined ? trustFirstMs : Math.min(before.trustMs * 2, trustMostMs);
    this.blamed.set(key, { until: now + trustMs, trustMs, inRow: 0 });
  }
}
