// What a model takes and gives, in the form in which requests are held against it. Made once per model and version.
import type { Datatype } from '../../proto/tensor.js';
import { datatypes } from '../../proto/tensor.js';
import type { Padding } from '../models/padding.js';
import type { Pipeline } from '../pipelines/declaration.js';

export interface Port {
  readonly name: string;
  readonly datatype: Datatype;
  /** -1 takes any size. Begins with -1 for the rows where the model batches. */
  readonly shape: readonly number[];
  readonly optional: boolean;
}

export interface Signature extends Omit<Wishes, 'edition'> {
  readonly model: string;
  readonly version: string;
  /** What the actors know the version by. */
  readonly edition: string;
  readonly batches: boolean;
  /** Rows that one request may have; 1 where the model does not batch. */
  readonly rowsMax: number;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly inputAt: ReadonlyMap<string, number>;
  readonly outputAt: ReadonlyMap<string, number>;
  /** Bytes of one row of each input; -1 where its free dimensions or its content decide. */
  readonly rowBytes: readonly number[];
  /** The shape key of a request that names no outputs, where it can be no other; else undefined. */
  readonly onlyKey: string | undefined;
  /** What its requests pass on their way to a tensor model and back; undefined: it is one itself. */
  readonly pipeline?: Pipeline | undefined;
}

/** What the model's configuration says of its requests. */
export interface Wishes {
  readonly deadlineDefaultMs?: number | undefined;
  readonly idempotent: boolean;
  readonly shareIdentical: boolean;
  readonly hedge: boolean;
  /** Fills requests up so that those of different sizes share batches. */
  readonly padding?: Padding | undefined;
  /** Left out: the version itself. */
  readonly edition?: string | undefined;
}

export function makeSignature(
  model: string,
  version: string,
  rowsMax: number,
  inputs: readonly Port[],
  outputs: readonly Port[],
  { deadlineDefaultMs, idempotent, shareIdentical, hedge, padding, edition = version }: Wishes,
): Signature {
  const batches = rowsMax > 0;
  const bare: Signature = {
    model,
    version,
    edition,
    batches,
    rowsMax: batches ? rowsMax : 1,
    inputs,
    outputs,
    inputAt: new Map(inputs.map((port, index) => [port.name, index])),
    outputAt: new Map(outputs.map((port, index) => [port.name, index])),
    rowBytes: inputs.map((port) => rowBytesOf(port, batches)),
    onlyKey: undefined,
    deadlineDefaultMs,
    idempotent,
    shareIdentical,
    hedge,
    padding,
  };
  const only = inputs.every(
    (port) => !port.optional && rowShape(port.shape, batches).every((size) => size >= 0),
  );
  return only
    ? {
        ...bare,
        onlyKey: shapeKeyOf(
          bare,
          inputs.map((port) => port.shape),
          [],
        ),
      }
    : bare;
}

/**
 * Tells which jobs may share a batch: the shape of each input without its rows (`-` where an optional one is left
 * out), then the places of the outputs wanted.
 */
export function shapeKeyOf(
  signature: Signature,
  shapes: readonly (readonly number[] | undefined)[],
  outputs: readonly string[],
): string {
  let key = '';
  for (const shape of shapes) {
    key += `${shape === undefined ? '-' : rowShape(shape, signature.batches).join('x')};`;
  }
  if (outputs.length === 0) return key;
  return `${key}|${outputs.map((name) => signature.outputAt.get(name)).join(',')}`;
}

function rowShape(shape: readonly number[], batches: boolean): readonly number[] {
  return batches ? shape.slice(1) : shape;
}

function rowBytesOf(port: Port, batches: boolean): number {
  let bytes: number = datatypes[port.datatype];
  if (bytes === 0) return -1;
  for (const size of rowShape(port.shape, batches)) {
    if (size < 0) return -1;
    bytes *= size;
  }
  return bytes;
}
