// Messages to plain MessagePack arrays and back. Readable from any language: no record extensions, no typed arrays; the
// only file that knows the packer.
import { Packr } from 'msgpackr';
import type { Field } from './field.js';
import { limits } from './limits.js';
import { type Message, messages, type Said } from './messages.js';
import { NotPlain, readPlain } from './plain.js';

interface Entry {
  readonly number: number;
  readonly type: string;
  readonly keys: readonly string[];
  readonly checks: readonly Field<unknown>[];
}

const entries: readonly Entry[] = Object.values(messages).map((definition) => ({
  number: definition.number,
  type: definition.type,
  keys: definition.keys,
  checks: Object.values(definition.fields),
}));
const byNumber = new Map(entries.map((entry) => [entry.number, entry]));
const byType = new Map(entries.map((entry) => [entry.type, entry]));

const packer = new Packr({ useRecords: false, variableMapSize: true, int64AsType: 'number' });

export interface Envelope {
  readonly message: Message;
  readonly frames: number;
}

export function encodeMessage(message: Message, frames: number): Buffer {
  const entry = byType.get(message.type) as Entry;
  const fields = message as unknown as Record<string, unknown>;
  const values: unknown[] = [entry.number, frames];
  for (const key of entry.keys) values.push(fields[key]);
  return packer.pack(values);
}

/** The message, or the sentence that says why these bytes are none. */
export function decodeMessage(bytes: Uint8Array): Envelope | string {
  let values: unknown;
  try {
    values = readPlain(bytes);
  } catch (fault) {
    if (!(fault instanceof NotPlain)) throw fault;
    return 'the envelope is not plain MessagePack: numbers, text and arrays of them';
  }
  if (!Array.isArray(values)) return 'the envelope is not an array';
  const entry = byNumber.get(values[0] as number);
  if (entry === undefined) return `no message has the number ${printable(values[0])}`;
  if (values.length !== entry.keys.length + 2) {
    return `${entry.type} has ${entry.keys.length} fields, given are ${values.length - 2}`;
  }
  const frames: unknown = values[1];
  if (
    !Number.isSafeInteger(frames) ||
    (frames as number) < 0 ||
    (frames as number) > limits.framesPerEnvelopeMax
  ) {
    return `${entry.type} announces ${printable(frames)} frames, wanted is a count`;
  }
  const fields: Record<string, unknown> = { type: entry.type };
  for (let index = 0; index < entry.keys.length; index++) {
    fields[entry.keys[index] as string] = values[index + 2];
  }
  const message = fields as unknown as Message;
  return invalid(message) ?? wrongFrames(message, frames as number) ?? { message, frames: frames as number };
}

/** Whoever hears a batch takes its tensors by their place: each that is announced must be there. */
function wrongFrames(message: Message, frames: number): string | undefined {
  const wanted = framesOf(message);
  if (wanted === undefined || wanted === frames) return undefined;
  return `${message.type} announces ${frames} frames, its tensors are ${wanted}`;
}

/** How many tensor frames a message takes along; undefined where it doesn't say. */
export function framesOf(message: Message): number | undefined {
  if (message.type === 'batch.run') return message.inputs.length * (message.split ? message.jobs.length : 1);
  if (message.type === 'batch.finished') return message.codes.includes('') ? message.outputs.length : 0;
  return undefined;
}

/** Why a message is none, in a sentence; nothing when it is one. */
export function invalid(message: Message): string | undefined {
  const entry = byType.get(message.type);
  if (entry === undefined) return `no message is called ${printable(message.type)}`;
  const fields = message as unknown as Record<string, unknown>;
  for (let index = 0; index < entry.keys.length; index++) {
    const key = entry.keys[index] as string;
    const field = entry.checks[index] as Field<unknown>;
    if (!field.check(fields[key]))
      return `${entry.type}.${key} is ${printable(fields[key])}, wanted is ${field.wants}`;
  }
  return unequalLists(message);
}

/** Lists that belong together must be equally long, else one member's answer would be another's. */
function unequalLists(message: Message): string | undefined {
  if (!('jobs' in message)) return undefined;
  const wanted = message.jobs.length;
  for (const key of ['attempts', 'rows', 'budgetsMs', 'codes'] as const) {
    const list = (message as unknown as Record<string, unknown>)[key];
    if (Array.isArray(list) && list.length !== wanted) {
      return `${message.type}.${key} has ${list.length} entries for ${wanted} jobs`;
    }
  }
  return message.type === 'batch.finished' ? unequalSizes(message) : undefined;
}

function unequalSizes({ type, codes, outputs, sizes }: Said<'batch.finished'>): string | undefined {
  if (sizes.length !== outputs.length) {
    return `${type}.sizes has ${sizes.length} entries for ${outputs.length} outputs`;
  }
  const ran = codes.reduce((count, code) => count + (code === '' ? 1 : 0), 0);
  const wrong = sizes.find((list) => list.length !== 0 && list.length !== ran);
  return wrong && `${type}.sizes has ${wrong.length} entries in an output for ${ran} jobs that ran`;
}

function printable(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  const shown = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return shown.length > 60 ? `${shown.slice(0, 57)}...` : shown;
}
