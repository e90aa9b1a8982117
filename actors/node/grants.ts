// Which nodes may be drained though they do not say so, or not any more: an order to them is under way, or the link over which
// they said so is lost. They count as away until they have answered, or for some seconds.
import type { MemberId } from '../../proto/ids.js';

/** By then a node that lives has obeyed or refused, however late; one that is stopped has been taken for dead long before. */
const keptForMs = 15_000;

interface Grant {
  /** The last order to it; 0 where it is only of what it said before its link was lost. */
  readonly asked: number;
  readonly until: number;
}

export class Grants {
  private readonly byNode = new Map<MemberId, Grant>();

  /** To be drained: it may do so at any moment. */
  order(node: MemberId, asked: number, now: number): void {
    this.byNode.set(node, { asked, until: now + keptForMs });
  }

  /** To come back. That may be lost where an order before it was not: it counts as away until it has answered. */
  undo(node: MemberId, asked: number, now: number): void {
    if (this.byNode.has(node)) this.order(node, asked, now);
  }

  /** What it has become it has reported before it answered. What it answers to an earlier order says nothing of the last one. */
  answered(node: MemberId, asked: number): void {
    if (this.byNode.get(node)?.asked === asked) this.byNode.delete(node);
  }

  /** It was away, and can't say any more what it is. */
  lose(node: MemberId, now: number): void {
    if (!this.byNode.has(node)) this.order(node, 0, now);
  }

  /** What it says now counts, where no order to it is under way. */
  reported(node: MemberId): void {
    if (this.byNode.get(node)?.asked === 0) this.byNode.delete(node);
  }

  at(now: number): Iterable<MemberId> {
    for (const [node, { until }] of this.byNode) if (now >= until) this.byNode.delete(node);
    return this.byNode.keys();
  }
}
