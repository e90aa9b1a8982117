// Nodes of one cluster for a test, by name: each with a place, a cache and one worker of its own, and ended together.
import { RunningNode, type Scratch } from './harness.js';

type Flags = Readonly<Record<string, string | number>>;

export class Group {
  readonly flags: Flags;
  private readonly scratch: Scratch;
  private readonly started: RunningNode[] = [];
  private readonly byName = new Map<string, RunningNode>();

  constructor(scratch: Scratch, flags: Flags) {
    this.scratch = scratch;
    this.flags = flags;
  }

  start(role: string, name: string, more: Flags = {}): RunningNode {
    const { scratch } = this;
    const places = { endpoint: scratch.endpoint(), 'cache-folder': scratch.path(`cache-${name}`) };
    const node = new RunningNode({
      flags: { ...this.flags, role, name, 'worker-count': 1, ...places, ...more },
    });
    this.started.push(node);
    this.byName.set(name, node);
    return node;
  }

  /** The last of that name. */
  node(name: string): RunningNode {
    return this.byName.get(name) as RunningNode;
  }

  /** All that have been started. */
  all(): readonly RunningNode[] {
    return this.started;
  }

  async dispose(): Promise<void> {
    await Promise.all(this.started.map((node) => node.dispose()));
  }
}
