// Orders to the nodes of the cluster, as somebody gives them to a router: finds who is meant, has the warden settle it, and
// waits for what comes of that.
import type { Ordered } from '../../actors/effects.js';
import type { Fact } from '../../actors/facts.js';
import { listed } from '../../actors/node/refusals.js';
import type { Member } from '../../cluster/membership.js';
import { SignalboxError } from '../../proto/errors.js';
import { type MemberId, nameOf } from '../../proto/ids.js';
import type { NodeOrder } from '../../proto/messages.js';
import type { NodeAction, NodeOrdered } from '../doors/cluster.js';

export interface OrdersOptions {
  readonly control: 'on' | 'off';
  readonly members: () => readonly Member[];
  readonly isLinked: (member: MemberId) => boolean;
  /** To the actors of this node, the warden among them. */
  readonly hear: (fact: Fact) => void;
  /** Takes a dead one off the list; undefined where the list has only those that are linked. */
  readonly evict: ((member: MemberId) => void) | undefined;
}

const shownMost = 20;
const orderOf = { drain: 'drain', undrain: 'undrain', remove: 'end' } as const satisfies Record<
  NodeAction,
  NodeOrder
>;

export class Orders {
  private readonly waiting = new Map<number, (ordered: Ordered) => void>();
  private readonly options: OrdersOptions;
  private asked = 0;

  constructor(options: OrdersOptions) {
    this.options = options;
  }

  /** The warden has come to an end with one. */
  ordered(ordered: Ordered): void {
    this.waiting.get(ordered.asked)?.(ordered);
    this.waiting.delete(ordered.asked);
  }

  async give(given: string, action: NodeAction, forced: boolean): Promise<NodeOrdered> {
    if (this.options.control === 'off') {
      const message =
        'nodes are not drained or removed by clients of this node: its setting clusterControl is off';
      throw new SignalboxError('UNSUPPORTED', message);
    }
    const { id } = this.find(given, action);
    if (!this.options.isLinked(id)) return this.missing(id, action);
    const asked = ++this.asked;
    const { state, code, reason } = await new Promise<Ordered>((resolve) => {
      this.waiting.set(asked, resolve);
      this.options.hear({ type: 'order.given', asked, node: id, order: orderOf[action], forced });
    });
    if (code !== '') throw new SignalboxError(code, reason);
    return { node: id, state };
  }

  /** By its id, its name, or the beginning of its id, where that is one node's alone. */
  private find(given: string, action: NodeAction): Member {
    const all = this.options.members();
    const nodes = all.filter(({ roles }) => !roles.includes('worker'));
    const exact = nodes.filter(({ id }) => id === given || nameOf(id) === given);
    const meant = exact.length > 0 ? exact : nodes.filter(({ id }) => given !== '' && id.startsWith(given));
    const linked = meant.filter(({ id }) => this.options.isLinked(id));
    // One that was killed and started again is listed twice until its lease has run out. Only a removal may mean the dead one.
    const found = action === 'remove' || linked.length === 0 ? meant : linked;
    const [only] = found;
    if (only !== undefined && found.length === 1) return only;
    const worker = all.find(
      ({ id, roles }) => roles.includes('worker') && (id === given || nameOf(id) === given),
    );
    if (worker !== undefined) {
      const hint = worker.host === '' ? '' : `: that node is ${worker.host}`;
      throw new SignalboxError(
        'NODE_UNKNOWN',
        `${worker.id} is a worker process, which goes with its node${hint}`,
      );
    }
    throw new SignalboxError(
      'NODE_UNKNOWN',
      found.length > 1
        ? `${JSON.stringify(given)} may be ${this.shown(found)}: say which`
        : `no node is called ${JSON.stringify(given)}; there are ${idsOf(nodes)}`,
    );
  }

  private shown(nodes: readonly Member[]): string {
    const ids = nodes.map(({ id }) => (this.options.isLinked(id) ? id : `${id} (no link to it)`));
    return listed(ids, ', ', shownMost);
  }

  private missing(id: MemberId, action: NodeAction): NodeOrdered {
    const { evict } = this.options;
    if (action === 'remove' && evict !== undefined) {
      evict(id);
      return { node: id, state: 'gone' };
    }
    throw new SignalboxError(
      'NODE_UNREACHABLE',
      `${id} is listed, but the node that was asked has no link to it. If it is dead, \`cluster remove\` takes its entry ` +
        'out; if it is not, ask another router',
    );
  }
}

function idsOf(some: readonly Member[]): string {
  return listed(
    some.map(({ id }) => id),
    ', ',
    shownMost,
  );
}
