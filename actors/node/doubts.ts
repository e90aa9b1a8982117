// What those who watch have said of each member, as far as it has not been taken back.
import type { MemberId } from '../../proto/ids.js';
import { limits } from '../../proto/limits.js';
import type { Said, Verdict } from '../../proto/messages.js';

export interface Doubt {
  /** The worst that is said of it. */
  readonly verdict: Exclude<Verdict, 'trusted'>;
  /** Who doubts it, with why. */
  readonly by: readonly (readonly [watcher: MemberId, reason: string])[];
}

export class Doubts {
  private readonly words = new Map<MemberId, Map<MemberId, Said<'peer.judged'>>>();

  hear(judged: Said<'peer.judged'>, from: MemberId): void {
    if (!this.words.has(judged.member) && this.words.size >= limits.membersMax) return;
    const of = this.words.get(judged.member) ?? new Map<MemberId, Said<'peer.judged'>>();
    if (judged.verdict === 'trusted') of.delete(from);
    else of.set(from, judged);
    if (of.size === 0) this.words.delete(judged.member);
    else this.words.set(judged.member, of);
  }

  /** Nobody takes back what one said who is gone. */
  forget(member: MemberId): void {
    this.words.delete(member);
    for (const [other, of] of this.words) {
      of.delete(member);
      if (of.size === 0) this.words.delete(other);
    }
  }

  of(member: MemberId): Doubt | undefined {
    const words = [...(this.words.get(member) ?? [])];
    if (words.length === 0) return undefined;
    const isDown = words.some(([, { verdict }]) => verdict === 'down');
    return {
      verdict: isDown ? 'down' : 'suspect',
      by: words.map(([watcher, { reason }]) => [watcher, reason]),
    };
  }
}
