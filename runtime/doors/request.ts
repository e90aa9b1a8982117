// An inference request as either door hands it on: what the client said, read but not yet judged.
import { SignalboxError } from '../../proto/errors.js';
import { quote, shapeText } from './sentence.js';

export type ParameterValue = boolean | number | bigint | string;
export type Parameters = ReadonlyMap<string, ParameterValue>;

export interface RequestTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  /** Little-endian and row-major; a view on what arrived where that is possible. */
  data: Uint8Array;
}

export interface InferRequest {
  readonly model: string;
  readonly version: string;
  readonly id: string;
  readonly parameters: Parameters | undefined;
  readonly inputs: readonly RequestTensor[];
  readonly outputs: readonly string[];
}

export function invalidInput(sentence: string): SignalboxError {
  return new SignalboxError('INPUT_INVALID', sentence);
}

/** `shape` has something that is no size. */
export function wrongSizes(input: string, shape: readonly unknown[]): SignalboxError {
  return invalidInput(
    `input ${quote(input)} has the shape ${shapeText(shape)}, wanted are whole numbers from 0 to ${Number.MAX_SAFE_INTEGER}`,
  );
}

/** Parameters of a tensor or an output that would change the answer if they were obeyed, which they can't be yet. */
export function refuseUnsupported(where: string, name: string): void {
  if (name.startsWith('shared_memory_')) {
    throw new SignalboxError(
      'UNSUPPORTED',
      `${where} asks for shared memory, which this server does not have`,
    );
  }
  if (name === 'classification') {
    throw new SignalboxError(
      'UNSUPPORTED',
      `${where} asks for classification: rank the scores in the client`,
    );
  }
}

const timeoutMax = 2 ** 64;
const timeoutWanted = `a whole number of microseconds from 0 (none) to ${2n ** 64n - 1n}`;

/** The milliseconds of the `timeout` parameter (microseconds, as a number or its digits); Infinity when there is none. */
export function timeoutMs(parameters: Parameters | undefined): number {
  if (parameters === undefined) return Number.POSITIVE_INFINITY;
  const microseconds = wholeParameter(parameters, 'timeout', timeoutMax, timeoutWanted);
  return microseconds === 0 ? Number.POSITIVE_INFINITY : microseconds / 1000;
}

/** Levels count from 0 inside; clients count from 1 and say 0 for the default. */
export function priorityOf(parameters: Parameters | undefined, levels: number, byDefault: number): number {
  if (parameters === undefined) return byDefault - 1;
  const wanted = `a level from 1 (first) to ${levels}, or 0 for the default (${byDefault})`;
  const priority = wholeParameter(parameters, 'priority', levels, wanted);
  return (priority === 0 ? byDefault : priority) - 1;
}

/** 0 where it is not given. */
function wholeParameter(parameters: Parameters, name: string, most: number, wanted: string): number {
  const given = parameters.get(name);
  if (given === undefined) return 0;
  const isWhole = typeof given === 'bigint' || (typeof given === 'string' && /^\d{1,20}$/.test(given));
  const value = isWhole ? Number(given) : given;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most) return value;
  const shown = typeof given === 'string' ? quote(given) : String(given);
  throw invalidInput(`parameter ${quote(name)} is ${shown}, wanted is ${wanted}`);
}
