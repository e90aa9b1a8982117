// An order on its way through a router, and what is known of others that are under way: of two drains at one moment the one of
// the node with the lower id goes first, the other counts that node as gone.
import type { MemberId } from '../../proto/ids.js';
import type { NodeOrder } from '../../proto/messages.js';

export class Claim {
  readonly asked: number;
  readonly node: MemberId;
  readonly order: NodeOrder;
  readonly forced: boolean;
  /** Other routers are asked, then a scheduler, then the node has the order. */
  phase: 'claiming' | 'asking' | 'ordered' = 'claiming';
  /** Routers that have not answered. */
  readonly waiting = new Set<MemberId>();
  /** Nodes that do not serve, by what other routers say. */
  readonly away = new Set<MemberId>();
  /** Nodes that may be drained before this one. */
  readonly rivals = new Set<MemberId>();
  /** Who is asked which models nobody else has. */
  scheduler: MemberId = '';
  /** Schedulers that could not tell, with why. */
  readonly mute = new Map<MemberId, string>();
  private gone = '';

  constructor({ asked, node, order, forced }: Pick<Claim, 'asked' | 'node' | 'order' | 'forced'>) {
    this.asked = asked;
    this.node = node;
    this.order = order;
    this.forced = forced;
  }

  /** Another drain is claimed at the same time. */
  meet(node: MemberId): void {
    if (node < this.node) this.rivals.add(node);
  }

  ask(scheduler: MemberId, gone: ReadonlySet<MemberId>): void {
    this.phase = 'asking';
    this.scheduler = scheduler;
    this.gone = wordOf(gone);
  }

  askedWith(gone: ReadonlySet<MemberId>): boolean {
    return this.gone === wordOf(gone);
  }
}

function wordOf(nodes: ReadonlySet<MemberId>): string {
  return [...nodes].sort().join(' ');
}
