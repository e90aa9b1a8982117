// The steps of a text model as its config.yaml names them: what they may be told, and what clients see of them.
import { limits } from '../../../proto/limits.js';
import { whole, word, z } from '../../shape.js';
import { type StepKind, stepKind } from '../step.js';
import { tokenizerFaults } from './files.js';

const tokensMost = 65_536;
const ascending = 'ascending numbers of tokens';
/** Short texts are many, and a token too much is a large part of them: below 24 none is filled up. */
const shortLengths = Array.from({ length: 21 }, (_, at) => at + 4);
const lengthsUsual = [
  ...shortLengths,
  ...[26, 28, 30, 32, 36, 40, 48, 56, 64, 72, 80, 96, 112, 128, 160, 192, 224, 256],
];
const tensorName = word(limits.nameLengthMax);

const tokenizeOptions = z.strictObject({
  tokensMax: whole(3, tokensMost)
    .default(256)
    .describe('Tokens of one text that the model reads, the special ones among them.'),
  tooLong: z
    .enum(['cut', 'refuse'])
    .default('cut')
    .describe('What becomes of a text that has more: its beginning counts, or the request is INPUT_INVALID.'),
  charactersMax: whole(256, 16_777_216)
    .default(65_536)
    .describe(
      'Characters of one text that are looked at. It matters only to texts that give few tokens for their length, such as mostly blanks.',
    ),
  textsMax: whole(1, limits.rowsPerJobMax).default(1024).describe('Texts of one request.'),
  lengths: z
    .array(whole(1, tokensMost), { error: ascending })
    .max(limits.batchSizesMax, { error: ascending })
    .refine((lengths) => lengths.every((length, at) => at === 0 || length > (lengths[at - 1] as number)), {
      error: ascending,
    })
    .default(lengthsUsual)
    .describe(
      'Texts are filled up to the next of these numbers of tokens, and only those of one length run together.',
    ),
  joinTokens: whole(0, tokensMost)
    .default(6)
    .describe(
      'The last texts of a request go with longer ones of the same request where no more tokens than these are filled up for that.',
    ),
  rowsMax: whole(1, limits.jobsPerBatchMax)
    .default(8)
    .describe("Texts that go to the model as one job; no more than the model's own `maxBatch`."),
  input: tensorName.default('text').describe('What clients call the texts.'),
  ids: tensorName.default('input_ids').describe("The model's input for the ids of the tokens."),
  mask: tensorName
    .default('attention_mask')
    .describe("The model's input that tells tokens (1) from filling (0)."),
  kinds: tensorName
    .optional()
    .describe(
      "The model's input for the kinds of the tokens, all 0, such as `token_type_ids`. Default: it has none.",
    ),
});

export type TokenizeOptions = z.output<typeof tokenizeOptions>;

const tokenize = stepKind({
  side: 'before',
  meaning:
    'Texts become the ids of their tokens, by `tokenizer.json` and `tokenizer_config.json` in the folder of the model.',
  options: tokenizeOptions,
  takes: ({ input }) => [{ name: input, datatype: 'BYTES', shape: [-1] }],
  check: (_options, { folder }) => tokenizerFaults(folder),
  load: async () => (await import('./tokenize.js')).tokenize,
});

const reorder = stepKind({
  side: 'after',
  meaning: 'Puts what the model made of each text into the order in which the request had them.',
  options: z.strictObject({}),
  load: async () => (await import('./reorder.js')).reorder,
});

export const textSteps: Readonly<Record<string, StepKind>> = { tokenize, reorder };
