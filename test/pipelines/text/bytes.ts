// BYTES and FP32 tensors as the tests of the text pipeline write and read them.
import type { Tensor } from '../../../proto/tensor.js';

export function bytesTensor(name: string, elements: readonly (string | Uint8Array)[]): Tensor {
  const parts = elements.flatMap((element) => {
    const bytes = Buffer.from(element as string);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    return [length, bytes];
  });
  return { name, datatype: 'BYTES', shape: [elements.length], data: new Uint8Array(Buffer.concat(parts)) };
}

export function numbersOf(tensor: Tensor): number[] {
  const bytes = Uint8Array.from(tensor.data);
  const wide = tensor.datatype === 'INT64';
  return Array.from(wide ? new BigInt64Array(bytes.buffer) : new Float32Array(bytes.buffer), Number);
}

export function floatsTensor(name: string, shape: readonly number[], values: readonly number[]): Tensor {
  return { name, datatype: 'FP32', shape, data: new Uint8Array(Float32Array.from(values).buffer) };
}
