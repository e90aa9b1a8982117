// What a model takes of a worker's memory, about: what its owner says, or else by the size of its file, for what the system
// says of a process that has loaded and unloaded others tells nothing of one of them.
import type { ModelEntry } from './entry.js';
import { variantFor } from './variants.js';

/** Measured with the sample models and dense layers of 4 to 80 MB: 1 to 1.5 of the file and up to 1 MB beside it. */
const ofFile = 1.5;
const besideMb = 1;

export function memoryMbOf(entry: ModelEntry, device: string): number {
  const { config, variants, file, sizeBytes } = entry;
  if (config.memoryMb !== undefined) return config.memoryMb;
  if (file === '') return 0;
  const bytes = variants?.[entry.variant ?? variantFor(config, device) ?? '']?.sizeBytes ?? sizeBytes;
  return Math.round((besideMb + (ofFile * bytes) / 2 ** 20) * 10) / 10;
}
