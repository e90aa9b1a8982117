// A process as a member of the cluster: its host of actors, its post office and its membership, wired together. Nodes
// and worker processes are both built on it.
import type { Actor } from '../../actors/actor.js';
import { Pulse } from '../../actors/peer/pulse.js';
import { LocalMembership } from '../../cluster/local.js';
import type { Member, Membership, Standing, Step } from '../../cluster/membership.js';
import type { MemberId, Role } from '../../proto/ids.js';
import type { Message, Said } from '../../proto/messages.js';
import { maySay } from '../../proto/speakers.js';
import { after, type Timer } from '../clock.js';
import { type Frames, Host, type Performers } from '../host/host.js';
import type { KeyRing } from '../keys/ring.js';
import type { Log } from '../log.js';
import type { DropReason } from '../post/mail.js';
import { PostOffice } from '../post/office.js';
import { zeromqTransport } from '../post/zeromq.js';
import { version } from '../version.js';
import { Knocking } from './knocking.js';

/** How long a lost link waits for such word. */
const wordWaitMs = 250;

export interface MemberOptions {
  readonly self: Member;
  readonly cluster: string;
  readonly keys: KeyRing;
  /** By default local, without being its founder. */
  readonly membership?: Membership;
  readonly beatMs: number;
  readonly log: Log;
  readonly performers: Performers;
  readonly payloadOf: (message: Message, outputsOf: string) => Frames;
  /** Before the actors hear a message with frames: to keep them. */
  readonly received?: (message: Message, frames: Frames) => void;
  /** True when somebody here will soon know more of the loss of this member than that its link is gone. */
  readonly expectsWord?: (member: MemberId) => boolean;
}

export class MemberProcess {
  readonly host: Host;
  readonly office: PostOffice;
  private readonly membership: Membership;
  private readonly options: MemberOptions;
  private readonly linkedRoles = new Map<MemberId, readonly Role[]>();
  private readonly joined = new Set<string>();
  private readonly heldLosses = new Map<MemberId, Timer>();
  private readonly knocking: Knocking;

  constructor(options: MemberOptions) {
    this.options = options;
    const { self, log } = options;
    this.membership = options.membership ?? new LocalMembership(self, false);
    this.host = new Host({
      self: self.id,
      log,
      performers: options.performers,
      payloadOf: options.payloadOf,
      carrier: {
        send: (to, message, frames) => void this.office.send(to, message, frames),
        flush: () => this.office.flush(),
      },
    });
    this.office = new PostOffice({
      self: self.id,
      announcement: () => ({
        type: 'member.announced',
        cluster: options.cluster,
        member: [self.id, self.roles, self.endpoint, self.host],
        build: version,
      }),
      keys: options.keys,
      transport: zeromqTransport({ keys: options.keys }),
      events: {
        delivered: (from, message, frames) => this.delivered(from, message, frames),
        opened: (member) => this.opened(member),
        lost: (member, reason) => this.lost(member, reason),
        refused: (link, reason) => log.warn('link.refused', { link, reason }),
        dropped: (link, drop, reason) => this.dropped(link, drop, reason),
        failed: (what, error) =>
          log.error('message.failed', { what, error: error instanceof Error ? error.stack : String(error) }),
      },
    });
    this.host.add('pulse', new Pulse(self.id, options.beatMs));
    this.knocking = new Knocking({
      self,
      members: () => this.members(),
      isLinked: (member) => this.isLinked(member),
      knock: (endpoint) => this.office.knock(endpoint),
    });
  }

  add(name: string, actor: Actor): void {
    this.host.add(name, actor);
  }

  /** The actors here learn of each other: whoever shares the process is linked without a wire. */
  begin(): void {
    const { id, roles } = this.options.self;
    if (roles.length > 0) this.host.hear({ type: 'link.opened', member: id, roles });
    this.knocking.begin();
  }

  /** Calls there for as long as this process lives. */
  join(endpoint: string): void {
    this.joined.add(endpoint);
    this.office.dial(endpoint);
  }

  members(): readonly Member[] {
    return this.membership.members();
  }

  standing(): Standing {
    return this.membership.standing();
  }

  isLinked(member: MemberId): boolean {
    return this.linkedRoles.has(member);
  }

  isLinkedTo(role: Role): boolean {
    for (const roles of this.linkedRoles.values()) if (roles.includes(role)) return true;
    return false;
  }

  /** The list comes from the node that started this process, not over a link. */
  hearList(message: Said<'members.listed'>): void {
    this.take(this.membership.heard(message, this.options.self.host));
  }

  /** Says goodbye, so that nobody has to find out. */
  async close(lingerMs: number): Promise<void> {
    for (const member of this.membership.members()) {
      if (member.id === this.options.self.id) continue;
      this.office.send(member.id, { type: 'member.left', member: this.options.self.id, reason: 'stopped' });
    }
    this.knocking.stop();
    this.host.close();
    await this.office.close(lingerMs);
  }

  /** The member is gone: whether its link said so or somebody who knows more. */
  tellLoss(member: MemberId, reason: string): void {
    this.heldLosses.get(member)?.cancel();
    this.heldLosses.delete(member);
    this.linkedRoles.delete(member);
    this.host.hear({ type: 'link.lost', member, reason });
    this.take(this.membership.lost(member));
  }

  private delivered(from: MemberId, message: Message, frames: Frames): void {
    if (!maySay(this.linkedRoles.get(from) ?? [], message.type)) {
      this.options.log.warn('message.ignored', {
        from,
        type: message.type,
        reason: 'it has not the role for it',
      });
      return;
    }
    if (message.type === 'members.listed' || message.type === 'member.left') {
      this.take(this.membership.heard(message, from));
      if (message.type === 'member.left')
        this.host.hear({ type: 'link.lost', member: from, reason: message.reason });
      return;
    }
    if (frames.length > 0) this.options.received?.(message, frames);
    this.host.hear(message, from, frames);
  }

  private opened(member: Member): void {
    this.options.log.info('link.opened', { member: member.id, roles: member.roles });
    // It is back before anybody knew more: the loss comes first, for what was on its way is gone.
    if (this.heldLosses.has(member.id)) this.tellLoss(member.id, 'its link was lost and came back');
    this.linkedRoles.set(member.id, member.roles);
    this.host.hear({ type: 'link.opened', member: member.id, roles: member.roles, node: member.host });
    this.take(this.membership.opened(member));
  }

  private lost(member: MemberId, reason: string): void {
    this.options.log.info('link.lost', { member, reason });
    if (this.options.expectsWord?.(member) !== true) return this.tellLoss(member, reason);
    this.heldLosses.set(
      member,
      after(wordWaitMs, () => this.tellLoss(member, reason)),
    );
  }

  /** The first of its kind, then each thousandth: rubbish must not fill the log. */
  private dropped(link: string, drop: DropReason, reason: string): void {
    const count = this.office.drops()[drop];
    if (count === 1 || count % 1000 === 0)
      this.options.log.warn('envelope.dropped', { link, drop, reason, count });
  }

  /** Carries out what a membership decides. */
  take(step: Step): void {
    for (const { to, message } of step.tell) this.office.send(to, message);
    for (const endpoint of step.dial) this.call(endpoint);
    for (const endpoint of step.hangUp) if (!this.joined.has(endpoint)) this.office.hangUp(endpoint);
  }

  /** What another member says of itself may be no address at all. */
  private call(endpoint: string): void {
    try {
      this.office.dial(endpoint);
    } catch (fault) {
      this.options.log.warn('member.unreachable', { endpoint, reason: (fault as Error).message });
    }
  }
}
