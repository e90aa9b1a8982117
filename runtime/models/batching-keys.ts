// What a model's owner may say under `batching`, and the mistakes in it that no single key shows.
import { batchDelayMostMs, batchPolicies, workerChoices } from '../../proto/batching.js';
import { limits } from '../../proto/limits.js';
import { tagPattern, tagWanted } from '../../proto/tags.js';
import { decimal, whole, word, z } from '../shape.js';

const weightMost = 1000;
const rows = whole(1, limits.jobsPerBatchMax);
const tags = z.array(z.string().regex(tagPattern, { error: tagWanted })).max(limits.tagsMax);
const bucketList = `a list of 1 to ${limits.batchSizesMax}`;
const aboveZero = `a number above 0, to ${weightMost}`;

export const batchingShape = z.strictObject({
  maxBatch: whole(0, limits.jobsPerBatchMax).optional().describe("The same as the model's own `maxBatch`."),
  policy: z
    .enum(batchPolicies)
    .default('auto')
    .describe('When a batch is sent. `auto` chooses from what runs cost and how many workers there are.'),
  preferred: z
    .array(rows)
    .max(limits.batchSizesMax)
    .default([])
    .describe('Rows at which a batch is sent at once, ascending.'),
  maxDelayMs: decimal(0, batchDelayMostMs)
    .optional()
    .describe(
      'How long the first of a batch waits for others at most. Default: with `window` not at all, else as long as it can.',
    ),
  weight: z
    .number({ error: aboveZero })
    .gt(0, { error: aboveZero })
    .max(weightMost, { error: aboveZero })
    .default(1)
    .describe("The model's share of workers that several models want."),
  queueDepthMax: whole(1, 1_000_000).optional().describe('Requests that wait. Default: as the node has it.'),
  queueBytesMax: whole(1024, 2 ** 40)
    .optional()
    .describe('Their bytes. Default: as the node has it.'),
  choice: z
    .enum(workerChoices)
    .optional()
    .describe('Which of the workers that could take a batch gets it. Default: as the node has it.'),
  needs: tags.default([]).describe('Tags that a worker must have to run the model.'),
  prefers: tags.default([]).describe('Tags of workers that go first where they are free as soon.'),
  sizes: z
    .array(rows)
    .max(limits.batchSizesMax)
    .optional()
    .describe(
      'The only rows that the model is run with, ascending up to `maxBatch`: batches are filled with empty rows.',
    ),
  shapeBuckets: z
    .strictObject({
      dimension: whole(1, limits.dimensionsMax - 1).describe(
        'The open (-1) dimension that is filled, counted from the rows, which are 0.',
      ),
      sizes: z
        .array(whole(1, Number.MAX_SAFE_INTEGER))
        .min(1, { error: bucketList })
        .max(limits.batchSizesMax, { error: bucketList })
        .describe(
          'Ascending. Inputs are filled with zeros to the next, outputs are cut back; what is beyond the last runs at its own size.',
        ),
      inputs: z
        .array(word(limits.nameLengthMax))
        .max(limits.tensorsPerJobMax)
        .default([])
        .describe('Those that are filled together. Default: all that are open there.'),
    })
    .optional()
    .describe('Requests of different sizes share a batch.'),
  padding: z
    .enum(['none', 'bucket', 'sizes'])
    .optional()
    .describe('Says once more what `sizes` (`sizes`) or `shapeBuckets` (`bucket`) ask for.'),
});

export type BatchingConfig = z.infer<typeof batchingShape>;

/** What is wrong between the keys, a sentence for each; `maxBatch` is the model's. */
export function misbatched(config: BatchingConfig, maxBatch: number): string[] {
  const { preferred, sizes, padding, shapeBuckets } = config;
  const found = [
    unbatched('preferred', preferred, maxBatch) ??
      falling('batching.preferred', preferred) ??
      beyond('batching.preferred', preferred, maxBatch),
    unbatched('sizes', sizes ?? [], maxBatch) ??
      falling('batching.sizes', sizes ?? []) ??
      wrongSizes(sizes, maxBatch),
    falling('batching.shapeBuckets.sizes', shapeBuckets?.sizes ?? []),
    wrongPadding(padding, sizes, shapeBuckets),
  ];
  return found.filter((sentence) => sentence !== undefined);
}

function unbatched(key: string, values: readonly number[], maxBatch: number): string | undefined {
  if (maxBatch > 0 || values.every((value) => value === 1)) return undefined;
  return (
    `batching.${key} is [${values.join(', ')}], but maxBatch is 0: the model does not batch; ` +
    `say how many rows it takes (maxBatch), or leave ${key} out`
  );
}

function falling(key: string, values: readonly number[]): string | undefined {
  const at = values.findIndex((value, index) => index > 0 && value <= (values[index - 1] as number));
  if (at < 0) return undefined;
  return `${key} is [${values.join(', ')}]: ${values[at]} follows ${values[at - 1]}; wanted are ascending numbers`;
}

function beyond(key: string, values: readonly number[], maxBatch: number): string | undefined {
  const most = Math.max(1, maxBatch);
  const at = values.findIndex((value) => value > most);
  if (at < 0) return undefined;
  return `${key}[${at}] is ${values[at]}; wanted is a whole number from 1 to ${most}, which is maxBatch`;
}

function wrongSizes(sizes: readonly number[] | undefined, maxBatch: number): string | undefined {
  if (sizes === undefined) return undefined;
  const largest = sizes.at(-1);
  if (largest !== undefined && largest === maxBatch) return undefined;
  return `batching.sizes is [${sizes.join(', ')}]; wanted are ascending numbers up to maxBatch, the last ${maxBatch} itself`;
}

function wrongPadding(
  padding: BatchingConfig['padding'],
  sizes: BatchingConfig['sizes'],
  buckets: BatchingConfig['shapeBuckets'],
): string | undefined {
  const given = [
    ...(sizes === undefined ? [] : ['sizes']),
    ...(buckets === undefined ? [] : ['shapeBuckets']),
  ].map((key) => `batching.${key}`);
  if (padding === 'none' && given.length > 0)
    return `batching.padding is none, but ${given.join(' and ')} asks for it; leave one of them out`;
  if (padding === 'sizes' && sizes === undefined)
    return 'batching.padding is sizes, but batching.sizes is missing; wanted is a list such as [1, 4, 16]';
  if (padding === 'bucket' && buckets === undefined)
    return (
      'batching.padding is bucket, but batching.shapeBuckets is missing; ' +
      'wanted is such as { dimension: 1, sizes: [32, 64, 128] }'
    );
  return undefined;
}
