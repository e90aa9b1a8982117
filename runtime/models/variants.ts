// Variants of a model: the same model in several precisions, each a file of its own in the version's folder, of which a
// worker serves the one that its device is meant to have.
/** As workers name theirs, without the number behind a colon; `default` is for the others. */
export const devices = ['cpu', 'webgpu', 'cuda', 'tensorrt', 'default'] as const;

export interface VariantsConfig {
  readonly variants?: Readonly<Record<string, string>> | undefined;
  readonly variant?:
    | string
    | Readonly<Partial<Record<(typeof devices)[number], string | undefined>>>
    | undefined;
  readonly variantsByRequest?: 'all' | readonly string[] | undefined;
}

/** Sentences about what the keys say, each beginning with its key. */
export function misvaried(
  { variants, variant, variantsByRequest }: VariantsConfig,
  { backend, runs }: { readonly backend: string; readonly runs?: string | undefined },
): string[] {
  if (variants === undefined) {
    const idle = Object.entries({ variant, variantsByRequest }).filter(([, said]) => said !== undefined);
    return idle.map(([key]) => `${key} is given, but there are no variants: name their files under variants`);
  }
  if (backend !== 'onnxruntime') return [`variants are files for onnxruntime, but backend is ${backend}`];
  if (runs !== undefined)
    return [`variants are files of its own, but runs is ${runs}: name them in that model's configuration`];
  const names = Object.keys(variants);
  if (names.length === 0)
    return ['variants is empty; wanted are names with files, such as { fp32: model.onnx }'];
  const said = typeof variant === 'string' ? { '': variant } : (variant ?? {});
  const keyed = Object.entries(said).map(([device, wanted]) => [
    device === '' ? 'variant' : `variant.${device}`,
    wanted,
  ]);
  const asked = variantsByRequest === 'all' ? [] : (variantsByRequest ?? []);
  return [...keyed, ...asked.map((wanted, at) => [`variantsByRequest[${at}]`, wanted])]
    .filter(([, wanted]) => !names.includes(wanted as string))
    .map(([key, wanted]) => `${key} is ${wanted}; wanted is one of variants: ${names.join(', ')}`);
}

/** The variant that every device serves; undefined where that depends on the device, or there is none. */
export function variantEverywhere({ variants, variant }: VariantsConfig): string | undefined {
  return typeof variant === 'object' ? undefined : (variant ?? Object.keys(variants ?? {})[0]);
}

/** Those that are loaded besides, for requests that name them. */
export function variantsBeside(config: VariantsConfig): readonly string[] {
  const { variants = {}, variantsByRequest = [] } = config;
  const asked = variantsByRequest === 'all' ? Object.keys(variants) : variantsByRequest;
  return [...new Set(asked)].filter((name) => name !== variantEverywhere(config));
}

/** The name of the variant that a device is to serve; undefined where the model has none. */
export function variantFor({ variants, variant }: VariantsConfig, device: string): string | undefined {
  if (variants === undefined) return undefined;
  const first = Object.keys(variants)[0];
  if (variant === undefined || typeof variant === 'string') return variant ?? first;
  const kind = device.split(':')[0] as keyof typeof variant;
  return variant[kind] ?? variant.default ?? first;
}
