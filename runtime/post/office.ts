// Messages between members: joined per peer and tick on their way out, taken apart and checked on their way in. It knows
// who is at the other end of each link, lets nobody speak who did not say who they are, and never throws at input.
import type { MemberId, Role } from '../../proto/ids.js';
import type { Message, Said } from '../../proto/messages.js';
import { settle } from '../clock.js';
import type { KeyRing } from '../keys/ring.js';
import { Credentials } from './credentials.js';
import { type DropReason, dropReasons, type MailFault, readMail, readRefusal } from './mail.js';
import { Outbox, soleDelivery } from './outbox.js';
import { isDialled, type LinkId, type Transport, type TransportFactory } from './transport.js';

export interface Member {
  readonly id: MemberId;
  readonly roles: readonly Role[];
  /** Where it listens; may be empty. */
  readonly endpoint: string;
  readonly host: string;
  readonly build: string;
}

export interface OfficeEvents {
  delivered(from: MemberId, message: Message, frames: readonly Uint8Array[]): void;
  opened(member: Member): void;
  /** Whatever was on its way to or from the member may be lost. */
  lost(member: MemberId, reason: string): void;
  /** This side or the other does not want to talk over the link. Told once each time the link opens. */
  refused(link: LinkId, reason: string): void;
  dropped(link: LinkId, drop: DropReason, reason: string): void;
  /** Whoever was told `what` threw at it. That is lost, what comes after it is not. */
  failed(what: string, error: unknown): void;
}

export interface OfficeOptions {
  readonly self: MemberId;
  readonly announcement: () => Said<'member.announced'>;
  readonly transport: TransportFactory;
  readonly events: OfficeEvents;
  /** Over tcp nobody is heard whose key it does not trust, once it has a pair. */
  readonly keys?: KeyRing | undefined;
}

interface Link {
  readonly id: LinkId;
  readonly outbox: Outbox;
  member: Member | undefined;
  refused: boolean;
}

const noFrames: readonly Uint8Array[] = Object.freeze([]) as readonly Uint8Array[];

export class PostOffice {
  readonly #options: OfficeOptions;
  readonly #events: OfficeEvents;
  readonly #transport: Transport;
  readonly #links = new Map<LinkId, Link>();
  /** The link by which each member is written to. */
  readonly #routes = new Map<MemberId, Link>();
  readonly #credentials: Credentials;
  readonly #drops = new Map<DropReason, number>(dropReasons.map((reason) => [reason, 0]));
  #waiting: Link[] = [];
  #settling = false;
  #closed = false;

  constructor(options: OfficeOptions) {
    this.#options = options;
    this.#events = guarded(options.events);
    this.#credentials = new Credentials(options.self, options.keys);
    options.keys?.watch(() => this.#reviewKeys());
    this.#transport = options.transport(options.self, {
      received: (link, frames) => this.#received(link, frames),
      opened: (link) => this.#opened(link),
      lost: (link, reason) => this.#lost(link, reason),
    });
  }

  /** Resolves to the endpoint actually bound. */
  bind(endpoint: string): Promise<string> {
    this.#credentials.listen(endpoint);
    return this.#transport.bind(endpoint);
  }

  /** Keeps a link to whoever listens there, until `hangUp`. */
  dial(endpoint: string): LinkId {
    return this.#transport.dial(endpoint);
  }

  /** Of a member that is to call this one. */
  knock(endpoint: string): void {
    this.#transport.knock(endpoint);
  }

  hangUp(endpoint: string): void {
    this.#transport.hangUp(endpoint);
    this.#lost(endpoint, 'this node hung up');
  }

  knows(member: MemberId): boolean {
    return this.#routes.has(member);
  }

  members(): Member[] {
    return [...this.#routes.values()].map((link) => link.member as Member);
  }

  /** False when the member is not linked. When a message that was taken can't leave, its member is lost. */
  send(to: MemberId, message: Message, frames: readonly Uint8Array[] = noFrames): boolean {
    const link = this.#routes.get(to);
    if (link === undefined || this.#closed) return false;
    if (!link.outbox.put(message, frames)) {
      this.#drop(
        link,
        'oversized',
        `${message.type} with ${frames.length} frames is over the protocol's bounds`,
      );
      return false;
    }
    if (link.outbox.length === 1) this.#waiting.push(link);
    if (link.outbox.full) this.#flushLink(link);
    else this.#settle();
    return true;
  }

  /** Sends at once what would leave at the end of the tick. */
  flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const link of waiting) this.#flushLink(link);
  }

  drops(): Readonly<Record<DropReason, number>> {
    return Object.fromEntries(this.#drops) as Record<DropReason, number>;
  }

  /** Sends what waits and frees the endpoint. No event comes after it. */
  async close(lingerMs = 200): Promise<void> {
    if (this.#closed) return;
    this.flush();
    this.#closed = true;
    this.#links.clear();
    this.#routes.clear();
    await this.#transport.close(lingerMs);
  }

  readonly #settled = (): void => {
    this.#settling = false;
    this.flush();
  };

  #settle(): void {
    if (this.#settling) return;
    this.#settling = true;
    settle(this.#settled);
  }

  #flushLink(link: Link): void {
    const count = link.outbox.length;
    if (count === 0 || this.#links.get(link.id) !== link) return;
    if (this.#transport.send(link.id, link.outbox.take())) return;
    this.#drop(link, 'unsent', `${count} messages could not be sent`);
    settle(() => this.#broken(link));
  }

  /** Sends past the outbox: a link is announced, or refused, before anything else is said on it. */
  #say(link: Link, message: Message): void {
    if (!this.#transport.send(link.id, soleDelivery(message))) settle(() => this.#broken(link));
  }

  /** The transport does not take what it should: both sides begin again, so that both know that something was lost. */
  #broken(link: Link, reason = 'it does not take what is sent to it'): void {
    if (this.#closed || this.#links.get(link.id) !== link) return;
    this.#transport.hangUp(link.id);
    if (isDialled(link.id)) this.#transport.dial(link.id);
    this.#lost(link.id, reason);
  }

  #opened(id: LinkId): void {
    if (this.#closed) return;
    this.#lost(id, 'its link opened anew');
    const link = newLink(id);
    this.#links.set(id, link);
    if (!isDialled(id)) return;
    const proof = this.#credentials.proofFor(id);
    if (proof !== undefined) this.#say(link, proof);
    this.#say(link, this.#options.announcement());
  }

  #lost(id: LinkId, reason: string): void {
    const link = this.#links.get(id);
    if (this.#closed) return;
    if (link === undefined) return this.#credentials.release(id);
    this.#links.delete(id);
    this.#credentials.forget(id);
    this.#leave(link, reason);
  }

  /** Its member is reached by another link, or lost. */
  #leave(link: Link, reason: string): void {
    const member = link.member?.id;
    if (member === undefined || this.#routes.get(member) !== link) return;
    const spare = this.#linkOf(member);
    if (spare === undefined) {
      this.#routes.delete(member);
      this.#events.lost(member, reason);
      return;
    }
    // They dialled us and we them: what is left of the two serves.
    this.#routes.set(member, spare);
    link.outbox.pour(spare.outbox);
    this.#waiting.push(spare);
    this.#settle();
  }

  #linkOf(member: MemberId): Link | undefined {
    for (const link of this.#links.values()) if (link.member?.id === member) return link;
    return undefined;
  }

  #received(id: LinkId, frames: readonly Uint8Array[]): void {
    const link = this.#links.get(id);
    if (link === undefined) return;
    const mail = readMail(frames);
    if ('drop' in mail) {
      this.#return(link, mail, frames);
      return;
    }
    let at = 0;
    for (const { message, frames: count } of mail.envelopes) {
      this.#take(id, message, count === 0 ? noFrames : mail.tensors.slice(at, at + count));
      at += count;
    }
  }

  #return(link: Link, fault: MailFault, frames: readonly Uint8Array[]): void {
    const refusal = fault.drop === 'version' ? readRefusal(frames) : undefined;
    if (refusal !== undefined) {
      this.#heedRefusal(link, refusal);
      return;
    }
    this.#drop(link, fault.drop, fault.reason);
    if (fault.drop === 'version') this.#refuse(link, fault.reason);
  }

  /** The link is looked up for each message, for handling the one before may have ended it. */
  #take(id: LinkId, message: Message, frames: readonly Uint8Array[]): void {
    const link = this.#links.get(id);
    if (link === undefined) return;
    if (message.type === 'member.announced') {
      this.#meet(link, message);
    } else if (message.type === 'member.proved') {
      this.#credentials.show(id, message);
    } else if (message.type === 'link.refused') {
      this.#heedRefusal(link, message.reason);
    } else if (link.member !== undefined) {
      this.#events.delivered(link.member.id, message, frames);
    } else {
      this.#drop(link, 'unannounced', `${message.type} came before it said who it is`);
      // A dialled peer that still answers an earlier announcement learns of the new one in a moment.
      if (!isDialled(id)) this.#ask(link);
    }
  }

  #meet(link: Link, said: Said<'member.announced'>): void {
    const ours = this.#options.announcement();
    const unkeyed = this.#credentials.amiss(link.id, said.member[0]);
    // Somebody else may have taken over the connection of a member.
    if (unkeyed !== undefined && link.member !== undefined) return this.#broken(link, unkeyed);
    const unfit = unfitness(link.id, said, ours) ?? unkeyed;
    if (unfit !== undefined) {
      this.#refuse(link, unfit);
      return;
    }
    const [id, roles, endpoint, host] = said.member;
    const bound = !isDialled(link.id);
    if (link.member?.id === id) this.#drop(link, 'announcedAgain', 'it said twice who it is');
    // On each side an answer to an earlier announcement may come late.
    if (link.member?.id === id && !bound) return;
    const fresh = link.member === undefined ? link : this.#renew(link, whyRenewed(link.member.id, id));
    const member: Member = { id, roles, endpoint, host, build: said.build };
    fresh.member = member;
    this.#credentials.meet(link.id, id);
    if (bound) this.#say(fresh, ours);
    if (this.#routes.has(id)) return;
    this.#routes.set(id, fresh);
    this.#events.opened(member);
  }

  /** Another member is at the end of the link than before, or the same over another connection. What was proved there stands. */
  #renew(link: Link, reason: string): Link {
    const fresh = newLink(link.id);
    this.#links.set(link.id, fresh);
    this.#leave(link, reason);
    return fresh;
  }

  /** Says why, once: a link that is refused stays open, unheard, for a proper announcement to come. */
  #refuse(link: Link, reason: string): void {
    this.#count('refused');
    if (link.refused) return;
    link.refused = true;
    this.#say(link, { type: 'link.refused', reason });
    this.#events.refused(link.id, reason);
  }

  /**
   * Told as a drop only: what is left of a connection that another has taken the place of comes over a link of its own each time,
   * and would fill the log.
   */
  #ask(link: Link): void {
    this.#count('refused');
    if (link.refused) return;
    link.refused = true;
    this.#say(link, { type: 'link.refused', reason: 'say member.announced before anything else' });
  }

  #heedRefusal(link: Link, reason: string): void {
    this.#count('refused');
    if (link.member === undefined) {
      if (!link.refused) this.#events.refused(link.id, `the other side refuses: ${reason}`);
      link.refused = true;
      return;
    }
    // It no longer knows us: what was said since is lost, so both begin again.
    this.#broken(link, `the other side refuses: ${reason}`);
  }

  /** Whose key is not trusted any more is neither heard nor spoken to; who is again may announce itself anew. */
  #reviewKeys(): void {
    const { struck, restored } = this.#credentials.review();
    for (const id of struck) this.#lost(id, 'its key is not listed any more');
    for (const id of restored) this.#transport.hangUp(id);
  }

  #drop(link: Link, drop: DropReason, reason: string): void {
    this.#count(drop);
    this.#events.dropped(link.id, drop, reason);
  }

  #count(drop: DropReason): void {
    this.#drops.set(drop, (this.#drops.get(drop) as number) + 1);
  }
}

/** One bad message must not end the reading of all others. */
function guarded(events: OfficeEvents): OfficeEvents {
  const guard = (what: string, tell: () => void): void => {
    try {
      tell();
    } catch (error) {
      events.failed(what, error);
    }
  };
  return {
    delivered: (from, message, frames) => {
      try {
        events.delivered(from, message, frames);
      } catch (error) {
        events.failed(`${message.type} from ${from}`, error);
      }
    },
    opened: (member) => guard(`that ${member.id} is linked`, () => events.opened(member)),
    lost: (member, reason) => guard(`that ${member} is lost`, () => events.lost(member, reason)),
    refused: (link, reason) => guard('a refusal', () => events.refused(link, reason)),
    dropped: (link, drop, reason) => guard('a drop', () => events.dropped(link, drop, reason)),
    failed: (what, error) => events.failed(what, error),
  };
}

function newLink(id: LinkId): Link {
  return { id, outbox: new Outbox(), member: undefined, refused: false };
}

/** Who calls says so once over each connection: of an earlier one, whose end nobody noticed here, something may be lost. */
function whyRenewed(before: MemberId, id: MemberId): string {
  return before === id ? 'it connected anew' : `${id} answers at its endpoint now`;
}

/** Why whoever says this is no peer for us over this link. */
function unfitness(
  link: LinkId,
  said: Said<'member.announced'>,
  ours: Said<'member.announced'>,
): string | undefined {
  const id = said.member[0];
  if (said.cluster !== ours.cluster) {
    return `${id} belongs to the cluster "${said.cluster}", this node to "${ours.cluster}"`;
  }
  if (id === ours.member[0]) return `it says that it is ${id}, which is this node itself`;
  if (isDialled(link) || id === link) return undefined;
  return `it says that it is ${id}, its connection says ${JSON.stringify(link).slice(0, 60)}`;
}
