// Holds a request against the model that it names: either it becomes a submission, or the sentence says which input,
// what was given and what is wanted.
import { SignalboxError } from '../../proto/errors.js';
import { limits } from '../../proto/limits.js';
import {
  byteSize,
  bytesElementOffsets,
  type Datatype,
  datatypes,
  elementCount,
  isDatatype,
  type TensorHeader,
} from '../../proto/tensor.js';
import type { DoorOptions } from './door.js';
import type { Engine, Submission } from './engine.js';
import { identityOf } from './identity.js';
import {
  type InferRequest,
  invalidInput,
  type Parameters,
  priorityOf,
  type RequestTensor,
  timeoutMs,
  wrongSizes,
} from './request.js';
import { list, portText, quote, shapeText } from './sentence.js';
import { type Port, type Signature, shapeKeyOf } from './signature.js';

const noParameters: Parameters = new Map();

export interface Judge {
  readonly engine: Pick<Engine, 'turnedAway'>;
  readonly options: DoorOptions;
}

/** `leftMs`: until the client's deadline, if it has one. `spentMs`: of the time that its parameters allow, already. */
export function submissionOf(
  signature: Signature,
  request: InferRequest,
  leftMs: number,
  judge: Judge,
  spentMs = 0,
): Submission {
  const { options } = judge;
  const tensors = inOrder(signature, request.inputs);
  checkOutputs(signature, request.outputs);
  const rows = checkInputs(signature, tensors);
  const padded = signature.padding?.pad(tensors);
  const sent = padded?.tensors ?? tensors;
  let bytes = 0;
  const inputs: TensorHeader[] = [];
  const payload: Uint8Array[] = [];
  for (const tensor of sent) {
    if (tensor === undefined) continue;
    bytes += tensor.data.length;
    // Without its data: the spec outlives that.
    inputs.push({ name: tensor.name, datatype: tensor.datatype as Datatype, shape: tensor.shape });
    payload.push(tensor.data);
  }
  const spec = {
    model: signature.model,
    version: signature.edition,
    rows,
    shapeKey: keyOf(signature, sent, request.outputs),
    inputs,
    outputs: request.outputs,
    bytes,
    priority: priorityOf(request.parameters, options.priorityLevels, options.priorityDefault),
    budgetMs: budgetOf(signature, request, leftMs, judge, spentMs),
    idempotent: signature.idempotent,
    identity: signature.shareIdentical ? identityOf(signature, tensors, request.outputs) : '',
    hedge: signature.hedge,
  };
  const { pipeline } = signature;
  const passing = pipeline && { pipeline, parameters: request.parameters ?? noParameters };
  return { spec, payload, restore: padded?.restore, passing };
}

/** The rows of the request. */
function checkInputs(signature: Signature, tensors: readonly (RequestTensor | undefined)[]): number {
  let first: RequestTensor | undefined;
  let rows = 1;
  for (let index = 0; index < tensors.length; index++) {
    const tensor = tensors[index];
    if (tensor === undefined) continue;
    checkShape(signature, signature.inputs[index] as Port, tensor);
    const own = signature.batches ? (tensor.shape[0] as number) : 1;
    checkRows(signature, tensor, own, rows, first);
    checkBytes(signature, index, tensor, own);
    first ??= tensor;
    rows = own;
  }
  return rows;
}

/** The tensors in the order of the model's inputs; undefined where an optional one was left out. */
function inOrder(signature: Signature, given: readonly RequestTensor[]): (RequestTensor | undefined)[] {
  const ports = signature.inputs;
  const ordered = new Array<RequestTensor | undefined>(ports.length).fill(undefined);
  for (let index = 0; index < given.length; index++) {
    const tensor = given[index] as RequestTensor;
    const at = ports[index]?.name === tensor.name ? index : (signature.inputAt.get(tensor.name) ?? -1);
    const port = ports[at];
    if (port === undefined) {
      throw invalidInput(
        `${model(signature)} has no input ${quote(tensor.name)}; its inputs are ${ports.map(portText).join(', ')}`,
      );
    }
    if (ordered[at] !== undefined) {
      throw invalidInput(`input ${quote(tensor.name)} of ${model(signature)} is given twice`);
    }
    if (tensor.datatype !== port.datatype) throw wrongDatatype(signature, tensor, port);
    ordered[at] = tensor;
  }
  if (given.length < ports.length) {
    const missing = ports.filter((port, at) => ordered[at] === undefined && !port.optional);
    if (missing.length > 0) {
      throw invalidInput(
        `${model(signature)} misses input ${missing.map(portText).join(', ')}; given are: ` +
          list(given.map((tensor) => tensor.name)),
      );
    }
  }
  return ordered;
}

function wrongDatatype(signature: Signature, tensor: RequestTensor, port: Port): SignalboxError {
  const known = isDatatype(tensor.datatype)
    ? ''
    : ` (the datatypes are ${Object.keys(datatypes).join(', ')})`;
  const given = tensor.datatype === '' ? 'no datatype' : `datatype ${quote(tensor.datatype)}`;
  return invalidInput(
    `input ${quote(tensor.name)} of ${model(signature)} is given with ${given}, wanted is ${port.datatype}${known}`,
  );
}

function checkShape(signature: Signature, port: Port, tensor: RequestTensor): void {
  const { shape } = tensor;
  const wanted = port.shape;
  let fits = shape.length === wanted.length;
  for (let at = 0; fits && at < wanted.length; at++) {
    const size = shape[at] as number;
    // None is a size too: a language model's first step has a past of no length.
    fits = size === wanted[at] || (wanted[at] === -1 && Number.isSafeInteger(size) && size >= 0);
  }
  if (fits && elementCount(shape) >= 0) return;
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) throw wrongSizes(tensor.name, shape);
  const why = fits ? ', which has more elements than can be counted' : '';
  throw invalidInput(
    `input ${quote(tensor.name)} of ${model(signature)} is given with shape ${shapeText(shape)}${why}; wanted is ` +
      `${shapeText(wanted)}${wanted.includes(-1) ? ' where -1 takes any size' : ''}` +
      `${signature.batches ? ` and the first dimension counts up to ${signature.rowsMax} rows` : ''}`,
  );
}

function checkRows(
  signature: Signature,
  tensor: RequestTensor,
  rows: number,
  before: number,
  first: RequestTensor | undefined,
): void {
  const rowsMax = Math.min(signature.rowsMax, limits.rowsPerJobMax);
  if (rows < 1 || rows > rowsMax) {
    throw invalidInput(
      `input ${quote(tensor.name)} of ${model(signature)} is given with ${rows} rows (shape ${shapeText(tensor.shape)}), ` +
        `wanted are 1 to ${rowsMax} in one request`,
    );
  }
  if (first !== undefined && before !== rows) {
    throw invalidInput(
      `input ${quote(tensor.name)} of ${model(signature)} has ${rows} rows and input ${quote(first.name)} has ` +
        `${before}: all inputs of a request have the same first dimension`,
    );
  }
}

function checkBytes(signature: Signature, index: number, tensor: RequestTensor, rows: number): void {
  const row = signature.rowBytes[index] as number;
  const { data } = tensor;
  if (row >= 0 ? row * rows === data.length : byteSize(tensor as TensorHeader) === data.length) return;
  const where = `input ${quote(tensor.name)} of ${model(signature)}`;
  if (tensor.datatype === 'BYTES') {
    const fault = bytesElementOffsets(data, elementCount(tensor.shape));
    if (typeof fault !== 'string') return;
    throw invalidInput(
      `${where} of shape ${shapeText(tensor.shape)} is no list of BYTES elements (each a 4-byte little-endian length, ` +
        `then its bytes): ${fault}`,
    );
  }
  const wanted = BigInt(elementCount(tensor.shape)) * BigInt(datatypes[tensor.datatype as 'FP32']);
  throw invalidInput(
    `${where} has ${data.length} bytes of data; ${tensor.datatype} of shape ${shapeText(tensor.shape)} takes ${wanted}`,
  );
}

function checkOutputs(signature: Signature, wanted: readonly string[]): void {
  for (let index = 0; index < wanted.length; index++) {
    const name = wanted[index] as string;
    if (!signature.outputAt.has(name)) {
      throw invalidInput(
        `${model(signature)} has no output ${quote(name)}; its outputs are ${signature.outputs.map(portText).join(', ')}`,
      );
    }
    if (wanted.indexOf(name) !== index) {
      throw invalidInput(`output ${quote(name)} of ${model(signature)} is asked for twice`);
    }
  }
}

function keyOf(
  signature: Signature,
  tensors: readonly (RequestTensor | undefined)[],
  outputs: readonly string[],
): string {
  if (signature.onlyKey !== undefined && outputs.length === 0) return signature.onlyKey;
  return shapeKeyOf(
    signature,
    tensors.map((tensor) => tensor?.shape),
    outputs,
  );
}

function budgetOf(
  signature: Signature,
  request: InferRequest,
  leftMs: number,
  { engine, options }: Judge,
  spentMs: number,
): number {
  const budgetMs = Math.min(leftMs, timeoutMs(request.parameters) - spentMs);
  if (budgetMs === Number.POSITIVE_INFINITY) {
    return Math.min(signature.deadlineDefaultMs ?? options.deadlineDefaultMs, options.deadlineMaxMs);
  }
  if (budgetMs > 0) return Math.min(budgetMs, options.deadlineMaxMs);
  engine.turnedAway(signature.model, signature.version, 'DEADLINE_PAST');
  const agoMs = Math.round(-budgetMs * 10) / 10;
  throw new SignalboxError(
    'DEADLINE_PAST',
    `the deadline had passed ${agoMs} ms before the request was read; ${model(signature)} was not asked`,
  );
}

function model(signature: Signature): string {
  return `model ${quote(signature.model)}`;
}
