// What the main thread and a pipeline thread say to each other. Tensors cross by handing their memory over, never cloned.
import type { ErrorCode } from '../../proto/errors.js';
import type { Tensor } from '../../proto/tensor.js';
import type { Pipeline } from './declaration.js';
import type { StepRequest, Tensors } from './step.js';

export type ToPipelineThread =
  | {
      readonly kind: 'begin';
      readonly id: number;
      readonly pipeline: Pipeline;
      readonly inputs: Tensors;
      readonly parameters: StepRequest['parameters'];
      /** Names in the order wanted; empty: all. */
      readonly outputs: readonly string[];
      readonly leftMs: number;
    }
  /** What the model gave for a piece. */
  | { readonly kind: 'answer'; readonly id: number; readonly piece: number; readonly outputs: Tensors }
  /** The request has ended: nobody waits for it. */
  | { readonly kind: 'drop'; readonly id: number }
  /** Does it answer? */
  | { readonly kind: 'probe' }
  | { readonly kind: 'stop' };

export type FromPipelineThread =
  /** It has started, or was not stuck in a step when it was probed or a request was dropped. */
  | { readonly kind: 'heard' }
  /** A piece for the model. */
  | { readonly kind: 'ask'; readonly id: number; readonly piece: number; readonly inputs: Tensors }
  | { readonly kind: 'done'; readonly id: number; readonly outputs: Tensors }
  | {
      readonly kind: 'failed';
      readonly id: number;
      readonly code: ErrorCode;
      readonly message: string;
    };

/** The tensors in memory that can be handed over: a view on a part of more is copied into memory of its own. */
export function movable(tensors: Tensors): Tensor[] {
  return tensors.map(({ name, datatype, shape, data }) => ({ name, datatype, shape, data: whole(data) }));
}

function whole(data: Uint8Array): Uint8Array {
  const { buffer } = data;
  const isPlain = buffer instanceof ArrayBuffer && !(buffer as { resizable?: boolean }).resizable;
  const isWhole = isPlain && data.byteLength === buffer.byteLength;
  // Not `slice`, which a Buffer has otherwise.
  return isWhole ? new Uint8Array(data.buffer) : Uint8Array.from(data);
}
