// The membership port: who is in the cluster, as one member sees it. It decides whom to tell and whom to call; the
// process around it carries that out.
import type { MemberId, Role } from '../proto/ids.js';
import type { Message } from '../proto/messages.js';

export interface Member {
  readonly id: MemberId;
  readonly roles: readonly Role[];
  /** Where it can be called; empty when it only calls others. */
  readonly endpoint: string;
  /** The node that supervises it; empty when none does. */
  readonly host: MemberId;
}

export interface Step {
  readonly dial: readonly string[];
  /** Endpoints of an earlier step where nobody will answer any more. */
  readonly hangUp: readonly string[];
  readonly tell: readonly { readonly to: MemberId; readonly message: Message }[];
}

export interface Membership {
  /** A link to the member is open. */
  opened(member: Member): Step;
  lost(member: MemberId): Step;
  heard(message: Message, from: MemberId): Step;
  members(): readonly Member[];
}
