// The simulated network between processes: links with delays, in order while they hold. What a link loses both sides are
// told of, as over a real stream; a lossy network besides drops, doubles and overtakes.
import type { MemberId } from '../../proto/ids.js';
import type { Message } from '../../proto/messages.js';
import type { Process, Tokens } from './process.js';
import type { Random } from './random.js';
import type { NetworkPlan } from './scenario.js';
import type { Timeline } from './timeline.js';

interface Side {
  readonly process: Process;
  /** It has heard that the link opened, and not yet that it was lost. */
  open: boolean;
  /** Nothing arrives here before what went before it; at first not before the news of the link. */
  lastArrivalAt: number;
  openedAt: number;
  /** What is sent to this side vanishes until then. */
  deafUntil: number;
}

interface Link {
  readonly sides: readonly [Side, Side];
  up: boolean;
  /** Counts up with every break: what was on its way is lost. */
  generation: number;
}

export interface NetworkEvents {
  happened(event: string): void;
  /** How long a process keeps back that it lost this link, since it will be told more. */
  lossHeldMs(process: Process, lost: Process): number;
  /** The node of a worker process; empty for others. */
  nodeOf(process: Process): MemberId;
}

export class Network {
  private readonly links = new Map<MemberId, Map<MemberId, Link>>();
  private readonly timeline: Timeline;
  private readonly random: Random;
  private readonly plan: NetworkPlan;
  private readonly events: NetworkEvents;
  private healed = false;

  constructor(timeline: Timeline, random: Random, plan: NetworkPlan, events: NetworkEvents) {
    this.timeline = timeline;
    this.random = random;
    this.plan = plan;
    this.events = events;
  }

  /** From now on nothing vanishes, doubles or overtakes any more. */
  heal(): void {
    this.healed = true;
  }

  connect(one: Process, other: Process): void {
    const link: Link = { sides: [sideOf(one), sideOf(other)], up: false, generation: 0 };
    this.linksOf(one.id).set(other.id, link);
    this.linksOf(other.id).set(one.id, link);
    this.openSoon(link, this.random.between(0.5, 6));
  }

  has(one: MemberId, other: MemberId): boolean {
    return this.links.get(one)?.has(other) === true;
  }

  /** Nobody calls there any more: the link ends for good. */
  disconnect(one: MemberId, other: MemberId): void {
    const link = this.links.get(one)?.get(other);
    if (link === undefined) return;
    link.up = false;
    link.generation++;
    this.links.get(one)?.delete(other);
    this.links.get(other)?.delete(one);
    for (const side of link.sides) {
      const [, opposite] = sidesFrom(link, side.process);
      this.timeline.after(this.random.between(0.1, 3), () =>
        this.tellLost(side, opposite.process.id, 'somebody hung up'),
      );
    }
  }

  send(from: Process, to: MemberId, message: Message, tokens: Tokens): void {
    const link = this.links.get(from.id)?.get(to);
    if (link === undefined || !link.up) return;
    const [own, other] = sidesFrom(link, from);
    if (!own.open || other.deafUntil > this.timeline.now) return;
    const lossy = !this.plan.honest && !this.healed;
    if (lossy && this.random.chance(this.plan.drop)) return;
    this.carry(link, other, from.id, message, tokens, lossy && this.random.chance(this.plan.reorder));
    if (lossy && this.random.chance(this.plan.duplicate))
      this.carry(link, other, from.id, message, tokens, true);
  }

  /** The link breaks: both sides hear so, and it opens again after a while. */
  cut(one: MemberId, other: MemberId, forMs: number, noticeMs = this.random.between(0.2, 4)): void {
    const link = this.links.get(one)?.get(other);
    if (link === undefined || !link.up) return;
    this.events.happened(`cut ${one} ${other}`);
    link.up = false;
    const generation = ++link.generation;
    let openable = forMs;
    for (const side of link.sides) {
      const [, opposite] = sidesFrom(link, side.process);
      const heldMs = this.events.lossHeldMs(side.process, opposite.process);
      const lostInMs = noticeMs * this.random.between(0.8, 1.2) + heldMs;
      openable = Math.max(openable, lostInMs + 1);
      this.timeline.after(lostInMs, () => {
        if (link.generation !== generation) return;
        this.tellLost(side, opposite.process.id, 'the link was cut');
      });
    }
    this.openSoon(link, openable);
  }

  /** What is sent to `deaf` over this link vanishes, and nobody is told. */
  silence(from: MemberId, deaf: MemberId, forMs: number): void {
    const link = this.links.get(from)?.get(deaf);
    if (link === undefined) return;
    this.events.happened(`silence ${from} -> ${deaf}`);
    const side = link.sides[0].process.id === deaf ? link.sides[0] : link.sides[1];
    side.deafUntil = Math.max(side.deafUntil, this.timeline.now + forMs);
  }

  /** The process is gone: everybody who was linked hears so, its parent after the word of its exit. */
  leave(gone: Process, parent: Process | undefined, tellParent: () => void): void {
    const delayMs = this.random.between(0.5, 4);
    this.timeline.after(delayMs, tellParent);
    for (const link of this.links.get(gone.id)?.values() ?? []) {
      const [, other] = sidesFrom(link, gone);
      link.up = false;
      link.generation++;
      this.links.get(other.process.id)?.delete(gone.id);
      const lostInMs = other.process === parent ? delayMs : this.random.between(0.5, 4);
      this.timeline.after(lostInMs, () => this.tellLost(other, gone.id, 'the process is gone'));
    }
    this.links.delete(gone.id);
  }

  peersOf(id: MemberId): MemberId[] {
    return [...(this.links.get(id)?.keys() ?? [])];
  }

  private carry(
    link: Link,
    to: Side,
    from: MemberId,
    message: Message,
    tokens: Tokens,
    outOfOrder: boolean,
  ): void {
    const { delayMs, noiseMs } = this.plan;
    let at = this.timeline.now + delayMs + this.random.next() * noiseMs;
    if (outOfOrder) at = Math.max(at, to.openedAt) + this.random.between(0, 10);
    else {
      at = Math.max(at, to.lastArrivalAt);
      to.lastArrivalAt = at;
    }
    const { generation } = link;
    this.timeline.at(at, () => {
      if (link.generation === generation) to.process.hear(message, from, tokens);
    });
  }

  private openSoon(link: Link, afterMs: number): void {
    const { generation } = link;
    this.timeline.after(afterMs, () => {
      if (link.generation !== generation) return;
      const [one, other] = link.sides;
      // Nobody shakes hands with a process that is frozen, or over a silent link.
      const { now } = this.timeline;
      if (link.sides.some((side) => side.process.frozen || side.open || side.deafUntil > now)) {
        this.openSoon(link, 10);
        return;
      }
      link.up = true;
      this.tellOpened(link, one, other.process);
      this.tellOpened(link, other, one.process);
    });
  }

  private tellOpened(link: Link, side: Side, peer: Process): void {
    const { generation } = link;
    const at = this.timeline.now + this.random.between(0.1, 1);
    side.lastArrivalAt = at;
    side.openedAt = at;
    this.timeline.at(at, () => {
      if (link.generation !== generation) return;
      side.open = true;
      const node = this.events.nodeOf(peer);
      side.process.hear({ type: 'link.opened', member: peer.id, roles: peer.roles, node });
    });
  }

  private tellLost(side: Side, peer: MemberId, reason: string): void {
    if (!side.open) return;
    side.open = false;
    side.process.hear({ type: 'link.lost', member: peer, reason });
  }

  private linksOf(id: MemberId): Map<MemberId, Link> {
    let links = this.links.get(id);
    if (links === undefined) {
      links = new Map();
      this.links.set(id, links);
    }
    return links;
  }
}

function sideOf(process: Process): Side {
  return { process, open: false, lastArrivalAt: 0, openedAt: 0, deafUntil: 0 };
}

function sidesFrom(link: Link, own: Process): readonly [Side, Side] {
  const [one, other] = link.sides;
  return one.process === own ? [one, other] : [other, one];
}
