// The sample models as benchmarks use them: their files, and requests for them as bytes of each door.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type GrpcClient, requestBytes } from '../../processes/client.js';
import { root } from '../../processes/harness.js';

export const sampleModels = join(root, 'examples', 'models');

export interface Sample {
  readonly model: string;
  readonly file: string;
  readonly input: string;
  readonly shape: readonly number[];
  /** A ModelInferRequest. */
  readonly grpc: Buffer;
  /** The JSON of an infer request. */
  readonly json: Buffer;
  readonly path: string;
  readonly tensor: Buffer;
}

interface Metadata {
  readonly inputs: readonly { readonly name: string; readonly shape: readonly number[] }[];
}

/** Sizes that the model leaves open are taken from `open`, in order; the rest is the model's. */
export async function sampleOf(client: GrpcClient, model: string, open: readonly number[]): Promise<Sample> {
  const metadata = (await client.ask('ModelMetadata', { name: model })) as unknown as Metadata;
  const [first] = metadata.inputs;
  if (first === undefined) throw new Error(`${model} has no input`);
  const sizes = [...open];
  const shape = first.shape.map((size) => (size >= 0 ? size : (sizes.shift() ?? 1)));
  const count = shape.reduce((product, size) => product * size, 1);
  const data = new Float32Array(count).map((_, at) => (at % 16) / 16);
  const request = { model, input: first.name, shape, data };
  const file = join(sampleModels, model, '1', 'model.onnx');
  return {
    model,
    file: existsSync(file) ? file : '',
    input: first.name,
    shape,
    grpc: requestBytes(request),
    json: Buffer.from(
      JSON.stringify({ inputs: [{ name: first.name, datatype: 'FP32', shape, data: [...data] }] }),
    ),
    path: `/v2/models/${model}/infer`,
    tensor: Buffer.from(data.buffer),
  };
}

interface Statistics {
  readonly model_stats: readonly {
    readonly inference_stats: {
      readonly success: { readonly count: number };
      readonly fail: { readonly count: number };
    };
  }[];
}

/** Answers of a model that went well and that did not, since its start. */
export async function countsOf(
  client: GrpcClient,
  model: string,
): Promise<{ success: number; fail: number }> {
  const told = (await client.ask('ModelStatistics', { name: model })) as unknown as Statistics;
  const stats = told.model_stats[0]?.inference_stats;
  return { success: Number(stats?.success.count ?? 0), fail: Number(stats?.fail.count ?? 0) };
}
