// Protobuf fields one by one, to write ONNX files that no exporter would: odd types, missing parts, lies about sizes.

export function number(field: number, value: number | bigint): Uint8Array {
  return joined([varint(field * 8), varint(value)]);
}

export function chunk(field: number, content: Uint8Array | string): Uint8Array {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  return joined([head(field, bytes.length), bytes]);
}

/** The start of a chunk whose content is written elsewhere, or never. */
export function head(field: number, length: number): Uint8Array {
  return joined([varint(field * 8 + 2), varint(length)]);
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

/** A value of the graph: a tensor of these sizes; text names an open one, no sizes leave the shape out. */
export function value(
  name: string,
  element: number,
  sizes?: readonly (number | bigint | string)[],
): Uint8Array {
  const shape = sizes?.map((size) => chunk(1, typeof size === 'string' ? chunk(2, size) : number(1, size)));
  const tensor = [number(1, element), ...(shape === undefined ? [] : [chunk(2, joined(shape))])];
  return joined([chunk(1, name), chunk(2, chunk(1, joined(tensor)))]);
}

/** A whole file around the fields of a graph. */
export function model(...graph: readonly Uint8Array[]): Uint8Array {
  return joined([number(1, 8), chunk(7, joined(graph))]);
}

export const input = 11;
export const output = 12;
export const initializer = 5;

function varint(given: number | bigint): Uint8Array {
  let value = BigInt.asUintN(64, BigInt(given));
  const bytes: number[] = [];
  for (; value > 127n; value >>= 7n) bytes.push(Number(value & 127n) | 128);
  return Uint8Array.from([...bytes, Number(value)]);
}
