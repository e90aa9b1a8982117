// A model's config.yaml: what its owner may say of it. Everything has a default but what only the owner can know.
import { limits } from '../../proto/limits.js';
import { type Datatype, datatypes } from '../../proto/tensor.js';
import { devicePattern, deviceWanted, fallbacks } from '../executor/device.js';
import { studySimulated } from '../executor/simulated.js';
import { decimal, readShape, whole, word, z } from '../shape.js';
import { parseYaml } from '../yaml.js';
import { backendPattern, backendWanted, isBuiltIn, strayed } from './backend.js';
import { batchingShape, misbatched } from './batching-keys.js';
import { nodesShape } from './nodes-keys.js';
import { misrun, pipelineShape } from './pipeline.js';
import { goldenTolerance } from './tolerance.js';
import { misvaried } from './variants.js';
import { variantsShape } from './variants-keys.js';
import { versionsShape } from './versions.js';

const dayMs = 86_400_000;

const tensor = z.strictObject({
  name: word(limits.nameLengthMax),
  datatype: z.enum(Object.keys(datatypes) as [Datatype, ...Datatype[]]),
  shape: z.array(whole(-1, Number.MAX_SAFE_INTEGER)).max(limits.dimensionsMax),
  optional: z.boolean().optional(),
});

/** The same with what its fields mean. */
const described = tensor.extend({
  name: tensor.shape.name.describe('As the model calls it.'),
  datatype: tensor.shape.datatype.describe('What its elements are.'),
  shape: tensor.shape.shape.describe(
    'Its dimensions, rows first where the model batches; -1 takes any size.',
  ),
  optional: tensor.shape.optional.describe('Whether requests may leave it out. Default: false.'),
});

export const modelShape = z.strictObject({
  backend: z
    .string()
    .regex(backendPattern, { error: backendWanted })
    .default('onnxruntime')
    .meta({ title: backendWanted })
    .describe(
      'What computes it: ONNX Runtime, or for trials what comes in, or what `simulated` says, or a module of your own.',
    ),
  maxBatch: whole(0, limits.jobsPerBatchMax)
    .optional()
    .describe(
      'Rows that a batch may have. From 1 on the first dimension of every tensor counts rows; 0: it does not.',
    ),
  batching: batchingShape.optional(),
  versions: versionsShape
    .default('all')
    .describe('Which of the versions in the folder are served: all, the N highest that can be, or these.'),
  placement: z
    .enum(['auto', 'inline', 'thread'])
    .default('auto')
    .describe('Where it runs in a worker: tiny models on the main thread, others in the compute thread.'),
  device: z
    .string()
    .regex(devicePattern, { error: deviceWanted })
    .optional()
    .meta({ title: deviceWanted })
    .describe(
      'What it runs on, with ONNX Runtime; `auto` is the best that takes it. Default: as its worker. Others than cpu: runtime/executor/DEVICES.md.',
    ),
  fallback: z
    .enum(fallbacks)
    .optional()
    .describe(
      'Where its device fails: not served there, with the reason (none), or on the CPU, which is told wherever it is shown. Default: as the node has it.',
    ),
  nodes: nodesShape.optional(),
  deadlineDefaultMs: decimal(1, dayMs).optional().describe('For requests that bring no deadline.'),
  runLongestMs: decimal(10, dayMs).optional().describe('A run that takes longer is taken for hung.'),
  load: z
    .enum(['start', 'demand'])
    .default('start')
    .describe(
      'When workers load it: at their start, as far as `modelMemoryMb` has room for it, or when it is asked for first.',
    ),
  memoryMb: decimal(0, 2 ** 30)
    .optional()
    .describe(
      'What it takes of the memory of a worker. Default: 1 MB and one and a half times the size of its ONNX file; 0 where it has none.',
    ),
  loadLongestMs: decimal(10, dayMs)
    .default(60_000)
    .describe(
      'A backend or a step of your own, or another device than the CPU, that takes longer to load is given up; a device takes its worker along.',
    ),
  idempotent: z
    .boolean()
    .default(true)
    .describe(
      'False: a run that has begun is never made again, whatever becomes of its worker, and each runs by itself: no batches.',
    ),
  shareIdentical: z
    .boolean()
    .default(false)
    .describe(
      'Requests that are equal to the byte and in flight together run once; not with `idempotent: false`.',
    ),
  hedge: z
    .boolean()
    .default(false)
    .describe(
      'A second worker may be asked when the first takes far longer than expected; not with `idempotent: false`.',
    ),
  finite: z
    .boolean()
    .default(false)
    .describe(
      'Every number of an answer must be finite: one that is NaN or infinite makes it RESULT_INVALID. Costs about 0.15 ms a megabyte.',
    ),
  golden: z
    .strictObject({
      use: z
        .enum(['auto', 'off'])
        .default('auto')
        .describe(
          "Whether a worker must answer a known input as before: that of golden.json in the version's folder, or a made-up one.",
        ),
      tolerance: decimal(0, 1)
        .default(goldenTolerance)
        .describe("How far its numbers may be off, as a share of an output's largest."),
    })
    .optional()
    .describe(
      'The proof of a worker, when the model is loaded and when in doubt. By default for the backends onnxruntime and simulated.',
    ),
  inputs: z
    .array(described)
    .max(limits.tensorsPerJobMax)
    .optional()
    .describe('Read from the ONNX file where they are left out.'),
  outputs: z
    .array(tensor)
    .max(limits.tensorsPerJobMax)
    .optional()
    .describe('The same, with the same fields, and only those that are named are served.'),
  simulated: z.record(z.string(), z.unknown()).optional().describe('Settings of the simulated backend.'),
  settings: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('What a backend of your own is told when it loads the model.'),
  ...variantsShape,
  ...pipelineShape,
});

export type ModelConfig = Omit<z.infer<typeof modelShape>, 'maxBatch'> & { readonly maxBatch: number };
export type TensorConfig = z.infer<typeof tensor>;

export const defaultModelConfig: ModelConfig = { ...modelShape.parse({}), maxBatch: 0 };

/** The configuration, or the sentences that say what is wrong with it. */
export function readModelConfig(content: string): ModelConfig | string {
  const read = studyModelConfig(content);
  return 'join' in read ? read.join('; ') : read;
}

/** The configuration, or a sentence for each mistake in it, which begins with its key. */
export function studyModelConfig(content: string): ModelConfig | readonly string[] {
  const parsed = parseYaml(content);
  if (!parsed.ok) return [`it is not YAML: ${parsed.reason}`];
  const read = readShape(modelShape, parsed.value ?? {});
  if (!read.ok) return read.mistakes;
  const { maxBatch: said, batching } = read.value;
  const differ = said !== undefined && batching?.maxBatch !== undefined && said !== batching.maxBatch;
  const maxBatch = said ?? batching?.maxBatch ?? 0;
  const config: ModelConfig = { ...read.value, maxBatch };
  const stray = misrun(read.value);
  const mistakes = [
    ...(differ
      ? [
          `maxBatch is ${said} and batching.maxBatch is ${batching.maxBatch}; wanted is one of them, or twice the same`,
        ]
      : []),
    ...(stray === undefined ? [] : [stray]),
    ...misplaced(config),
    ...misvaried(config, config),
    ...contradicted(config),
    ...(batching === undefined || differ || stray !== undefined ? [] : misbatched(batching, maxBatch)),
  ];
  return mistakes.length === 0 ? config : mistakes;
}

/**
 * What is left of a configuration without the keys that are wrong by themselves, so that the rest can be looked at too;
 * undefined where nothing can be read.
 */
export function salvaged(content: string): ModelConfig | undefined {
  const parsed = parseYaml(content);
  if (!parsed.ok || typeof parsed.value !== 'object' || parsed.value === null) return undefined;
  const fits = Object.entries(parsed.value).filter(
    ([key, value]) => readShape(modelShape, { [key]: value }).ok,
  );
  const read = readShape(modelShape, Object.fromEntries(fits));
  if (!read.ok) return undefined;
  return { ...read.value, maxBatch: read.value.maxBatch ?? read.value.batching?.maxBatch ?? 0 };
}

/** What is run by itself and once only is run for one request. */
function contradicted({ idempotent, shareIdentical, hedge }: ModelConfig): string[] {
  if (idempotent) return [];
  const shared =
    'shareIdentical is true and idempotent is false, but requests that may run once only are never shared; leave one of them out';
  const hedged =
    'hedge is true and idempotent is false, but what may run once only is never given to a second worker; leave one of them out';
  return [...(shareIdentical ? [shared] : []), ...(hedge ? [hedged] : [])];
}

function misplaced(config: ModelConfig): string[] {
  const { backend, placement, settings, device } = config;
  const idleDevice =
    device !== undefined && device !== 'cpu' && (backend === 'echo' || backend === 'simulated')
      ? [`device is ${device}, but backend is ${backend}, which runs on the CPU only; leave device out`]
      : [];
  const idle =
    settings !== undefined && isBuiltIn(backend)
      ? [`settings are for a backend of your own, but backend is ${backend}`]
      : [];
  const inline =
    placement === 'inline' && !isBuiltIn(backend)
      ? [
          `placement is inline, but backend is ${backend}; a backend of your own has a thread of its own: leave placement out`,
        ]
      : placement === 'inline' && device !== undefined && device !== 'cpu'
        ? [`placement is inline, but device is ${device}, which has the compute thread; leave placement out`]
        : [];
  const stray = strayed(backend);
  return [
    ...idle,
    ...idleDevice,
    ...inline,
    ...(stray === undefined ? [] : [stray]),
    ...missimulated(config),
  ];
}

function missimulated({ backend, simulated }: ModelConfig): string[] {
  if (simulated === undefined) return [];
  if (backend !== 'simulated') return [`simulated has settings, but backend is ${backend}`];
  const settings = studySimulated(simulated);
  return 'alphaMs' in settings ? [] : [...settings];
}
