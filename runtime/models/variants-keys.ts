// The keys by which a model's owner names its variants and chooses among them.
import { word, z } from '../shape.js';
import { devices } from './variants.js';

const nameWanted = 'a name of 1 to 40 letters, digits, dots, - or _';
const name = z.string().regex(/^[A-Za-z0-9._-]{1,40}$/, { error: nameWanted });
const fileWanted = 'the name of a file in the version folder that ends in .onnx';
const file = word(128).regex(/^[^/\\]*[^/\\.][^/\\]*\.onnx$/, { error: fileWanted });
const variantsByRequestMost = 64;

export const variantsShape = {
  variants: z
    .record(name, file)
    .optional()
    .meta({ title: 'names with files' })
    .describe(
      'The model in several precisions, each a file in the version folder: { fp32: model.onnx, int8: model.int8.onnx }.',
    ),
  variant: z
    .union(
      [
        name,
        z.strictObject(
          Object.fromEntries(devices.map((device) => [device, name.optional()])) as Record<
            (typeof devices)[number],
            z.ZodOptional<typeof name>
          >,
        ),
      ],
      {
        error: `one of the names under variants, or one for each device (${devices.join(', ')})`,
      },
    )
    .optional()
    .meta({ title: `a name, or names for ${devices.join(', ')}` })
    .describe(
      'Which of them is served, everywhere or on each device: { cpu: int8, default: fp32 }. Default: the first.',
    ),
  variantsByRequest: z
    .union([z.literal('all'), z.array(name).max(variantsByRequestMost)], {
      error: 'all, or a list of names under variants such as [int8]',
    })
    .optional()
    .meta({ title: 'all, or names' })
    .describe(
      'Which others a request may choose with its parameter `variant`; each is loaded beside the one that is served. Default: none.',
    ),
};
