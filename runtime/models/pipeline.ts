// What a model's config.yaml may say of the steps before and after it, and of the model that it runs.
import { limits } from '../../proto/limits.js';
import { type Datatype, datatypes } from '../../proto/tensor.js';
import { whole, word, z } from '../shape.js';

const stepsMax = 32;
const inFlightMax = 1024;

const port = z.strictObject({
  name: word(limits.nameLengthMax),
  datatype: z.enum(Object.keys(datatypes) as [Datatype, ...Datatype[]]),
  shape: z.array(whole(-1, Number.MAX_SAFE_INTEGER)).max(limits.dimensionsMax),
});
const ports = z.array(port).min(1).max(limits.tensorsPerJobMax).optional();
const steps = z.array(z.unknown()).max(stepsMax).optional();
const modelPattern = /^[A-Za-z0-9._-]{1,128}(:[1-9]\d{0,14})?$/;
const wantedModel = 'a model as NAME or NAME:VERSION';

export const pipelineShape = {
  runs: z
    .string({ error: wantedModel })
    .regex(modelPattern, { error: wantedModel })
    .optional()
    .describe(
      'The model that does the work between the steps, as NAME or NAME:VERSION. Default: its own file.',
    ),
  runsWhen: z
    .record(
      z.string(),
      z.record(z.string(), z.string({ error: wantedModel }).regex(modelPattern, { error: wantedModel })),
    )
    .optional()
    .describe('Other models for values of a request parameter, such as { scale: { 3: srcnn_x3 } }.'),
  before: steps.describe('Steps from the request to the model: a name, or { name: { option: value } }.'),
  after: steps.describe('Steps from the model to the answer.'),
  takes: ports.describe('The inputs that clients see, like `inputs`. Default: those of the first step.'),
  gives: ports.describe('The outputs that clients see. Default: those of the last step.'),
  requestsInFlightMax: whole(1, inFlightMax)
    .optional()
    .describe('Requests that are in the steps at a time; others wait. Default: 64.'),
  jobsInFlightMax: whole(1, inFlightMax)
    .optional()
    .describe('Jobs that the steps make of one request and that are with the model at a time. Default: 8.'),
} as const;

/** What belongs to a tensor model and not to one that runs another. */
const ofTensors = ['inputs', 'outputs', 'maxBatch', 'batching', 'simulated', 'memoryMb'] as const;

export function misrun(
  config: {
    readonly runs?: string | undefined;
    readonly runsWhen?: unknown;
    readonly load?: string | undefined;
  } & {
    readonly [K in (typeof ofTensors)[number]]?: unknown;
  },
): string | undefined {
  const { runs, runsWhen } = config;
  if (runs === undefined) {
    return runsWhen === undefined
      ? undefined
      : 'runsWhen names models for some requests, but runs is missing: it names the model for all others';
  }
  const stray = config.load === 'demand' ? 'load' : ofTensors.find((key) => config[key] !== undefined);
  return stray && `${stray} is said here and runs is ${runs}: it belongs into the config of ${runs}`;
}
