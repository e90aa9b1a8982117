// Models that a cluster of the benchmarks shares by its store: by number, so that whoever tells of one and whoever wants it
// mean the same.
import { type Manifest, shortDigest } from '../../../cluster/manifest.js';
import type { Holding } from '../../../cluster/placement.js';

export function manifestOf(number: number, replicas: number): Manifest {
  const digest = number.toString(16).padEnd(64, '0');
  const spread = { replicas, needs: [] };
  return { model: `model-${number}`, version: '1', digest, partBytes: 1, files: [], spread };
}

export function holdingOf({ model, version, digest }: Manifest): Holding {
  return { model, version, content: shortDigest(digest), state: 'ready', reason: '' };
}
