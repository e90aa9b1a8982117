// Models computed by ONNX Runtime; the only file that knows the library. Inputs are views of the batch's bytes, outputs
// views of what the library allocated.
import { readFile } from 'node:fs/promises';
import { arch, cpus, platform } from 'node:os';
import { env, InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import {
  type Datatype,
  datatypes,
  elementCount,
  type Tensor,
  type TensorHeader,
} from '../../../proto/tensor.js';
import { now } from '../../clock.js';
import { type Backend, BackendError, type Batch, type LoadedModel } from '../backend.js';
import { type Device, kindOf, numberOf } from '../device.js';
import { bytesOf, readStrings, viewElements, writeStrings } from '../elements.js';
import { isWorthKeeping, KeptGraph } from '../graphs.js';
import { elsewhere, OperatorRecord } from '../operators.js';
import type { LoadOrder } from '../order.js';
import { blankInputs } from '../warming.js';

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

export const onnxruntime: Backend = { load };

async function load(order: LoadOrder): Promise<LoadedModel> {
  for (const tensor of [...order.inputs, ...order.outputs]) refuseBrainFloat(tensor);
  const { session, partly } = await openSession(order);
  const mismatch = findMismatch(order, session);
  if (mismatch !== undefined) {
    await session.release();
    throw new Error(mismatch);
  }
  return {
    partly,
    infer: (batch) => infer(session, batch),
    unload: () => session.release(),
  };
}

interface Opened {
  readonly session: InferenceSession;
  /** What of it does not run on its device; empty: nothing. */
  readonly partly: string;
}

async function openSession(order: LoadOrder): Promise<Opened> {
  const kept = await openKept(order);
  if (kept !== undefined) return { session: kept, partly: '' };
  try {
    if (order.device !== 'cpu') return await openOnDevice(order);
    return { session: await InferenceSession.create(order.file, optionsOf(order)), partly: '' };
  } catch (error) {
    throw new Error(sentenceOf(error));
  }
}

/** With a look at one run, for what the device has not is computed by the CPU. */
async function openOnDevice(order: LoadOrder): Promise<Opened> {
  const record = await OperatorRecord.begin(order.graphs);
  try {
    const session = await InferenceSession.create(order.file, {
      ...optionsOf(order),
      enableProfiling: true,
      profileFilePrefix: record.prefix,
    });
    try {
      const rows = order.rowSizes[0] ?? 1;
      const outputs = session.outputNames;
      await infer(session, { inputs: blankInputs(order, rows), rows, outputs }).catch(() => []);
      session.endProfiling();
      return { session, partly: elsewhere(kindOf(order.device), await record.read()) };
    } catch (error) {
      await session.release();
      throw error;
    }
  } finally {
    await record.drop();
  }
}

/** The product of a matrix with itself. */
const productModel =
  'CAg6RwoRCgF4CgF4EgF5IgZNYXRNdWwSBHRlc3RaFQoBeBIQCg4IARIKCgMSAW4KAxIBbmIVCgF5EhAKDggBEgoKAxIBbgoDEgFuQgQKABAR';
const productSize = 384;

/** Milliseconds of a product of matrices there. Rejects with a sentence where it can't be had, or is wrong. */
export async function tryDevice(device: Device): Promise<number> {
  try {
    const options = {
      executionProviders: [providerOf(device)],
      logSeverityLevel: 4,
      intraOpNumThreads: 1,
    } as const;
    const session = await InferenceSession.create(Buffer.from(productModel, 'base64'), options);
    const numbers = new Float32Array(productSize ** 2).fill(0.5);
    let ms = Number.POSITIVE_INFINITY;
    for (let run = 0; run < 2; run++) {
      const x = new OrtTensor('float32', numbers, [productSize, productSize]);
      const startedAt = now();
      const { y } = (await session.run({ x })) as { y: OrtTensor };
      ms = Math.min(ms, now() - startedAt);
      const wrong = (y.data as Float32Array).find((value) => value !== productSize / 4);
      if (wrong !== undefined) throw new Error(`it computes wrong: ${wrong} instead of ${productSize / 4}`);
    }
    return ms;
  } catch (error) {
    throw new Error(sentenceOf(error));
  }
}

function providerOf(device: Device): InferenceSession.ExecutionProviderConfig {
  const kind = kindOf(device);
  return kind === 'cpu' || kind === 'webgpu' ? kind : { name: kind, deviceId: numberOf(device) };
}

function optionsOf(order: LoadOrder): InferenceSession.SessionOptions {
  return {
    executionProviders: [providerOf(order.device)],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: order.threads,
    interOpNumThreads: 1,
    // What goes wrong comes back as an error; the library need not print it too.
    logSeverityLevel: 4,
    extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
  };
}

/**
 * By way of the kept graph where that is quicker, which is made here when there is none. Nothing where it can't be: then
 * the usual way says why. Graphs for other devices than the CPU can't be written.
 */
async function openKept(order: LoadOrder): Promise<InferenceSession | undefined> {
  const { graphs, device, file, nodeCount, sizeBytes } = order;
  if (graphs === '' || device !== 'cpu' || !isWorthKeeping(nodeCount, sizeBytes)) return undefined;
  const model = await readFile(file).catch(() => undefined);
  if (model === undefined || mayHaveOtherFiles(model)) return undefined;
  const options = optionsOf(order);
  const machine = `${platform()} ${arch()} ${cpus()[0]?.model}`;
  const kept = new KeptGraph(graphs, model, [env.versions.node ?? '', machine, JSON.stringify(options)]);
  const graph = await kept.find();
  const opened = graph && (await opens(graph, { ...options, graphOptimizationLevel: 'disabled' }));
  if (opened !== undefined) return opened;
  const optimizedModelFilePath = await kept.draft();
  if (optimizedModelFilePath === undefined) return undefined;
  const fresh = await opens(model, { ...options, optimizedModelFilePath });
  await (fresh === undefined ? kept.drop() : kept.keep());
  return fresh;
}

async function opens(
  model: Uint8Array,
  options: InferenceSession.SessionOptions,
): Promise<InferenceSession | undefined> {
  try {
    return await InferenceSession.create(model, options);
  } catch {
    return undefined;
  }
}

/** Weights in files beside the model are named by a key called `location`: their content would be in no hash. */
function mayHaveOtherFiles(model: Buffer): boolean {
  return model.includes('\x0a\x08location');
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
    .replace(/^\/onnxruntime_src\/.* was false\. /s, '')
    .replace(/\S*\/onnxruntime\/\S+:\d+ .*?\) (?=\S)/gs, '')
    .replace(/\s+/g, ' ')
    .trim();
  return plain.length > 400 ? `${plain.slice(0, 397)}...` : plain;
}

function saysDeviceLost(reason: string): boolean {
  return /device\W{0,2} ?(was |is )?lost|DEVICE_LOST|external Instance reference|CUDA (failure|error)|illegal memory access/i.test(
    reason,
  );
}
