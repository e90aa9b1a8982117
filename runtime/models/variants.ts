// Variants of a model: the same model in several precisions, each a file of its own in the version's folder, of which a
// worker serves the one that its device is meant to have.
import { word, z } from '../shape.js';

const nameWanted = 'a name of 1 to 40 letters, digits, dots, - or _';
const name = z.string().regex(/^[A-Za-z0-9._-]{1,40}$/, { error: nameWanted });
const fileWanted = 'the name of a file in the version folder that ends in .onnx';
const file = word(128).regex(/^[^/\\]*[^/\\.][^/\\]*\.onnx$/, { error: fileWanted });
/** As workers name theirs, without the number behind a colon; `default` is for the others. */
const devices = ['cpu', 'webgpu', 'cuda', 'tensorrt', 'default'] as const;

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
};

export interface VariantsConfig {
  readonly variants?: Readonly<Record<string, string>> | undefined;
  readonly variant?:
    | string
    | Readonly<Partial<Record<(typeof devices)[number], string | undefined>>>
    | undefined;
}

/** Sentences about what the keys say, each beginning with its key. */
export function misvaried(
  { variants, variant }: VariantsConfig,
  { backend, runs }: { readonly backend: string; readonly runs?: string | undefined },
): string[] {
  if (variants === undefined)
    return variant === undefined
      ? []
      : ['variant is given, but there are no variants: name their files under variants'];
  if (backend !== 'onnxruntime') return [`variants are files for onnxruntime, but backend is ${backend}`];
  if (runs !== undefined)
    return [`variants are files of its own, but runs is ${runs}: name them in that model's configuration`];
  const names = Object.keys(variants);
  if (names.length === 0)
    return ['variants is empty; wanted are names with files, such as { fp32: model.onnx }'];
  const said = typeof variant === 'string' ? { '': variant } : (variant ?? {});
  return Object.entries(said)
    .filter(([, wanted]) => !names.includes(wanted as string))
    .map(([device, wanted]) => {
      const key = device === '' ? 'variant' : `variant.${device}`;
      return `${key} is ${wanted}; wanted is one of variants: ${names.join(', ')}`;
    });
}

/** The name of the variant that a device is to serve; undefined where the model has none. */
export function variantFor({ variants, variant }: VariantsConfig, device: string): string | undefined {
  if (variants === undefined) return undefined;
  const first = Object.keys(variants)[0];
  if (variant === undefined || typeof variant === 'string') return variant ?? first;
  const kind = device.split(':')[0] as keyof typeof variant;
  return variant[kind] ?? variant.default ?? first;
}
