// The membership port: who is in the cluster, as one member sees it. It decides whom to tell and whom to call; the
// process around it carries that out. Its siblings: local (a founder keeps the list) and stored (a store such as NATS does).
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

/** How far the view can be trusted: a frozen one is the last that was had, and nobody joins or leaves in it. */
export interface Standing {
  readonly state: 'joining' | 'live' | 'frozen';
  /** Why it is not live, for people; empty when it is. */
  readonly reason: string;
}

/**
 * What every sibling keeps to: who is there is listed by all, and of two that both can be called the one with the lower id
 * calls, once; who leaves is off all lists at once, who is lost after a while; when whatever keeps the list is away, the
 * last list stands and the standing says so; who is linked is there, listed or not, and is never hung up on.
 */
export interface Membership {
  /** A link to the member is open. */
  opened(member: Member): Step;
  lost(member: MemberId): Step;
  heard(message: Message, from: MemberId): Step;
  members(): readonly Member[];
  standing(): Standing;
}

export const nothing: Step = { dial: [], hangUp: [], tell: [] };
