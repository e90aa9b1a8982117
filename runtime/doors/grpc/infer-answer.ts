// Writes a ModelInferResponse, bare or inside a stream's answer, straight into the buffer that goes out: everything but
// the id and the outputs' bytes is the same from answer to answer and kept.
import type { Tensor } from '../../../proto/tensor.js';

/** As much of Buffer as the gRPC server needs of a message: its size, and that it writes itself where it is told. */
export interface Message {
  readonly byteLength: number;
  copy(target: Buffer, at: number): number;
}

const keptMax = 512;
const finalParameter = mapEntry('triton_final_response', Buffer.from([0x08, 0x01]));
const noId = Buffer.alloc(0);

/** The part of an answer that its model, its outputs' names and their shapes decide. */
export class AnswerHeads {
  readonly #heads = new Map<string, Buffer>();

  head(model: string, version: string, outputs: readonly Tensor[]): Buffer {
    let key = `${model}:${version}`;
    for (const output of outputs) key += `|${output.name}:${output.datatype}:${output.shape.join()}`;
    const kept = this.#heads.get(key);
    if (kept !== undefined) return kept;
    const head = Buffer.concat([
      field(1, Buffer.from(model)),
      field(2, Buffer.from(version)),
      ...outputs.map(outputHead),
    ]);
    if (this.#heads.size >= keptMax) this.#heads.clear();
    this.#heads.set(key, head);
    return head;
  }
}

export class InferAnswer implements Message {
  readonly byteLength: number;
  readonly #inner: number;
  readonly #streamed: boolean;
  readonly #head: Buffer;
  readonly #id: Buffer;
  readonly #outputs: readonly Tensor[];

  constructor(head: Buffer, id: string, outputs: readonly Tensor[], streamed: boolean) {
    this.#head = head;
    this.#id = id === '' ? noId : Buffer.from(id);
    this.#outputs = outputs;
    this.#streamed = streamed;
    let size = head.length + fieldSize(this.#id.length, id === '');
    for (const output of outputs) size += fieldSize(output.data.length, false);
    if (streamed) size += finalParameter.length;
    this.#inner = size;
    this.byteLength = streamed ? fieldSize(size, false) : size;
  }

  copy(target: Buffer, at: number): number {
    let to = at;
    if (this.#streamed) to = putHead(target, to, 2, this.#inner);
    target.set(this.#head, to);
    to += this.#head.length;
    if (this.#id.length > 0) to = putField(target, to, 3, this.#id);
    if (this.#streamed) {
      target.set(finalParameter, to);
      to += finalParameter.length;
    }
    for (const output of this.#outputs) to = putField(target, to, 6, output.data);
    return to - at;
  }
}

/** What a stream says of a request that got no answer. */
export function streamRefusal(sentence: string, id: string): Buffer {
  const inner = id === '' ? finalParameter : Buffer.concat([field(3, Buffer.from(id)), finalParameter]);
  return Buffer.concat([field(1, Buffer.from(sentence)), field(2, inner)]);
}

function outputHead(output: Tensor): Buffer {
  const dimensions = Buffer.alloc(output.shape.length * 8);
  let size = 0;
  for (const dimension of output.shape) size = putVarint(dimensions, size, dimension);
  return field(
    5,
    Buffer.concat([
      field(1, Buffer.from(output.name)),
      field(2, Buffer.from(output.datatype)),
      ...(size === 0 ? [] : [field(3, dimensions.subarray(0, size))]),
    ]),
  );
}

function mapEntry(key: string, value: Buffer): Buffer {
  return field(4, Buffer.concat([field(1, Buffer.from(key)), field(2, value)]));
}

function field(number: number, bytes: Uint8Array): Buffer {
  const buffer = Buffer.alloc(fieldSize(bytes.length, false));
  putField(buffer, 0, number, bytes);
  return buffer;
}

function fieldSize(length: number, leftOut: boolean): number {
  return leftOut ? 0 : 1 + varintSize(length) + length;
}

function putField(target: Buffer, at: number, number: number, bytes: Uint8Array): number {
  const to = putHead(target, at, number, bytes.length);
  target.set(bytes, to);
  return to + bytes.length;
}

function putHead(target: Buffer, at: number, number: number, length: number): number {
  target[at] = (number << 3) | 2;
  return putVarint(target, at + 1, length);
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

function putVarint(target: Buffer, at: number, value: number): number {
  let to = at;
  let rest = value;
  while (rest >= 0x80) {
    target[to++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  target[to++] = rest;
  return to;
}
