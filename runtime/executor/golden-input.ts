// The golden input of a model: what its owner gives in the version's golden.json, with the answer to it, or one that is
// made up, always the same, of numbers that most models take.
import { join } from 'node:path';
import { byteSize, elementCount, type Tensor, type TensorHeader } from '../../proto/tensor.js';
import { readTextFile } from '../file.js';
import { bytesOf, viewElements, writeStrings } from './elements.js';
import { type Answer, answerOf } from './golden-answer.js';
import type { LoadOrder } from './order.js';
import { openSize } from './warming.js';

export const goldenFile = 'golden.json';
const goldenBytesMax = 64 << 20;

/** What must be known of a model to read what its owner gives. */
export type GoldenOrder = Pick<LoadOrder, 'folder' | 'inputs' | 'outputs'>;

export type GoldenInput = readonly Tensor[];

export interface GiveAndTake {
  readonly input: GoldenInput;
  readonly answer: Answer;
}

/** One row; blank is all zeros and empty texts. */
export function madeUp({ inputs, batches }: LoadOrder, isBlank: boolean): GoldenInput {
  return inputs.map((input) => {
    const shape = input.shape.map((size, axis) => (axis === 0 && batches ? 1 : size < 0 ? openSize : size));
    const header = { ...input, shape };
    const count = elementCount(shape);
    if (input.datatype === 'BYTES')
      return { ...header, data: writeStrings(Array(count).fill(isBlank ? '' : 'a')) };
    const data = new Uint8Array(byteSize(header));
    if (!isBlank) fillUp(header, data);
    return { ...header, data };
  });
}

/** Fractions from 0 to 1, as pictures have them; zeros and ones for whole numbers, which may be looked up in a table. */
function fillUp({ datatype }: TensorHeader, data: Uint8Array): void {
  const elements = viewElements(datatype, data);
  let state = 1;
  for (let at = 0; at < elements.length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const share = state / 4_294_967_296;
    if (datatype === 'FP32' || datatype === 'FP64') elements[at] = share;
    // The numbers from 0.5 to 1, by their bits.
    else if (datatype === 'FP16') elements[at] = 0x3800 + Math.floor(share * 1024);
    else if (datatype === 'BF16') elements[at] = 0x3f00 + Math.floor(share * 128);
    else if (datatype === 'UINT8') elements[at] = Math.floor(share * 256);
    else if (elements instanceof BigInt64Array || elements instanceof BigUint64Array)
      elements[at] = share < 0.5 ? 0n : 1n;
    else elements[at] = share < 0.5 ? 0 : 1;
  }
}

/** What the owner gives; undefined where there is no such file. Rejects with a sentence. */
export async function readGoldenFile(order: GoldenOrder): Promise<GiveAndTake | undefined> {
  if (order.folder === '') return undefined;
  const path = join(order.folder, goldenFile);
  const content = contentOf(path);
  if (content === undefined) return undefined;
  try {
    const given = jsonOf(content);
    const input = tensorsOf('inputs', given?.inputs, order.inputs);
    return { input, answer: answerOf(tensorsOf('outputs', given?.outputs, order.outputs)) };
  } catch (fault) {
    throw new Error(`${path}: ${(fault as Error).message}`);
  }
}

function jsonOf(content: string): { readonly inputs?: unknown; readonly outputs?: unknown } {
  try {
    return JSON.parse(content);
  } catch (fault) {
    throw new Error(`it is not JSON: ${(fault as Error).message}`);
  }
}

function contentOf(path: string): string | undefined {
  try {
    return readTextFile(path, goldenBytesMax);
  } catch (fault) {
    const { code, message } = fault as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new Error(`${path} can't be read: ${message}`);
  }
}

interface GivenTensor {
  readonly name?: unknown;
  readonly shape?: unknown;
  readonly data?: unknown;
}

function tensorsOf(side: string, given: unknown, declared: readonly TensorHeader[]): Tensor[] {
  if (!Array.isArray(given) || given.length === 0)
    throw new Error(
      `${side} is missing; wanted is a list such as [{"name": "x", "shape": [1, 2], "data": [0.5, 1]}]`,
    );
  return given.map((tensor: GivenTensor, at) => {
    const header = declared.find(({ name }) => name === tensor?.name);
    const names = declared.map(({ name }) => name).join(', ');
    if (header === undefined)
      throw new Error(`${side}[${at}].name is ${JSON.stringify(tensor?.name)}; allowed are ${names}`);
    const { shape, data } = tensor;
    const isShape = Array.isArray(shape) && shape.every((size) => Number.isSafeInteger(size) && size >= 0);
    if (!isShape || !Array.isArray(data) || data.length !== elementCount(shape as number[]))
      throw new Error(
        `${side}[${at}] (${header.name}): wanted are a shape, and as data a flat list of so many elements`,
      );
    if (!fits(shape as number[], header.shape))
      throw new Error(
        `${side}[${at}] (${header.name}) has the shape [${shape.join(', ')}]; wanted is [${header.shape.join(', ')}]`,
      );
    return { ...header, shape: shape as number[], data: dataOf(header, data, `${side}[${at}].data`) };
  });
}

function fits(shape: readonly number[], wanted: readonly number[]): boolean {
  return shape.length === wanted.length && wanted.every((size, at) => size < 0 || size === shape[at]);
}

function dataOf({ datatype }: TensorHeader, given: readonly unknown[], key: string): Uint8Array {
  const isText = datatype === 'BYTES';
  const wrong = given.findIndex((value) => typeof value !== (isText ? 'string' : 'number'));
  if (wrong >= 0)
    throw new Error(
      `${key}[${wrong}] is ${JSON.stringify(given[wrong])}; wanted is ${isText ? 'text' : 'a number'}`,
    );
  if (isText) return writeStrings(given as string[]);
  if (datatype === 'FP16' || datatype === 'BF16')
    throw new Error(`${key}: ${datatype} can't be given in this file; leave it out, and an input is made up`);
  const elements = viewElements(
    datatype,
    new Uint8Array(byteSize({ name: '', datatype, shape: [given.length] })),
  );
  const isBig = elements instanceof BigInt64Array || elements instanceof BigUint64Array;
  for (const [at, value] of given.entries()) {
    if (isBig && !Number.isSafeInteger(value))
      throw new Error(`${key}[${at}] is ${value}; wanted is a whole number`);
    elements[at] = isBig ? BigInt(value as number) : (value as number);
  }
  return bytesOf(elements);
}
