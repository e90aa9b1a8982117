// A model with steps before or after it, as clients see it: its ports are those of its steps, its state is that of the tensor
// model behind it.

import type { ModelEntry, ModelTensor } from '../models/entry.js';
import { everyRun, type Pipeline } from '../pipelines/declaration.js';
import type { Engine, ModelStatus } from './engine.js';
import { quote } from './sentence.js';
import { makeSignature, type Port, type Signature } from './signature.js';

export interface Ports {
  readonly inputs: readonly ModelTensor[];
  readonly outputs: readonly ModelTensor[];
}

type Shelf = Pick<Engine, 'model'>;

/** The model that a pipeline asks, or the sentence that says why there is none. */
export function tensorModelOf(
  engine: Shelf,
  { model, version, runs: usual }: Pipeline,
  runs = usual,
): ModelEntry | string {
  const [name = '', wanted = ''] = runs === '' ? [model, version] : runs.split(':');
  const entry = engine.model(name, wanted);
  const says = `model ${quote(model)} runs ${quote(runs)}`;
  if (entry === undefined) return `${says}, which is not in the repository`;
  if (entry.pipeline !== undefined && entry.pipeline.runs !== '') {
    return `${says}, which runs ${quote(entry.pipeline.runs)} itself: wanted is a tensor model`;
  }
  if (entry.state === 'available') return entry;
  return runs === '' ? entry.reason : `${says}, which can't be served: ${entry.reason}`;
}

/** What clients may send to a model and get from it. */
export function portsOf(engine: Shelf, entry: ModelEntry): Ports {
  const { pipeline } = entry;
  if (pipeline === undefined) return entry;
  const behind = tensorModelOf(engine, pipeline);
  const nothing = { inputs: [], outputs: [] };
  const own = typeof behind === 'string' ? nothing : behind;
  return { inputs: pipeline.takes ?? own.inputs, outputs: pipeline.gives ?? own.outputs };
}

/** Ready when all are that it may run. */
export function statusBehind(engine: Engine, pipeline: Pipeline): ModelStatus {
  const { model: name, version } = pipeline;
  for (const runs of everyRun(pipeline)) {
    const behind = tensorModelOf(engine, pipeline, runs);
    if (typeof behind === 'string') return { name, version, state: 'UNAVAILABLE', reason: behind };
    const { state, reason } = engine.status(behind.name, behind.version);
    const why = reason === '' ? '' : `${behind.name}, which it runs: ${reason}`;
    if (state !== 'READY') return { name, version, state, reason: why };
  }
  return { name, version, state: 'READY', reason: '' };
}

/** Its requests are of one row each: what belongs together in a batch is decided behind the steps. */
export function outerSignature(
  { name, version, config, pipeline }: ModelEntry,
  { inputs, outputs }: Ports,
): Signature {
  const { deadlineDefaultMs } = config;
  const wishes = { deadlineDefaultMs, idempotent: true, shareIdentical: false, hedge: false };
  return { ...makeSignature(name, version, 0, inputs.map(portOf), outputs.map(portOf), wishes), pipeline };
}

export function portOf({ name, datatype, shape, optional }: ModelTensor): Port {
  return { name, datatype, shape, optional: optional ?? false };
}
