// Puts the rows of an answer, which came in groups of texts of one length, into the order of the request.
import { datatypes, elementCount, type Tensor } from '../../../proto/tensor.js';
import { StepError, type StepMaker, type StepRequest, type Tensors } from '../step.js';

const orderKey = 'text.order';

/** For each piece the places that its rows have in the request. */
type Order = (readonly number[])[];

/** Where `before` notes what it puts into each piece. */
export function orderOf(request: StepRequest): Order {
  const known = request.kept.get(orderKey) as Order | undefined;
  if (known !== undefined) return known;
  const order: Order = [];
  request.kept.set(orderKey, order);
  return order;
}

export const reorder: StepMaker<object> = {
  open: () => ({ join }),
};

interface Row {
  readonly data: Uint8Array;
  readonly shape: readonly number[];
}

async function join(pieces: AsyncIterable<Tensors>, request: StepRequest): Promise<Tensors> {
  const rows = new Map<string, Row[]>();
  const headers: Tensor[] = [];
  let count = 0;
  for await (const tensors of pieces) {
    const places = orderOf(request)[count] ?? [];
    if (count === 0) headers.push(...tensors);
    for (const tensor of tensors) put(tensor, places, rows);
    count += 1;
  }
  return headers.map((header) => together(header, rows.get(header.name) ?? []));
}

function put(tensor: Tensor, places: readonly number[], rows: Map<string, Row[]>): void {
  const { name, datatype, data } = tensor;
  const [count, ...shape] = tensor.shape;
  if (count !== places.length) {
    throw failed(`output ${name} has ${count ?? 'no'} rows for ${places.length} texts`);
  }
  const bytes = elementCount(shape) * datatypes[datatype];
  if (bytes === 0) throw failed(`output ${name} has rows of no fixed size, which reorder can't put in order`);
  const all = rows.get(name) ?? [];
  rows.set(name, all);
  for (const [row, place] of places.entries()) {
    all[place] = { data: data.subarray(row * bytes, (row + 1) * bytes), shape };
  }
}

function together(header: Tensor, rows: readonly Row[]): Tensor {
  const shape = rows[0]?.shape ?? [];
  const other = rows.find((row) => row.shape.some((size, at) => size !== shape[at]));
  if (other !== undefined) {
    const shown = [shape, other.shape].map((sizes) => `[${sizes.join(', ')}]`).join(' and ');
    throw failed(`output ${header.name} has rows of ${shown}, which differ with the length of the text`);
  }
  const data = new Uint8Array(rows.reduce((sum, row) => sum + row.data.length, 0));
  for (const [at, row] of rows.entries()) data.set(row.data, at * row.data.length);
  return { ...header, shape: [rows.length, ...shape], data };
}

function failed(message: string): StepError {
  return new StepError('MODEL_FAILED', message);
}
