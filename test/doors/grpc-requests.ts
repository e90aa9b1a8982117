// Requests that the tests of ModelInfer begin with: `digits`, `pair` with two inputs, and an echo of each datatype.
import type { Fields } from '../../runtime/doors/grpc/definitions.js';

export const row = Buffer.alloc(64 * 4);
export const image: Fields = { name: 'image', datatype: 'FP32', shape: [1, 64] };
export const digits: Fields = { model_name: 'digits', inputs: [image], raw_input_contents: [row] };

export const a: Fields = { name: 'a', datatype: 'FP32', shape: [1, 2] };
export const b: Fields = { name: 'b', datatype: 'INT32', shape: [1, 3] };
export const rawA = Buffer.alloc(8);
export const rawB = Buffer.alloc(12);

export function pair(inputs: readonly Fields[], raw: readonly Buffer[], more: Fields = {}): Fields {
  return { model_name: 'pair', inputs, raw_input_contents: raw, ...more };
}

export function typed(name: string, datatype: string, shape: number[], contents: Fields): Fields {
  return { model_name: `echo_${datatype}`, inputs: [{ name, datatype, shape, contents }] };
}
