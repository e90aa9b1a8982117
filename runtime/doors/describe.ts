// What the doors tell of the server and its models, as the fields of the protocol: the same for gRPC and REST.
import type { ErrorCode } from '../../proto/errors.js';
import { modelKey } from '../../proto/ids.js';
import type { Datatype } from '../../proto/tensor.js';
import { batchingOf } from '../models/batching.js';
import type { ModelEntry, ModelTensor } from '../models/entry.js';
import { variantFor, variantsBeside } from '../models/variants.js';
import { versionPolicy } from '../models/versions.js';
import type { Engine, ModelStatus, Sum } from './engine.js';
import { type Models, statusOf } from './models.js';
import { portsOf, tensorModelOf } from './outer.js';
import { lostIn, lostReason, whereabouts } from './whereabouts.js';

type Fields = Record<string, unknown>;

/** Only what works: clients act on these. */
const extensions = [
  'binary_tensor_data',
  'parameters',
  'schedule_policy',
  'model_configuration',
  'model_repository',
  'statistics',
];

export function describeServer(version: string): Fields {
  return { name: 'signalbox', version, extensions };
}

export function describeMetadata(engine: Engine, entry: ModelEntry): Fields {
  const versions = engine.models().filter((other) => other.name === entry.name && other.state !== 'unchosen');
  const { inputs, outputs } = portsOf(engine, entry);
  return {
    name: entry.name,
    versions: versions.map((other) => other.version).sort((a, b) => Number(a) - Number(b)),
    platform: platformOf(entry),
    inputs: inputs.map(tensorMetadata),
    outputs: outputs.map(tensorMetadata),
  };
}

export function describeConfig(engine: Engine, entry: ModelEntry): Fields {
  // What clients see of a pipeline has no rows apart; how its model batches is told of that.
  const batches = entry.maxBatch > 0 && entry.pipeline === undefined;
  const { inputs, outputs } = portsOf(engine, entry);
  const { runsOn = [] } = statusOf(engine, entry);
  const config: Fields = {
    name: entry.name,
    platform: platformOf(entry),
    backend: entry.config.backend,
    version_policy: versionPolicy(entry.config.versions),
    max_batch_size: batches ? entry.maxBatch : 0,
    input: inputs.map((tensor) => tensorConfig(tensor, batches)),
    output: outputs.map((tensor) => tensorConfig(tensor, batches)),
    instance_group: groupsOf(entry.name, runsOn),
    model_transaction_policy: { decoupled: false },
  };
  if (batches) config['dynamic_batching'] = batchingConfig(entry);
  const behind = entry.pipeline === undefined ? entry : tensorModelOf(engine, entry.pipeline);
  const { name, version } = typeof behind === 'string' ? entry : behind;
  const { policy, why } = engine.manner(name, version);
  config['parameters'] = {
    batching_policy: { string_value: policy },
    batching_why: { string_value: why === '' ? 'no scheduler has reported on it yet' : why },
    ...(runsOn.length === 0 ? {} : { runs_on: { string_value: placesIn(runsOn) } }),
    ...variantParameters(entry),
  };
  return config;
}

function groupsOf(name: string, runsOn: NonNullable<ModelStatus['runsOn']>): Fields[] {
  if (runsOn.length === 0) return [{ name: `${name}_0`, kind: 'KIND_CPU', count: 1 }];
  return runsOn.map(([place, count], at) => {
    const kind = /^(webgpu|cuda|tensorrt)\b/.test(place) ? 'KIND_GPU' : 'KIND_CPU';
    return { name: `${name}_${at}`, kind, count };
  });
}

/** What there is, and what is served where nothing else is said of a device. */
function variantParameters({ config }: ModelEntry): Fields {
  if (config.variants === undefined) return {};
  const { variants, variant } = config;
  const served = typeof variant === 'object' ? JSON.stringify(variant) : variantFor(config, '');
  return {
    variants: { string_value: Object.keys(variants).join(', ') },
    variant: { string_value: served },
    variants_by_request: { string_value: variantsBeside(config).join(', ') },
  };
}

/** In the protocol's own fields, as far as it has some for what the owner said. */
function batchingConfig({ config }: ModelEntry): Fields {
  const { preferred, depthMax } = batchingOf(config.batching);
  return {
    preferred_batch_size: preferred,
    max_queue_delay_microseconds: Math.round((config.batching?.maxDelayMs ?? 0) * 1000),
    ...(depthMax === 0 ? {} : { default_queue_policy: { max_queue_size: depthMax } }),
  };
}

export function describeStatistics(models: Models, engine: Engine, name: string, version: string): Fields {
  return { model_stats: models.several(name, version).map((entry) => statisticsOf(engine, entry)) };
}

/** The repository as a bare list, with where each model is. */
export function describeIndex(engine: Engine, readyOnly: boolean): Fields[] {
  const where = whereabouts(engine);
  const lost = lostIn(engine);
  return engine
    .models()
    .map((entry) => {
      const key = modelKey(entry.name, entry.version);
      const status = statusOf(engine, entry);
      const reason = status.reason || (lost.has(key) ? lostReason : '');
      return { ...status, reason, content: entry.content, nodes: where.get(key) };
    })
    .filter((status) => !readyOnly || status.state === 'READY')
    .map(({ content, nodes, name, version, state, reason, runsOn = [], workers, memoryMb }) => ({
      name,
      version,
      state,
      reason,
      ...(runsOn.length === 0 ? {} : { runs_on: placesIn(runsOn) }),
      ...(workers === undefined ? {} : { workers }),
      ...(memoryMb === undefined ? {} : { memory_mb: memoryMb }),
      ...(content === undefined ? {} : { content }),
      ...(nodes === undefined ? {} : { nodes }),
    }));
}

/** `webgpu in 1 worker, cpu in 2 workers`. */
function placesIn(runsOn: NonNullable<ModelStatus['runsOn']>): string {
  return runsOn
    .map(([place, workers]) => `${place} in ${workers} worker${workers === 1 ? '' : 's'}`)
    .join(', ');
}

function statisticsOf(engine: Engine, { name, version }: ModelEntry): Fields {
  const counters = engine.counters(name, version);
  return {
    name,
    version,
    last_inference: Math.round(counters.lastInferenceMs),
    inference_count: counters.inferenceCount,
    execution_count: counters.executionCount,
    inference_stats: {
      success: duration(counters.success),
      fail: duration(counters.fail),
      queue: duration(counters.queue),
      compute_input: duration(counters.computeInput),
      compute_infer: duration(counters.computeInfer),
      compute_output: duration(counters.computeOutput),
      cache_hit: nothing,
      cache_miss: nothing,
    },
    batch_stats: [...counters.batches]
      .sort(([a], [b]) => a - b)
      .map(([rows, sums]) => ({
        batch_size: rows,
        compute_input: duration(sums.computeInput),
        compute_infer: duration(sums.computeInfer),
        compute_output: duration(sums.computeOutput),
      })),
    response_stats: Object.fromEntries(
      [...counters.codes].map(([code, count]) => [code, byCode(code, count)]),
    ),
  };
}

/** Every end that was not a good one is counted under its code; a cancel is nobody's failure. */
function byCode(code: ErrorCode, count: number): Fields {
  return { [code === 'CANCELLED' ? 'cancel' : 'fail']: { count, ns: 0 } };
}

const nothing = { count: 0, ns: 0 };

function duration(sum: Sum): { count: number; ns: number } {
  return { count: sum.count, ns: Math.round(sum.ms * 1e6) };
}

function tensorMetadata(tensor: ModelTensor): Fields {
  return { name: tensor.name, datatype: tensor.datatype, shape: tensor.shape };
}

function tensorConfig(tensor: ModelTensor, batches: boolean): Fields {
  return {
    name: tensor.name,
    data_type: configDatatype(tensor.datatype),
    dims: batches ? tensor.shape.slice(1) : tensor.shape,
  };
}

function configDatatype(datatype: Datatype): string {
  return `TYPE_${datatype === 'BYTES' ? 'STRING' : datatype}`;
}

function platformOf(entry: ModelEntry): string {
  if (entry.pipeline !== undefined) return 'signalbox_pipeline';
  return entry.config.backend === 'onnxruntime' ? 'onnxruntime_onnx' : entry.config.backend;
}
