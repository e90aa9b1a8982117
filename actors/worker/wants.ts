// What a worker wants done while it hears something, collected until it has heard it. Who is not linked is told nothing.
import type { MemberId } from '../../proto/ids.js';
import type { Message } from '../../proto/messages.js';
import { Directory } from '../directory.js';
import { type Effect, send } from '../effects.js';

export class Wants {
  readonly links = new Directory();
  private effects: Effect[] = [];

  add(effect: Effect): void {
    this.effects.push(effect);
  }

  arm(timer: string, at: number): void {
    this.effects.push({ type: 'arm', timer, at });
  }

  disarm(timer: string): void {
    this.effects.push({ type: 'disarm', timer });
  }

  tell(to: MemberId, message: Message): void {
    if (this.links.has(to)) this.effects.push(send(to, message));
  }

  take(): Effect[] {
    const { effects } = this;
    this.effects = [];
    return effects;
  }
}
