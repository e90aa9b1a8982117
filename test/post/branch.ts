// An office under test: remembers what it told, counts what its transport sent, and can be waited for.
import type { MemberId, Role } from '../../proto/ids.js';
import type { Message, Said } from '../../proto/messages.js';
import type { KeyRing } from '../../runtime/keys/ring.js';
import { type Member, type OfficeEvents, PostOffice } from '../../runtime/post/office.js';
import type { Transport, TransportFactory } from '../../runtime/post/transport.js';
import { Waiting } from './witness.js';

export class Branch extends Waiting implements OfficeEvents {
  readonly office: PostOffice;
  readonly deliveries: { from: MemberId; message: Message; frames: readonly Uint8Array[] }[] = [];
  readonly openings: Member[] = [];
  readonly losses: { member: MemberId; reason: string }[] = [];
  readonly refusals: { link: string; reason: string }[] = [];
  readonly drops: { link: string; drop: string; reason: string }[] = [];
  readonly faults: string[] = [];
  /** What it does with a message beyond remembering it. */
  whenDelivered: ((message: Message) => void) | undefined;
  /** Every delivery that the office gave to its transport. */
  readonly sent: { link: string; frames: readonly Uint8Array[] }[] = [];

  constructor(
    transport: TransportFactory,
    id: MemberId,
    cluster = 'test',
    roles: Role[] = ['worker'],
    keys?: KeyRing,
  ) {
    super();
    this.office = new PostOffice({
      self: id,
      announcement: () => announcement(id, cluster, roles),
      transport: (self, events) => this.#counting(transport(self, events)),
      events: this,
      keys,
    });
  }

  delivered(from: MemberId, message: Message, frames: readonly Uint8Array[]): void {
    this.deliveries.push({ from, message, frames });
    this.changed();
    this.whenDelivered?.(message);
  }

  opened(member: Member): void {
    this.openings.push(member);
    this.changed();
  }

  lost(member: MemberId, reason: string): void {
    this.losses.push({ member, reason });
    this.changed();
  }

  refused(link: string, reason: string): void {
    this.refusals.push({ link, reason });
    this.changed();
  }

  dropped(link: string, drop: string, reason: string): void {
    this.drops.push({ link, drop, reason });
    this.changed();
  }

  failed(what: string, error: unknown): void {
    this.faults.push(`${what}: ${(error as Error).message}`);
    this.changed();
  }

  delivery(count = 1): Promise<void> {
    return this.until(() => this.deliveries.length >= count, `${count} messages`);
  }

  opening(count = 1): Promise<void> {
    return this.until(() => this.openings.length >= count, `${count} members`);
  }

  loss(count = 1): Promise<void> {
    return this.until(() => this.losses.length >= count, `${count} members lost`);
  }

  refusal(count = 1): Promise<void> {
    return this.until(() => this.refusals.length >= count, `${count} refusals`);
  }

  drop(count = 1): Promise<void> {
    return this.until(() => this.drops.length >= count, `${count} drops`);
  }

  #counting(transport: Transport): Transport {
    return {
      bind: (endpoint) => transport.bind(endpoint),
      dial: (endpoint) => transport.dial(endpoint),
      knock: (endpoint) => transport.knock(endpoint),
      hangUp: (link) => transport.hangUp(link),
      close: (lingerMs) => transport.close(lingerMs),
      send: (link, frames) => {
        this.sent.push({ link, frames: [...frames] });
        return transport.send(link, frames);
      },
    };
  }
}

export function announcement(id: MemberId, cluster: string, roles: Role[]): Said<'member.announced'> {
  return {
    type: 'member.announced',
    cluster,
    member: [id, roles, `ipc:///of/${id}`, 'a host'],
    build: '0.1.0',
  };
}

/** Members' beats are the smallest messages with a number in them. */
export function beat(sequence: number): Said<'peer.beat'> {
  return { type: 'peer.beat', sequence, intervalMs: 50 };
}
