// Single elements of tensors: which values a datatype takes, and how they become little-endian bytes and come back.
import type { Datatype } from '../../proto/tensor.js';

export interface ElementWriter {
  readonly wants: string;
  fits(value: unknown): boolean;
  /** Only for values that fit. */
  write(view: DataView, at: number, value: unknown): void;
}

type Plain = Exclude<Datatype, 'BYTES'>;

function whole(
  min: number,
  max: number,
  write: (view: DataView, at: number, value: number) => void,
): ElementWriter {
  return {
    wants: `a whole number from ${min} to ${max}`,
    fits: (value) => typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max,
    write: (view, at, value) => write(view, at, value as number),
  };
}

function wide(
  min: bigint,
  max: bigint,
  write: (view: DataView, at: number, value: bigint) => void,
): ElementWriter {
  return {
    wants: `a whole number from ${min} to ${max}`,
    fits: (value) => {
      if (typeof value === 'bigint') return value >= min && value <= max;
      return typeof value === 'number' && Number.isSafeInteger(value) && value >= min;
    },
    write: (view, at, value) => write(view, at, BigInt(value as number)),
  };
}

function real(write: (view: DataView, at: number, value: number) => void): ElementWriter {
  return {
    wants: 'a number',
    fits: (value) => typeof value === 'number' || typeof value === 'bigint',
    write: (view, at, value) => write(view, at, Number(value)),
  };
}

/** What each datatype can be given as single values; FP16 and BF16 can't. */
export const elementWriters: Readonly<Partial<Record<Plain, ElementWriter>>> = {
  BOOL: {
    wants: 'true or false',
    fits: (value) => typeof value === 'boolean' || value === 0 || value === 1,
    write: (view, at, value) => view.setUint8(at, value ? 1 : 0),
  },
  UINT8: whole(0, 0xff, (view, at, value) => view.setUint8(at, value)),
  UINT16: whole(0, 0xffff, (view, at, value) => view.setUint16(at, value, true)),
  UINT32: whole(0, 0xffff_ffff, (view, at, value) => view.setUint32(at, value, true)),
  UINT64: wide(0n, 2n ** 64n - 1n, (view, at, value) => view.setBigUint64(at, value, true)),
  INT8: whole(-0x80, 0x7f, (view, at, value) => view.setInt8(at, value)),
  INT16: whole(-0x8000, 0x7fff, (view, at, value) => view.setInt16(at, value, true)),
  INT32: whole(-0x8000_0000, 0x7fff_ffff, (view, at, value) => view.setInt32(at, value, true)),
  INT64: wide(-(2n ** 63n), 2n ** 63n - 1n, (view, at, value) => view.setBigInt64(at, value, true)),
  FP32: real((view, at, value) => view.setFloat32(at, value, true)),
  FP64: real((view, at, value) => view.setFloat64(at, value, true)),
};

/** Each element behind its length, as BYTES tensors travel. */
export function joinBytesElements(elements: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const element of elements) size += 4 + element.length;
  const bytes = Buffer.allocUnsafeSlow(size);
  let at = 0;
  for (const element of elements) {
    at = bytes.writeUInt32LE(element.length, at);
    bytes.set(element, at);
    at += element.length;
  }
  return bytes;
}

/** Reads one element as what JSON can carry; 64-bit ones as bigint. */
export function elementReader(datatype: Plain): (view: DataView, at: number) => number | bigint | boolean {
  switch (datatype) {
    case 'BOOL':
      return (view, at) => view.getUint8(at) !== 0;
    case 'UINT8':
      return (view, at) => view.getUint8(at);
    case 'UINT16':
      return (view, at) => view.getUint16(at, true);
    case 'UINT32':
      return (view, at) => view.getUint32(at, true);
    case 'UINT64':
      return (view, at) => view.getBigUint64(at, true);
    case 'INT8':
      return (view, at) => view.getInt8(at);
    case 'INT16':
      return (view, at) => view.getInt16(at, true);
    case 'INT32':
      return (view, at) => view.getInt32(at, true);
    case 'INT64':
      return (view, at) => view.getBigInt64(at, true);
    case 'FP16':
      return (view, at) => halfToNumber(view.getUint16(at, true));
    case 'BF16':
      return (view, at) => brainToNumber(view.getUint16(at, true));
    case 'FP32':
      return (view, at) => view.getFloat32(at, true);
    case 'FP64':
      return (view, at) => view.getFloat64(at, true);
  }
}

function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 0x400) * 2 ** (exponent - 15);
}

const brainView = new DataView(new ArrayBuffer(4));

function brainToNumber(bits: number): number {
  brainView.setUint32(0, bits << 16, true);
  return brainView.getFloat32(0, true);
}
