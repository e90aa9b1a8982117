// What benchmarks on real processes stand on: a node with models of its own and a client beside it, ended for certain
// whatever becomes of the measurement.
import { GrpcClient } from '../processes/client.js';
import { apart, RunningNode, Scratch } from '../processes/harness.js';
import { ModelFolder } from '../processes/repository.js';

export interface Scene {
  readonly scratch: Scratch;
  readonly node: RunningNode;
  readonly client: GrpcClient;
  /** The folder of its models. */
  readonly models: string;
}

type Flags = Readonly<Record<string, string | number>>;

/** Models are a folder, or what is put into one. */
export async function onNode<T>(
  models: string | ((folder: ModelFolder) => unknown),
  flags: Flags,
  use: (scene: Scene) => Promise<T>,
): Promise<T> {
  const scratch = new Scratch();
  try {
    const made = new ModelFolder(scratch);
    if (typeof models !== 'string') models(made);
    const folder = typeof models === 'string' ? models : made.folder;
    // Costs are measured here and now, not remembered from another day.
    const own = { ...apart(scratch, folder), 'cache-folder': scratch.path('cache') };
    const node = new RunningNode({ flags: { ...own, ...flags } });
    try {
      await node.ready(40_000);
      const client = new GrpcClient(node.grpcPort);
      const value = await use({ scratch, node, client, models: folder });
      client.close();
      return value;
    } finally {
      await node.dispose();
    }
  } finally {
    scratch.remove();
  }
}
