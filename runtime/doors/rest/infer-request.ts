// Reads the body of an inference: JSON, JSON with binary tensors behind it, or one raw tensor alone.
import { isUtf8 } from 'node:buffer';
import type { SignalboxError } from '../../../proto/errors.js';
import { limits } from '../../../proto/limits.js';
import { datatypes } from '../../../proto/tensor.js';
import {
  type InferRequest,
  invalidInput,
  type Parameters,
  type ParameterValue,
  type RequestTensor,
  refuseUnsupported,
  wrongSizes,
} from '../request.js';
import { portText, quote, shapeText, shown } from '../sentence.js';
import type { Signature } from '../signature.js';
import { readPlainJson } from './plain-json.js';
import { bytesOfJson } from './tensor-json.js';
import { hasWideNumbers, markWideNumbers, unmark, withoutMarks } from './wide-numbers.js';

type Json = Readonly<Record<string, unknown>>;

export interface RestRequest extends InferRequest {
  /** Which outputs go back as binary data. */
  binary(output: string): boolean;
}

/** `headerLength` is what Inference-Header-Content-Length says, if anything. */
export function readInferBody(
  signature: Signature,
  body: Buffer,
  headerLength: string | undefined,
): RestRequest {
  if (headerLength === '0') return rawRequest(signature, body);
  const end = headerLength === undefined ? body.length : headerEnd(body, headerLength);
  const fields = parseJson(body, end);
  const blobs = new Blobs(body, end);
  const inputs = listOf(fields, 'inputs', true).map((input, index) => readInput(input, index, blobs));
  blobs.checkEnd();
  const parameters = parametersOf(fields['parameters'], 'the request');
  const wanted = new Map<string, boolean | undefined>();
  const outputs = listOf(fields, 'outputs', false).map((output, index) => readOutput(output, index, wanted));
  const byDefault = flagOf(parameters, 'binary_data_output', 'the request') ?? false;
  return {
    model: signature.model,
    version: signature.version,
    id: idOf(fields['id']),
    parameters,
    inputs,
    outputs,
    binary: (output) => wanted.get(output) ?? byDefault,
  };
}

function headerEnd(body: Buffer, headerLength: string): number {
  const length = /^\d{1,15}$/.test(headerLength) ? Number(headerLength) : -1;
  if (length < 0 || length > body.length) {
    throw invalidInput(
      `Inference-Header-Content-Length is ${quote(headerLength)}, wanted is a number from 0 to ${body.length}, the size ` +
        'of the body',
    );
  }
  return length;
}

export function parseJson(body: Buffer, end: number): Json {
  if (end === 0) throw invalidInput('the body is empty, wanted is a JSON object');
  const plain = readPlainJson(body, end);
  if (plain !== undefined) return objectOf(plain);
  const part = body.subarray(0, end);
  if (!isUtf8(part)) throw invalidInput('the body is not UTF-8, which JSON has to be');
  const text = part.toString('utf8');
  let parsed: unknown;
  try {
    parsed = JSON.parse(hasWideNumbers(text) ? markWideNumbers(text) : text);
  } catch (fault) {
    throw invalidInput(`the body is not JSON: ${withoutMarks((fault as Error).message)}`);
  }
  return objectOf(parsed);
}

function objectOf(parsed: unknown): Json {
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw invalidInput(`the body is ${shown(unmark(parsed))}, wanted is a JSON object`);
  }
  return parsed as Json;
}

/** Hands out the bytes behind the JSON, piece by piece. */
class Blobs {
  readonly #body: Buffer;
  readonly #start: number;
  #at: number;

  constructor(body: Buffer, start: number) {
    this.#body = body;
    this.#start = start;
    this.#at = start;
  }

  take(name: string, size: unknown): Uint8Array {
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
      throw invalidInput(
        `"binary_data_size" of input ${quote(name)} is ${shown(size)}, wanted is a whole number from 0`,
      );
    }
    const left = this.#body.length - this.#at;
    if (size > left) {
      throw invalidInput(
        `input ${quote(name)} says it has ${size} bytes of binary data, ${left} are left in the body`,
      );
    }
    this.#at += size;
    return this.#body.subarray(this.#at - size, this.#at);
  }

  checkEnd(): void {
    const left = this.#body.length - this.#at;
    if (left === 0) return;
    throw invalidInput(
      `${left} of ${this.#body.length - this.#start} bytes behind the JSON belong to no input: their "binary_data_size" ` +
        `add up to ${this.#at - this.#start}`,
    );
  }
}

function readInput(given: Json, index: number, blobs: Blobs): RequestTensor {
  const name = given['name'];
  if (typeof name !== 'string') throw wrongField('name', `inputs[${index}]`, name, 'text');
  const datatype = given['datatype'];
  if (typeof datatype !== 'string') {
    throw wrongField(
      'datatype',
      `input ${quote(name)}`,
      datatype,
      `one of ${Object.keys(datatypes).join(', ')}`,
    );
  }
  const shape = shapeOf(name, given['shape']);
  const parameters = parametersOf(given['parameters'], `input ${quote(name)}`);
  if (parameters !== undefined) {
    for (const key of parameters.keys()) refuseUnsupported(`input ${quote(name)}`, key);
  }
  const size = parameters?.get('binary_data_size');
  const data = given['data'];
  if ((size === undefined) === (data === undefined)) {
    const both = size === undefined ? 'neither "data" nor' : 'both "data" and';
    throw invalidInput(
      `input ${quote(name)} has ${both} the parameter "binary_data_size": wanted is one of them`,
    );
  }
  const bytes = size === undefined ? bytesOfJson(name, datatype, shape, data) : blobs.take(name, size);
  return { name, datatype, shape, data: bytes };
}

function shapeOf(name: string, given: unknown): number[] {
  if (!Array.isArray(given)) throw wrongField('shape', `input ${quote(name)}`, given, 'a list of sizes');
  if (given.length > limits.dimensionsMax) {
    throw invalidInput(
      `input ${quote(name)} has ${given.length} dimensions, at most are ${limits.dimensionsMax}`,
    );
  }
  const shape = given.map(unmark);
  if (shape.every((size) => typeof size === 'number' && Number.isSafeInteger(size) && size >= 0)) {
    return shape as number[];
  }
  throw wrongSizes(name, shape);
}

function readOutput(given: Json, index: number, wanted: Map<string, boolean | undefined>): string {
  const name = given['name'];
  if (typeof name !== 'string') throw wrongField('name', `outputs[${index}]`, name, 'text');
  const parameters = parametersOf(given['parameters'], `output ${quote(name)}`);
  if (parameters !== undefined) {
    for (const key of parameters.keys()) refuseUnsupported(`output ${quote(name)}`, key);
  }
  wanted.set(name, flagOf(parameters, 'binary_data', `output ${quote(name)}`));
  return name;
}

function listOf(fields: Json, key: string, needed: boolean): readonly Json[] {
  const list = fields[key];
  if (list === undefined && !needed) return [];
  if (!Array.isArray(list)) throw wrongField(key, 'the request', list, 'a list');
  if (list.length > limits.tensorsPerJobMax) {
    throw invalidInput(`"${key}" has ${list.length} entries, at most are ${limits.tensorsPerJobMax}`);
  }
  list.forEach((entry, index) => {
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
      throw invalidInput(`${key}[${index}] is ${shown(unmark(entry))}, wanted is an object`);
    }
  });
  return list as readonly Json[];
}

function idOf(given: unknown): string {
  if (given === undefined) return '';
  if (typeof given !== 'string') throw wrongField('id', 'the request', given, 'text');
  return given;
}

function parametersOf(given: unknown, where: string): Parameters | undefined {
  if (given === undefined) return undefined;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw wrongField('parameters', where, given, 'an object');
  }
  const parameters = new Map<string, ParameterValue>();
  for (const [key, marked] of Object.entries(given)) {
    const value = unmark(marked);
    if (typeof value === 'object' || value === undefined) {
      throw invalidInput(
        `parameter ${quote(key)} of ${where} is ${shown(value)}, wanted is true, false, a number or text`,
      );
    }
    parameters.set(key, value as ParameterValue);
  }
  return parameters;
}

function flagOf(parameters: Parameters | undefined, key: string, where: string): boolean | undefined {
  const value = parameters?.get(key);
  if (value === undefined || typeof value === 'boolean') return value;
  throw invalidInput(`parameter ${quote(key)} of ${where} is ${shown(value)}, wanted is true or false`);
}

function wrongField(field: string, where: string, given: unknown, wanted: string): SignalboxError {
  return invalidInput(`"${field}" of ${where} is ${shown(unmark(given))}, wanted is ${wanted}`);
}

/** The whole body is the model's one input; its shape follows from its size. Everything goes back as binary data. */
export function rawRequest(signature: Signature, body: Buffer): RestRequest {
  const port = signature.inputs[0];
  if (port === undefined || signature.inputs.length > 1) {
    throw invalidInput(
      `a body of one raw tensor needs a model with one input; model ${quote(signature.model)} has ` +
        signature.inputs.map(portText).join(', '),
    );
  }
  const shape = [...port.shape];
  const free = shape.indexOf(-1);
  let data: Uint8Array = body;
  if (port.datatype === 'BYTES') {
    shape.fill(1);
    data = Buffer.concat([Buffer.alloc(4), body]);
    (data as Buffer).writeUInt32LE(body.length);
  } else if (free !== -1) {
    // The rows are 1 where another dimension is free as well.
    const other = shape.lastIndexOf(-1);
    if (other !== free && signature.batches) shape[0] = 1;
    const unknown = shape.indexOf(-1);
    const known = shape.reduce(
      (product, size) => (size === -1 ? product : product * size),
      datatypes[port.datatype],
    );
    const size = body.length / known;
    if (shape.lastIndexOf(-1) !== unknown || !Number.isInteger(size)) {
      throw invalidInput(
        `${body.length} bytes don't tell the shape of input ${portText(port)}: a raw body has to fill ` +
          `${shapeText(shape)} with elements of ${datatypes[port.datatype]} bytes`,
      );
    }
    shape[unknown] = size;
  }
  return {
    model: signature.model,
    version: signature.version,
    id: '',
    parameters: undefined,
    inputs: [{ name: port.name, datatype: port.datatype, shape, data }],
    outputs: [],
    binary: () => true,
  };
}
