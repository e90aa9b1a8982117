// A model's config.yaml: what its owner may say of it. Everything has a default but what only the owner can know.
import { datatypes, type Datatype } from '../../proto/tensor.js';
import { limits } from '../../proto/limits.js';
import { mistakes, z } from '../shape.js';
import { parseYaml } from '../yaml.js';

const tensor = z.strictObject({
  name: z.string().min(1).max(limits.nameLengthMax),
  datatype: z.enum(Object.keys(datatypes) as [Datatype, ...Datatype[]]),
  /** -1 takes any size. */
  shape: z.array(z.int().min(-1)).max(limits.dimensionsMax),
  optional: z.boolean().optional(),
});

const modelConfig = z.strictObject({
  backend: z.enum(['onnxruntime', 'echo', 'simulated']).default('onnxruntime'),
  /** Rows that a batch may have. From 1 on the first dimension of every tensor counts rows; 0: it does not. */
  maxBatch: z.int().min(0).max(limits.jobsPerBatchMax).default(0),
  /** Where it runs in a worker: tiny models on the main thread, others in the compute thread. */
  placement: z.enum(['auto', 'inline', 'thread']).default('auto'),
  /** For requests that bring no deadline. */
  deadlineDefaultMs: z.number().min(1).max(86_400_000).optional(),
  /** A run that takes longer is taken for hung. */
  runLongestMs: z.number().min(10).max(86_400_000).optional(),
  /** Read from the ONNX file where they are left out. */
  inputs: z.array(tensor).max(limits.tensorsPerJobMax).optional(),
  outputs: z.array(tensor).max(limits.tensorsPerJobMax).optional(),
  /** Settings of the simulated backend, which reads them itself. */
  simulated: z.record(z.string(), z.unknown()).optional(),
});

export type ModelConfig = z.infer<typeof modelConfig>;
export type TensorConfig = z.infer<typeof tensor>;

export const defaultModelConfig: ModelConfig = modelConfig.parse({});

/** The configuration, or the sentence that says what is wrong with it. */
export function readModelConfig(content: string): ModelConfig | string {
  const parsed = parseYaml(content);
  if (!parsed.ok) return `it is not YAML: ${parsed.reason}`;
  const given = parsed.value ?? {};
  const result = modelConfig.safeParse(given);
  return result.success ? result.data : mistakes(result.error, given).join('; ');
}
