// Reads a ModelInferRequest by the general protobuf codec: typed contents, rare fields, and all that is wrong.
import { elementCount, isDatatype } from '../../../proto/tensor.js';
import {
  type InferRequest,
  invalidInput,
  type Parameters,
  type ParameterValue,
  type RequestTensor,
  refuseUnsupported,
  wrongSizes,
} from '../request.js';
import { counted, quote, shapeText } from '../sentence.js';
import { contentsBytes } from './contents.js';
import { type Fields, type MethodCodec, services } from './definitions.js';

interface WireParameter {
  readonly parameter_choice?: string;
  readonly [choice: string]: unknown;
}

interface WireInput {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly string[];
  readonly parameters: Readonly<Record<string, WireParameter>>;
  readonly contents: Readonly<Record<string, readonly unknown[]>> | null;
}

interface WireRequest {
  readonly model_name: string;
  readonly model_version: string;
  readonly id: string;
  readonly parameters: Readonly<Record<string, WireParameter>>;
  readonly inputs: readonly WireInput[];
  readonly outputs: readonly { readonly name: string; readonly parameters: Fields }[];
  readonly raw_input_contents: readonly Uint8Array[];
}

export function generalRequest(bytes: Buffer): InferRequest {
  const method = services().inference['ModelInfer'] as MethodCodec;
  const wire = method.request.decode(bytes) as unknown as WireRequest;
  for (const output of wire.outputs) {
    for (const key of Object.keys(output.parameters)) refuseUnsupported(`output ${quote(output.name)}`, key);
  }
  for (const input of wire.inputs) {
    for (const key of Object.keys(input.parameters)) refuseUnsupported(`input ${quote(input.name)}`, key);
  }
  return {
    model: wire.model_name,
    version: wire.model_version,
    id: wire.id,
    parameters: parametersOf(wire.parameters),
    inputs: wire.raw_input_contents.length > 0 ? rawInputs(wire) : wire.inputs.map(typedInput),
    outputs: wire.outputs.map((output) => output.name),
  };
}

function rawInputs(wire: WireRequest): RequestTensor[] {
  const raw = wire.raw_input_contents;
  const typed = wire.inputs.find((input) => contentsOf(input).length > 0);
  if (typed !== undefined) {
    throw invalidInput(
      `input ${quote(typed.name)} has typed contents and the request has raw_input_contents: wanted is one of them`,
    );
  }
  if (raw.length !== wire.inputs.length) {
    const names = wire.inputs.map((input) => quote(input.name)).join(', ') || 'none';
    throw invalidInput(
      `raw_input_contents has ${counted(raw.length, 'entry', 'entries')}, the request has ` +
        `${counted(wire.inputs.length, 'input')} (${names}); ` +
        'wanted is one entry for each input, in their order',
    );
  }
  return wire.inputs.map((input, index) => tensorOf(input, raw[index] as Uint8Array));
}

function typedInput(input: WireInput): RequestTensor {
  const shape = input.shape.map(Number);
  const count = elementCount(shape);
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) throw wrongSizes(input.name, shape);
  if (count < 0) {
    throw invalidInput(
      `input ${quote(input.name)} has the shape ${shapeText(shape)}, which has more elements than can be counted`,
    );
  }
  const filled = contentsOf(input);
  if (filled.length > 1) {
    throw invalidInput(
      `input ${quote(input.name)} has ${filled.join(' and ')}: wanted is one kind of contents`,
    );
  }
  // An unknown datatype is refused with the model's own at hand.
  if (!isDatatype(input.datatype)) return tensorOf(input, new Uint8Array(0));
  const elements = filled[0] === undefined ? [] : (input.contents?.[filled[0]] ?? []);
  return tensorOf(input, contentsBytes(input.name, input.datatype, shape, count, filled[0], elements));
}

function tensorOf(input: WireInput, data: Uint8Array): RequestTensor {
  return { name: input.name, datatype: input.datatype, shape: input.shape.map(Number), data };
}

/** The names of the lists that have elements. */
function contentsOf(input: WireInput): string[] {
  const contents = input.contents;
  if (contents === null) return [];
  return Object.keys(contents).filter((kind) => (contents[kind]?.length ?? 0) > 0);
}

function parametersOf(wire: Readonly<Record<string, WireParameter>>): Parameters | undefined {
  const keys = Object.keys(wire);
  if (keys.length === 0) return undefined;
  const parameters = new Map<string, ParameterValue>();
  for (const key of keys) {
    const value = choiceOf(wire[key] as WireParameter);
    if (value === undefined) {
      throw invalidInput(
        `parameter ${quote(key)} has no value: wanted is a bool, int64, uint64, double or string`,
      );
    }
    parameters.set(key, value);
  }
  return parameters;
}

function choiceOf(parameter: WireParameter): ParameterValue | undefined {
  const choice = parameter.parameter_choice;
  if (choice === undefined) return undefined;
  const value = parameter[choice] as boolean | number | string;
  if (choice !== 'int64_param' && choice !== 'uint64_param') return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : BigInt(value);
}
