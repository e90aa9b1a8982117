// Models computed by ONNX Runtime; the only file that knows the library. Inputs are views of the batch's bytes, outputs
// views of what the library allocated.
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import {
  byteSize,
  type Datatype,
  datatypes,
  elementCount,
  type Tensor,
  type TensorHeader,
} from '../../../proto/tensor.js';
import { now } from '../../clock.js';
import { type Backend, BackendError, type Batch, type LoadedModel } from '../backend.js';
import { bytesOf, readStrings, viewElements, writeStrings } from '../elements.js';
import type { LoadOrder } from '../order.js';

const typeNames: Readonly<Record<Exclude<Datatype, 'BF16'>, OrtTensor.Type>> = {
  BOOL: 'bool',
  UINT8: 'uint8',
  UINT16: 'uint16',
  UINT32: 'uint32',
  UINT64: 'uint64',
  INT8: 'int8',
  INT16: 'int16',
  INT32: 'int32',
  INT64: 'int64',
  FP16: 'float16',
  FP32: 'float32',
  FP64: 'float64',
  BYTES: 'string',
};
const datatypeOf = new Map(Object.entries(typeNames).map(([datatype, type]) => [type, datatype as Datatype]));

/** Stands in for a size that the model leaves open, when it is warmed up. */
const openSize = 32;
const warmRunsMax = 24;
const warmBudgetMs = 40;
const measuredRuns = 3;

export const onnxruntime: Backend = { load };

async function load(order: LoadOrder): Promise<LoadedModel> {
  for (const tensor of [...order.inputs, ...order.outputs]) refuseBrainFloat(tensor);
  const session = await openSession(order);
  const mismatch = findMismatch(order, session);
  if (mismatch !== undefined) {
    await session.release();
    throw new Error(mismatch);
  }
  return {
    warmup: (rows) => warmup(session, order, rows),
    measure: (rows) => measure(session, order, rows),
    infer: (batch) => infer(session, batch),
    unload: () => session.release(),
  };
}

async function openSession(order: LoadOrder): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(order.file, {
      executionProviders: [order.device],
      graphOptimizationLevel: 'all',
      intraOpNumThreads: order.threads,
      interOpNumThreads: 1,
      // What goes wrong comes back as an error; the library need not print it too.
      logSeverityLevel: 4,
      extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
    });
  } catch (error) {
    throw new Error(sentenceOf(error));
  }
}

function refuseBrainFloat(tensor: TensorHeader): void {
  if (tensor.datatype !== 'BF16') return;
  throw new Error(
    `${tensor.name} is BF16, which ONNX Runtime does not take from Node; export the model with FP16 or FP32`,
  );
}

function findMismatch(order: LoadOrder, session: InferenceSession): string | undefined {
  const sides = [
    ['input', order.inputs, session.inputNames],
    ['output', order.outputs, session.outputNames],
  ] as const;
  for (const [side, declared, known] of sides) {
    const stranger = declared.find((tensor) => !known.includes(tensor.name));
    if (stranger !== undefined) {
      return `the config names an ${side} ${stranger.name}, the model file has ${known.join(', ')}`;
    }
  }
  return undefined;
}

async function warmup(session: InferenceSession, order: LoadOrder, rows: number): Promise<number> {
  const feeds = blanks(order, rows);
  const beganAt = now();
  let best = Number.POSITIVE_INFINITY;
  // The first run pays for memory and caches; of the others the quickest is the least disturbed.
  for (let runs = 0; runs < 2 || (runs < warmRunsMax && now() - beganAt < warmBudgetMs); runs++) {
    const startedAt = now();
    try {
      await session.run(feeds);
    } catch {
      return 0;
    }
    if (runs > 0) best = Math.min(best, now() - startedAt);
  }
  return best;
}

/** The middle one of a few runs, after one that pays for the memory of so many rows. */
async function measure(session: InferenceSession, order: LoadOrder, rows: number): Promise<number> {
  const feeds = blanks(order, rows);
  const times: number[] = [];
  for (let runs = 0; runs <= measuredRuns; runs++) {
    const startedAt = now();
    try {
      await session.run(feeds);
    } catch {
      return 0;
    }
    if (runs > 0) times.push(now() - startedAt);
  }
  return times.sort((a, b) => a - b)[measuredRuns >> 1] as number;
}

function blanks(order: LoadOrder, rows: number): Record<string, OrtTensor> {
  return Object.fromEntries(order.inputs.map((input) => [input.name, blank(input, order.batches, rows)]));
}

function blank(input: TensorHeader, batches: boolean, rows: number): OrtTensor {
  const shape = input.shape.map((size, axis) => (axis === 0 && batches ? rows : size < 0 ? openSize : size));
  if (input.datatype === 'BYTES') return new OrtTensor('string', Array(elementCount(shape)).fill(''), shape);
  const header = { ...input, shape };
  return tensorOf({ ...header, data: new Uint8Array(byteSize(header)) });
}

async function infer(session: InferenceSession, batch: Batch): Promise<readonly Tensor[]> {
  const feeds: Record<string, OrtTensor> = {};
  for (const input of batch.inputs) feeds[input.name] = tensorOf(input);
  let results: InferenceSession.OnnxValueMapType;
  try {
    results = await session.run(feeds, batch.outputs);
  } catch (error) {
    const reason = sentenceOf(error);
    throw new BackendError(saysDeviceLost(reason) ? 'DEVICE_LOST' : 'MODEL_FAILED', reason);
  }
  return batch.outputs.map((name) => answer(name, results[name]));
}

function tensorOf(tensor: Tensor): OrtTensor {
  if (tensor.datatype === 'BYTES') {
    const strings = readStrings(tensor.data, elementCount(tensor.shape));
    const fault = typeof strings === 'string' ? strings : findCutText(strings);
    if (typeof strings === 'string' || fault !== undefined) {
      throw new BackendError('MODEL_FAILED', `input ${tensor.name}: ${fault}`);
    }
    return new OrtTensor('string', strings, tensor.shape);
  }
  refuseBrainFloat(tensor);
  const type = typeNames[tensor.datatype as keyof typeof typeNames] as 'float32';
  return new OrtTensor(type, viewElements(tensor.datatype, tensor.data) as Float32Array, tensor.shape);
}

/** The library ends a text at its first zero character, without a word. */
function findCutText(strings: readonly string[]): string | undefined {
  const element = strings.findIndex((text) => text.includes('\0'));
  return element < 0
    ? undefined
    : `element ${element} has a zero character, which this model's text may not have`;
}

function answer(name: string, value: OrtTensor | undefined): Tensor {
  const datatype = value === undefined ? undefined : datatypeOf.get(value.type);
  if (value === undefined || datatype === undefined) {
    throw new BackendError('MODEL_FAILED', `output ${name} is no tensor of a type that the protocol has`);
  }
  const data =
    datatypes[datatype] === 0 ? writeStrings(value.data as string[]) : bytesOf(value.data as Float32Array);
  return { name, datatype, shape: value.dims, data };
}

/** The library's own words without status codes, paths of its sources and function signatures. */
function sentenceOf(error: unknown): string {
  const words = error instanceof Error ? error.message : String(error);
  const plain = words
    .replace(/^.*?Status Message: /s, '')
    .replace(/\S*\/onnxruntime\/\S+:\d+ .*?\) (?=\S)/gs, '')
    .replace(/\s+/g, ' ')
    .trim();
  return plain.length > 400 ? `${plain.slice(0, 397)}...` : plain;
}

function saysDeviceLost(reason: string): boolean {
  return /device (was |is )?lost|DEVICE_LOST|CUDA (failure|error)|illegal memory access/i.test(reason);
}
