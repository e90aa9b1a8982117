// On which nodes a model's owner wants it, out of its configuration.
import { join } from 'node:path';
import { everywhere, type Spread } from '../../cluster/manifest.js';
import { readTextFile } from '../file.js';
import { type ModelConfig, studyModelConfig } from '../models/config.js';
import { configFile } from '../models/folders.js';

const configBytesMax = 1 << 20;

/** Of a folder that was found to be in order. */
export function spreadOf(folder: string): Spread {
  let content: string;
  try {
    content = readTextFile(join(folder, configFile), configBytesMax);
  } catch {
    return everywhere;
  }
  const config = studyModelConfig(content);
  return 'backend' in config ? spreadIn(config) : everywhere;
}

/** Where no worker may run it nobody needs it: tags that it needs of workers it needs of nodes. */
function spreadIn({ nodes, batching }: ModelConfig): Spread {
  const needs = [
    ...(nodes?.needs ?? []),
    ...(batching?.needs ?? []),
    ...(nodes?.device ? [nodes.device] : []),
  ];
  return { replicas: nodes?.replicas ?? 0, needs: [...new Set(needs)] };
}
