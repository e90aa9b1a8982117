// What makes two requests the same: model, version, outputs, shapes and every byte. By a strong hash, since whoever
// shares a run gets the answer to the other's request.
import { createHash } from 'node:crypto';
import type { RequestTensor } from './request.js';
import { type Signature, shapeKeyOf } from './signature.js';

/** `tensors` in the order of the model's inputs; undefined where an optional one was left out. */
export function identityOf(
  signature: Signature,
  tensors: readonly (RequestTensor | undefined)[],
  outputs: readonly string[],
): string {
  const { model, version, batches } = signature;
  const rows = batches ? tensors.find((tensor) => tensor !== undefined)?.shape[0] : 1;
  const shapes = shapeKeyOf(
    signature,
    tensors.map((tensor) => tensor?.shape),
    outputs,
  );
  const hash = createHash('sha256').update(`${model}:${version}:${rows}:${shapes}`);
  for (const tensor of tensors) {
    if (tensor === undefined) continue;
    // With its length before it no byte can pass for one of the next tensor.
    hash.update(`;${tensor.data.length};`).update(tensor.data);
  }
  return hash.digest('base64');
}
