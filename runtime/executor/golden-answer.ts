// What is kept of the answer to a golden input, and whether another is the same within a tolerance. Of a large output it
// is a sample, spread over all of it.
import { createHash } from 'node:crypto';
import { elementCount, type Tensor } from '../../proto/tensor.js';
import { viewElements } from './elements.js';

export interface OutputAnswer {
  readonly name: string;
  readonly shape: readonly number[];
  /** The sample; of texts a hash instead. */
  readonly values: Float64Array;
  readonly hash: string;
}

export type Answer = readonly OutputAnswer[];

const sampleMost = 4096;
const noValues = new Float64Array(0);

export function answerOf(outputs: readonly Tensor[]): Answer {
  return outputs.map((output) => {
    const { name, datatype, data } = output;
    const shape = [...output.shape];
    if (datatype === 'BYTES')
      return { name, shape, values: noValues, hash: createHash('sha256').update(data).digest('hex') };
    const elements = viewElements(datatype, data);
    const read =
      datatype === 'FP16'
        ? fromHalf
        : datatype === 'BF16'
          ? fromBrain
          : (value: number | bigint) => Number(value);
    const step = stepOf(elementCount(shape));
    const values = new Float64Array(Math.ceil(elements.length / step));
    for (let at = 0; at < values.length; at++) values[at] = read(elements[at * step] as number);
    return { name, shape, values, hash: '' };
  });
}

/** In a sentence; empty when there is none. The tolerance is a share of an output's largest number. */
export function difference(known: Answer, given: Answer, tolerance: number): string {
  for (const output of known) {
    const other = given.find(({ name }) => name === output.name);
    if (other === undefined) return `there is no output ${output.name}`;
    if (String(other.shape) !== String(output.shape))
      return `output ${output.name} has the shape [${other.shape}], wanted is [${output.shape}]`;
    if (other.hash !== output.hash) return `output ${output.name} is another text than wanted`;
    const largest = output.values.reduce((most, value) => Math.max(most, magnitude(value)), 0);
    const at = output.values.findIndex(
      (value, index) => !isNear(value, other.values[index] as number, tolerance * largest),
    );
    if (at < 0) continue;
    const element = at * stepOf(elementCount(output.shape));
    const [is, wanted] = [other.values[at] as number, output.values[at] as number];
    return `output ${output.name} is ${is} at element ${element}, wanted is ${wanted} within ${tolerance} of ${largest}`;
  }
  return '';
}

function isNear(wanted: number, is: number, by: number): boolean {
  return Object.is(wanted, is) || wanted === is || Math.abs(wanted - is) <= by;
}

function magnitude(value: number): number {
  return Number.isFinite(value) ? Math.abs(value) : 0;
}

function stepOf(elements: number): number {
  return Math.max(1, Math.ceil(elements / sampleMost));
}

function fromHalf(given: number | bigint): number {
  const bits = Number(given);
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 0x3ff;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

function fromBrain(bits: number | bigint): number {
  return new Float32Array(Uint32Array.of(Number(bits) << 16).buffer)[0] as number;
}
