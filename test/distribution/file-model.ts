// A model made of files for one test: simulated, so that its weights are any bytes, with as many versions as wanted.
import { createCipheriv } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Spread } from '../../cluster/manifest.js';
import type { Wanted } from '../../runtime/distribution/contents.js';

export const spread: Spread = { replicas: 2, needs: ['big'] };

export class FileModel {
  readonly folder: string;
  readonly name: string;

  constructor(
    models: string,
    name: string,
    more: readonly string[] = ['nodes: { replicas: 2, needs: [big] }'],
  ) {
    this.name = name;
    this.folder = join(models, name);
    mkdirSync(this.folder, { recursive: true });
    const lines = [
      'backend: simulated',
      'maxBatch: 4',
      'inputs: [{ name: x, datatype: FP32, shape: [-1, 4] }]',
      'outputs: [{ name: y, datatype: FP32, shape: [-1, 4] }]',
      ...(more.some((line) => line.startsWith('simulated:')) ? [] : ['simulated: { alphaMs: 2 }']),
      ...more,
    ];
    writeFileSync(join(this.folder, 'config.yaml'), lines.join('\n'));
  }

  version(version: string, weights: Uint8Array): this {
    mkdirSync(join(this.folder, version), { recursive: true });
    writeFileSync(join(this.folder, version, 'weights.bin'), weights);
    return this;
  }

  wanted(version: string): Wanted {
    return { folder: this.folder, model: this.name, version, spread };
  }
}

/** The same seed gives the same, with nothing in it that comes twice. */
export function bytesLike(seed: number, count: number): Uint8Array {
  const key = Buffer.alloc(16, seed);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(count));
}
