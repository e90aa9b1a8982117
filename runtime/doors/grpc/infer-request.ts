// Reads a ModelInferRequest without building anything that is not needed: raw contents stay views on the message.
// What is rare (typed contents, fields of another protocol) is left to the general codec.
import { type InferRequest, type ParameterValue, type RequestTensor, refuseUnsupported } from '../request.js';
import { quote } from '../sentence.js';
import { Cursor, unusual } from './cursor.js';
import { generalRequest } from './infer-general.js';

const nothing = new Uint8Array(0);

/** Throws a SignalboxError when the bytes are no such request. */
export function decodeInferRequest(bytes: Buffer): InferRequest {
  return quickRequest(bytes) ?? generalRequest(bytes);
}

/** Undefined when the message has something that only the general codec reads. */
export function quickRequest(bytes: Buffer): InferRequest | undefined {
  try {
    return read(new Cursor(bytes, 0, bytes.length));
  } catch (fault) {
    if (fault === unusual) return undefined;
    throw fault;
  }
}

function read(cursor: Cursor): InferRequest {
  let model = '';
  let version = '';
  let id = '';
  let parameters: Map<string, ParameterValue> | undefined;
  const inputs: RequestTensor[] = [];
  const outputs: string[] = [];
  let raw = 0;
  while (cursor.more()) {
    switch (cursor.tag()) {
      case 0x0a:
        model = cursor.text();
        break;
      case 0x12:
        version = cursor.text();
        break;
      case 0x1a:
        id = cursor.text();
        break;
      case 0x22:
        parameters ??= new Map();
        readParameter(cursor, parameters);
        break;
      case 0x2a:
        inputs.push(readInput(cursor));
        break;
      case 0x32:
        outputs.push(readOutput(cursor));
        break;
      case 0x3a: {
        // Encoders write fields in the order of their numbers; whoever does not goes the long way.
        const tensor = inputs[raw++];
        if (tensor === undefined) throw unusual;
        tensor.data = cursor.bytes();
        break;
      }
      default:
        throw unusual;
    }
  }
  if (raw !== inputs.length) throw unusual;
  return { model, version, id, parameters, inputs, outputs };
}

function readInput(cursor: Cursor): RequestTensor {
  const end = cursor.enter();
  let name = '';
  let datatype = '';
  const shape: number[] = [];
  while (cursor.more()) {
    switch (cursor.tag()) {
      case 0x0a:
        name = cursor.text();
        break;
      case 0x12:
        datatype = cursor.text();
        break;
      case 0x1a: {
        const outer = cursor.enter();
        while (cursor.more()) shape.push(cursor.whole());
        cursor.leave(outer);
        break;
      }
      case 0x18:
        shape.push(cursor.whole());
        break;
      default:
        throw unusual;
    }
  }
  cursor.leave(end);
  return { name, datatype, shape, data: nothing };
}

function readOutput(cursor: Cursor): string {
  const end = cursor.enter();
  let name = '';
  while (cursor.more()) {
    const tag = cursor.tag();
    if (tag === 0x0a) name = cursor.text();
    else if (tag === 0x12) {
      const parameters = new Map<string, ParameterValue>();
      readParameter(cursor, parameters);
      for (const key of parameters.keys()) refuseUnsupported(`output ${quote(name)}`, key);
    } else throw unusual;
  }
  cursor.leave(end);
  return name;
}

function readParameter(cursor: Cursor, parameters: Map<string, ParameterValue>): void {
  const end = cursor.enter();
  let key = '';
  let value: ParameterValue | undefined;
  while (cursor.more()) {
    const tag = cursor.tag();
    if (tag === 0x0a) key = cursor.text();
    else if (tag === 0x12) value = readChoice(cursor);
    else throw unusual;
  }
  cursor.leave(end);
  if (value === undefined) throw unusual;
  parameters.set(key, value);
}

function readChoice(cursor: Cursor): ParameterValue | undefined {
  const end = cursor.enter();
  let value: ParameterValue | undefined;
  while (cursor.more()) {
    switch (cursor.tag()) {
      case 0x08:
        value = cursor.whole() !== 0;
        break;
      case 0x10:
      case 0x28:
        value = cursor.whole();
        break;
      case 0x1a:
        value = cursor.text();
        break;
      case 0x21:
        value = cursor.double();
        break;
      default:
        throw unusual;
    }
  }
  cursor.leave(end);
  return value;
}
