// Which nodes have a model and how far each of them is with it, from what they say of themselves.
import type { ClusterView } from './cluster.js';
import type { Engine } from './engine.js';

export interface Whereabouts {
  readonly node: string;
  /** `own`: out of its own models, not out of the store. */
  readonly state: string;
  /** Of what is out of the store: its content, in short. */
  readonly content?: string;
  readonly reason?: string;
}

/** Why it may be gone with the nodes that have it. */
export const lostReason = 'it is served, and no longer in the store: push it again';

/** Those, by model and version. */
export function lostIn(engine: Engine): ReadonlySet<string> {
  return new Set(viewOf(engine)?.lost);
}

/** By model and version. Empty where nodes say nothing of themselves. */
export function whereabouts(engine: Engine): Map<string, Whereabouts[]> {
  const found = new Map<string, Whereabouts[]>();
  const add = (key: string, where: Whereabouts): void => {
    const there = found.get(key);
    if (there === undefined) found.set(key, [where]);
    else there.push(where);
  };
  const members = viewOf(engine)?.members ?? [];
  const nodes = members.flatMap(({ id, node }) => (node === undefined ? [] : [{ id, node }]));
  for (const { id, node } of nodes) {
    for (const { model, version, state, content, reason } of node.holdings ?? [])
      add(`${model}:${version}`, { node: id, state, content, ...(reason === '' ? {} : { reason }) });
  }
  const stored = new Set(found.keys());
  for (const { id, node } of nodes) {
    if (node.workers.length === 0) continue;
    for (const key of node.models) if (!stored.has(key)) add(key, { node: id, state: 'own' });
  }
  return found;
}

function viewOf(engine: Engine): ClusterView | undefined {
  try {
    return engine.cluster();
  } catch {
    return undefined;
  }
}
