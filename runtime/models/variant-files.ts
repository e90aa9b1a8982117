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

export interface Fault {
  readonly file: string;
  readonly says: readonly string[];
}

/**
 * By name; or what is wrong with some. `main` are the tensors of the file that counts, undefined where that is amiss
 * itself and has been told.
 */
export function readVariants(
  config: ModelConfig,
  main: Tensors | undefined,
  mainFile: string,
  pathOf: (file: string) => string,
  read: (path: string) => Graph | string,
): VariantFiles | readonly Fault[] {
  const found: Record<string, VariantFile> = {};
  const faults: Fault[] = [];
  for (const [name, called] of Object.entries(config.variants ?? {})) {
    const file = pathOf(called);
    const graph = read(file);
    const says = typeof graph === 'string' ? [graph] : misfits(name, config, graph, main);
    if (says.length > 0 && (main !== undefined || called !== mainFile)) faults.push({ file, says });
    if (typeof graph === 'string') continue;
    const { sizeBytes, nodeCount } = graph;
    found[name] = { file, sizeBytes, nodeCount };
  }
  return faults.length > 0 ? faults : found;
}

function misfits(
  name: string,
  config: ModelConfig,
  graph: Graph,
  main: Tensors | undefined,
): readonly string[] {
  if (main === undefined) return [];
  const tensors = agreed(config, graph);
  if (!('inputs' in tensors)) return tensors;
  const sides = (['inputs', 'outputs'] as const).filter((key) => !isDeepStrictEqual(tensors[key], main[key]));
  return sides.map(
    (side) =>
      `variant ${name} has other ${side} than the others: ${shown(tensors[side])}; wanted are ${shown(main[side])}`,
  );
}

function shown(tensors: Tensors['inputs']): string {
  return tensors.map(({ name, datatype, shape }) => `${name} ${datatype} [${shape.join(', ')}]`).join(', ');
}
