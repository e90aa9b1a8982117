// The digits that the sample model has never seen, with what they show: to measure it through whatever serves it.
import { readFileSync } from 'node:fs';
import { heldOutFile } from './places.js';

export interface HeldOut {
  /** Each as the model's input wants it: 64 pixels from 0 to 16, row by row. */
  readonly images: readonly Float32Array[];
  readonly labels: readonly number[];
}

/** Pixels are written as digits of base 17. */
const base = 17;

export function heldOutDigits(): HeldOut {
  const { images, labels } = JSON.parse(readFileSync(heldOutFile, 'utf8')) as {
    images: string[];
    labels: string;
  };
  return {
    images: images.map((image) => Float32Array.from(image, (sign) => Number.parseInt(sign, base))),
    labels: Array.from(labels, Number),
  };
}
