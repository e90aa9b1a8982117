// What the main thread and the compute thread say to each other. Bytes cross by handing their memory over, never cloned.
import type { Tensor, TensorHeader } from '../../proto/tensor.js';
import type { Layout } from './gather.js';
import type { LoadOrder } from './order.js';
import type { Outcome } from './shelf.js';

export type ToThread =
  | { readonly kind: 'load'; readonly id: number; readonly order: LoadOrder }
  | { readonly kind: 'warmup' | 'measure'; readonly id: number; readonly key: string; readonly rows: number }
  | { readonly kind: 'unload'; readonly id: number; readonly key: string }
  | { readonly kind: 'stop'; readonly id: number }
  | RunLetter;

export interface RunLetter {
  readonly kind: 'run';
  readonly id: number;
  readonly key: string;
  readonly headers: readonly TensorHeader[];
  readonly layout: Layout;
  readonly memory: ArrayBuffer;
  readonly rows: number;
  /** Of these rows the first so many are asked for. */
  readonly own: number;
  readonly outputs: readonly string[];
}

export type FromThread =
  | {
      readonly kind: 'done';
      readonly id: number;
      readonly reason: string;
      readonly runMs: number;
      /** Of a model that was loaded: what of it runs elsewhere. */
      readonly partly: string;
    }
  | {
      readonly kind: 'ran';
      readonly id: number;
      readonly outcome: Outcome;
      /** The run's memory, given back to be used again; undefined when an output lies in it. */
      readonly memory: ArrayBuffer | undefined;
    };

/** Each piece of memory once, however many tensors lie in it. */
export function memoryOf(tensors: readonly Tensor[]): ArrayBuffer[] {
  const found: ArrayBuffer[] = [];
  for (const { data } of tensors) {
    const memory = data.buffer as ArrayBuffer;
    if (!found.includes(memory)) found.push(memory);
  }
  return found;
}
