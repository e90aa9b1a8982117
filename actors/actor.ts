// What every actor is: something that is handed a message or a fact and the time, and answers with effects.
import type { MemberId } from '../proto/ids.js';
import type { Message } from '../proto/messages.js';
import type { Effect } from './effects.js';
import type { Fact } from './facts.js';

export type Heard = Message | Fact;

export interface Actor {
  /** The types of messages and facts that it wants to hear. */
  readonly hears: ReadonlySet<Heard['type']>;
  /** The effects are the caller's from then on, but for an empty list, which may be everybody's. */
  receive(heard: Heard, from: MemberId, now: number): Effect[];
}
