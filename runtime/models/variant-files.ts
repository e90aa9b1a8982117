// The files of a model's variants: each there, and with the same tensors as the one that clients are told of.
import { isDeepStrictEqual } from 'node:util';
import { agreed, type Tensors } from './agreement.js';
import type { ModelConfig } from './config.js';
import type { Graph } from './onnx.js';

export interface VariantFile {
  readonly file: string;
  readonly sizeBytes: number;
  readonly nodeCount: number;
}

export type VariantFiles = Readonly<Record<string, VariantFile>>;

/** By name; or what is wrong with one. `main` are the tensors of the first that counts. */
export function readVariants(
  config: ModelConfig,
  main: Tensors,
  pathOf: (file: string) => string,
  read: (path: string) => Graph | string,
): VariantFiles | { readonly file: string; readonly says: readonly string[] } {
  const found: Record<string, VariantFile> = {};
  for (const [name, called] of Object.entries(config.variants ?? {})) {
    const file = pathOf(called);
    const graph = read(file);
    if (typeof graph === 'string') return { file, says: [graph] };
    const tensors = agreed(config, graph);
    if (!('inputs' in tensors)) return { file, says: tensors };
    const side = (['inputs', 'outputs'] as const).find((key) => !isDeepStrictEqual(tensors[key], main[key]));
    if (side !== undefined) {
      const says = `variant ${name} has other ${side} than the others: ${shown(tensors[side])}; wanted are ${shown(main[side])}`;
      return { file, says: [says] };
    }
    const { sizeBytes, nodeCount } = graph;
    found[name] = { file, sizeBytes, nodeCount };
  }
  return found;
}

function shown(tensors: Tensors['inputs']): string {
  return tensors.map(({ name, datatype, shape }) => `${name} ${datatype} [${shape.join(', ')}]`).join(', ');
}
