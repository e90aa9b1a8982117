// Between the tensors of bytes that this house hands about and the typed ones of a user's module: inputs are views,
// outputs are looked at closely and copied, for the module may keep its own.
import {
  byteSize,
  type Datatype,
  elementCount,
  type Tensor,
  type TensorHeader,
} from '../../../proto/tensor.js';
import { AnswerError, BackendError, type Batch } from '../backend.js';
import { arrayNameOf, bytesOf, isArrayOf, readBytes, viewElements, writeStrings } from '../elements.js';
import type { LoadOrder } from '../order.js';
import type { OwnTensor } from '../own.js';

export function ownInputs(order: LoadOrder, inputs: readonly Tensor[]): OwnTensor[] {
  return order.inputs.flatMap(({ name }) => {
    const input = inputs.find((tensor) => tensor.name === name);
    return input === undefined ? [] : [{ ...input, data: dataOf(input) }];
  });
}

function dataOf({ name, datatype, shape, data }: Tensor): OwnTensor['data'] {
  if (datatype !== 'BYTES') return viewElements(datatype, data);
  const elements = readBytes(data, elementCount(shape));
  if (typeof elements === 'string') throw new BackendError('MODEL_FAILED', `input ${name}: ${elements}`);
  return elements;
}

/** The outputs that are wanted; throws a sentence about the first that is not what the config declares. */
export function readAnswer(what: string, order: LoadOrder, batch: Batch, answer: unknown): Tensor[] {
  if (!Array.isArray(answer)) {
    const names = batch.outputs.join(', ');
    throw wrong(
      `${what} gave ${kindOf(answer)}; wanted is a list of tensors { name, shape, data }: ${names}`,
    );
  }
  return batch.outputs.map((name) => {
    const declared = order.outputs.find((output) => output.name === name);
    if (declared === undefined) throw new BackendError('MODEL_FAILED', `the model has no output ${name}`);
    const given = answer.find((tensor: unknown) => (tensor as Partial<OwnTensor> | null)?.name === name);
    if (given !== undefined) return readOutput(what, order, batch, declared, given);
    const names = answer.map((tensor) => (tensor as Partial<OwnTensor> | null)?.name ?? kindOf(tensor));
    throw wrong(`${what} gave no output ${name}; it gave ${names.join(', ') || 'none'}`);
  });
}

function readOutput(
  what: string,
  order: LoadOrder,
  batch: Batch,
  declared: TensorHeader,
  given: { readonly datatype?: unknown; readonly shape?: unknown; readonly data?: unknown },
): Tensor {
  const { name, datatype } = declared;
  const wanted = declared.shape.map((size, axis) => (axis === 0 && order.batches ? batch.rows : size));
  const says = (sentence: string): AnswerError => wrong(`${what} gave output ${name} ${sentence}`);
  if (given.datatype !== undefined && given.datatype !== datatype)
    throw says(`as ${String(given.datatype)}; wanted is ${datatype}`);
  const { shape, data } = given;
  if (!isShape(shape) || !fits(shape, wanted))
    throw says(
      `with shape ${shown(shape)}; wanted is ${shown(wanted)}${wanted.includes(-1) ? ', -1 for any' : ''}`,
    );
  if (!isArrayOf(datatype, data))
    throw says(`with ${kindOf(data)} as data; wanted is ${arrayNameOf(datatype)}, for it is ${datatype}`);
  if (data.length !== elementCount(shape))
    throw says(
      `with ${data.length} elements; wanted are ${elementCount(shape)}, for its shape is ${shown(shape)}`,
    );
  return { name, datatype, shape: [...shape], data: copyOf(datatype, data) };
}

function copyOf(datatype: Datatype, data: ArrayLike<unknown>): Uint8Array {
  if (datatype === 'BYTES') return writeStrings(data as readonly (string | Uint8Array)[]);
  return bytesOf(data as unknown as ArrayBufferView).slice();
}

function isShape(shape: unknown): shape is readonly number[] {
  return Array.isArray(shape) && byteSize({ name: '', datatype: 'UINT8', shape }) >= 0;
}

function fits(shape: readonly number[], wanted: readonly number[]): boolean {
  return shape.length === wanted.length && wanted.every((size, axis) => size === -1 || size === shape[axis]);
}

function shown(shape: unknown): string {
  return Array.isArray(shape) ? `[${shape.join(', ')}]` : kindOf(shape);
}

function kindOf(given: unknown): string {
  if (given === undefined || given === null) return 'nothing';
  if (Array.isArray(given)) return 'a plain list';
  if (typeof given !== 'object') return `a ${typeof given}`;
  const name = given.constructor?.name ?? 'Object';
  return name === 'Object' ? 'an object' : `a ${name}`;
}

function wrong(sentence: string): AnswerError {
  return new AnswerError('MODEL_FAILED', sentence);
}
