// The pulse of a process: a beat to every health member at a steady pace. Each process has one; when it is stuck or
// gone, the beats are missing.
import type { MemberId } from '../../proto/ids.js';
import type { Actor, Heard } from '../actor.js';
import { Directory } from '../directory.js';
import { type Effect, send } from '../effects.js';

export class Pulse implements Actor {
  readonly hears: ReadonlySet<Heard['type']> = new Set<Heard['type']>([
    'link.opened',
    'link.lost',
    'timer.fired',
  ]);
  private readonly links = new Directory();
  private readonly self: MemberId;
  private readonly intervalMs: number;
  private sequence = 0;

  constructor(self: MemberId, intervalMs: number) {
    this.self = self;
    this.intervalMs = intervalMs;
  }

  receive(heard: Heard, _from: MemberId, now: number): Effect[] {
    if (heard.type === 'link.opened' && heard.member !== this.self) {
      const first = this.links.with('health').length === 0;
      this.links.open(heard.member, heard.roles);
      return first && this.links.with('health').length > 0 ? this.beat(now) : [];
    }
    if (heard.type === 'link.lost') this.links.close(heard.member);
    return heard.type === 'timer.fired' && heard.timer === 'beat' ? this.beat(now) : [];
  }

  private beat(now: number): Effect[] {
    const watchers = this.links.with('health');
    if (watchers.length === 0) return [];
    this.sequence++;
    const beat = { type: 'peer.beat', sequence: this.sequence, intervalMs: this.intervalMs } as const;
    const effects: Effect[] = watchers.map((watcher) => send(watcher, beat));
    effects.push({ type: 'arm', timer: 'beat', at: now + this.intervalMs });
    return effects;
  }
}
