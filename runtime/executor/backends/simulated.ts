// A model that costs what its settings say and fails when told to. It sleeps instead of burning, but holds its thread
// as a real run does. Outputs copy the input where their sizes agree, else repeat each row's first number, so that a
// test can tell the rows apart.
import { type Datatype, elementCount, type Tensor, type TensorHeader } from '../../../proto/tensor.js';
import { type Backend, BackendError, type Batch, type LoadedModel } from '../backend.js';
import { bytesOf, viewElements } from '../elements.js';
import type { LoadOrder } from '../order.js';
import { costOf, type SimulatedFault, type SimulatedSettings, simulatedFaults } from '../simulated.js';

export const simulated: Backend = { load };

/** Of the device under all simulated models of this thread. */
let isSick = false;
let hasDrifted = false;

async function load(order: LoadOrder): Promise<LoadedModel> {
  const settings = order.simulated;
  for (const tensor of [...order.inputs, ...order.outputs]) {
    if (tensor.datatype === 'BYTES')
      throw new Error(`${tensor.name} is BYTES, a simulated model computes numbers only`);
  }
  const random = randomFrom(settings.seed);
  let runs = 0;
  return {
    warmup: async (rows) => costOf(settings, rows),
    infer: async (batch) => {
      runs += 1;
      const fault = faultOf(settings, batch, runs);
      const spread = settings.jitter === 0 ? 1 : 1 + settings.jitter * (2 * random() - 1);
      const factor = fault === 'slow' ? settings.slowFactor * spread : spread;
      block(costOf(settings, batch.rows) * factor);
      commit(fault);
      const outputs = batch.outputs.map((name, index) => spoil(fault, answer(order, name, index, batch)));
      isSick ||= fault === 'sick';
      hasDrifted ||= fault === 'drift';
      return outputs;
    },
    unload: async () => undefined,
  };
}

function faultOf(settings: SimulatedSettings, batch: Batch, runs: number): SimulatedFault | undefined {
  const rowValues = Object.keys(settings.faultInput).length === 0 ? [] : firstOfEachRow(batch);
  return simulatedFaults.find((fault) => {
    const every = settings.faultEvery[fault];
    const trigger = settings.faultInput[fault];
    return (
      (every !== undefined && runs % every === 0) || (trigger !== undefined && rowValues.includes(trigger))
    );
  });
}

function commit(fault: SimulatedFault | undefined): void {
  if (fault === 'die') process.kill(process.pid, 'SIGSEGV');
  if (fault === 'die' || fault === 'hang') block(Number.POSITIVE_INFINITY);
  if (fault === 'lost') throw new BackendError('DEVICE_LOST', 'the simulated device was lost');
}

function spoil(fault: SimulatedFault | undefined, tensor: Tensor): Tensor {
  if (fault === 'garbage') return { ...tensor, data: tensor.data.slice(0, tensor.data.byteLength >> 1) };
  if (fault === 'nan' || isSick) return { ...tensor, data: filled(tensor, () => Number.NaN) };
  return hasDrifted && tensor.datatype === 'FP32' ? { ...tensor, data: oneMore(tensor) } : tensor;
}

function oneMore({ datatype, data }: Tensor): Uint8Array {
  return bytesOf(Float32Array.from(viewElements(datatype, data) as Float32Array, (value) => value + 1));
}

function answer(order: LoadOrder, name: string, index: number, batch: Batch): Tensor {
  const declared = order.outputs.find((output) => output.name === name);
  const source = batch.inputs[Math.min(index, batch.inputs.length - 1)];
  if (declared === undefined || source === undefined) {
    throw new BackendError('MODEL_FAILED', `the model has no output ${name}`);
  }
  const shape = declared.shape.map((dimension, axis) => {
    if (axis === 0 && order.batches) return batch.rows;
    return dimension >= 0 ? dimension : (source.shape[axis] ?? 1);
  });
  const header: TensorHeader = { name, datatype: declared.datatype, shape };
  if (source.datatype === declared.datatype && elementCount(source.shape) === elementCount(shape)) {
    return { ...header, data: source.data.slice() };
  }
  const rowValues = firstOfEachRow(batch);
  const perRow = elementCount(shape) / batch.rows;
  return { ...header, data: filled(header, (element) => rowValues[Math.floor(element / perRow)] ?? 0) };
}

function firstOfEachRow(batch: Batch): number[] {
  const first = batch.inputs[0];
  if (first === undefined || first.data.byteLength === 0) return [];
  const elements = viewElements(first.datatype, first.data);
  const perRow = Math.max(1, elements.length / batch.rows);
  return Array.from({ length: batch.rows }, (_, row) => Number(elements[row * perRow] ?? 0));
}

const wide: ReadonlySet<Datatype> = new Set(['INT64', 'UINT64']);

function filled(header: TensorHeader, value: (element: number) => number): Uint8Array {
  const elements = viewElements(header.datatype, new Uint8Array(byteCount(header)));
  for (let element = 0; element < elements.length; element++) {
    const given = value(element);
    elements[element] = wide.has(header.datatype) ? BigInt(Math.trunc(given) || 0) : given;
  }
  return bytesOf(elements);
}

function byteCount(header: TensorHeader): number {
  return elementCount(header.shape) * viewElements(header.datatype, new Uint8Array(0)).BYTES_PER_ELEMENT;
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));

function block(durationMs: number): void {
  if (durationMs > 0) Atomics.wait(sleeper, 0, 0, durationMs);
}

/** Numbers from 0 to 1 that only the seed decides. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
