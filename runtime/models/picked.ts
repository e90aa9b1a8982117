// A model's variants that requests may choose, each as an entry of its own: workers load it beside the usual one, as another
// edition of the same version.
import { editionOf, type ModelEntry } from './entry.js';
import { variantsBeside } from './variants.js';

/** Of an entry that can be served; nothing where its owner lets nobody choose. */
export function pickedFrom(entry: ModelEntry): readonly ModelEntry[] {
  if (entry.state !== 'available' || entry.config.variantsByRequest === undefined) return [];
  return variantsBeside(entry.config).flatMap((variant) => pick(entry, variant) ?? []);
}

/** Itself, and its variants for requests. */
export function withPicked(entry: ModelEntry): readonly ModelEntry[] {
  const picked = pickedFrom(entry);
  return picked.length === 0 ? [entry] : [entry, ...picked];
}

export function pick(entry: ModelEntry, variant: string): ModelEntry | undefined {
  const files = entry.variants?.[variant];
  if (files === undefined) return undefined;
  const edition = editionOf(entry);
  const joint = edition.includes('+') ? '@' : '+@';
  return { ...entry, ...files, variant, edition: `${edition}${joint}${variant}` };
}
