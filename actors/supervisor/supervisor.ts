// The supervisor actor: keeps the worker processes of its node alive within a restart budget, tells the others at once
// how one ended, and ends one that has been silent for too long.
import type { MemberId } from '../../proto/ids.js';
import type { Actor, Heard } from '../actor.js';
import { Directory } from '../directory.js';
import { type Effect, note, send } from '../effects.js';
import { RestartBudget, type RestartSettings } from './restart.js';

export interface SupervisorSettings {
  /** Names of the workers to keep, one slot each. */
  readonly names: readonly string[];
  readonly restart: RestartSettings;
  /** A worker that is down for so long is killed, so that another can take its place. */
  readonly hungKillMs: number;
}

interface Slot {
  readonly name: string;
  readonly budget: RestartBudget;
  member: MemberId;
  spawnedAt: number;
  running: boolean;
  /** Ended by this supervisor, for its silence: whether it had broken down nobody knows. */
  killed: boolean;
}

export class Supervisor implements Actor {
  readonly hears: ReadonlySet<Heard['type']> = new Set<Heard['type']>([
    'child.spawned',
    'child.exited',
    'peer.judged',
    'link.opened',
    'link.lost',
    'timer.fired',
    'drain.requested',
  ]);
  private readonly slots: Slot[];
  private readonly links = new Directory();
  private readonly settings: SupervisorSettings;
  private draining = false;

  constructor(settings: SupervisorSettings) {
    this.settings = settings;
    this.slots = settings.names.map((name) => ({
      name,
      budget: new RestartBudget(settings.restart),
      member: '',
      spawnedAt: 0,
      running: false,
      killed: false,
    }));
  }

  /** The first effects: every slot gets its process. */
  begin(): Effect[] {
    return this.slots.map((slot, index) => ({ type: 'spawn', slot: index, name: slot.name }));
  }

  receive(heard: Heard, _from: MemberId, now: number): Effect[] {
    switch (heard.type) {
      case 'link.opened':
        this.links.open(heard.member, heard.roles);
        return [];
      case 'link.lost':
        if (!this.links.close(heard.member).includes('health')) return [];
        // Nobody is left to take back what health said of them.
        return this.slots.map((_, index) => ({ type: 'disarm', timer: `kill ${index}` }));
      case 'child.spawned': {
        const slot = this.slots[heard.slot] as Slot;
        slot.member = heard.member;
        slot.spawnedAt = now;
        slot.running = true;
        slot.killed = false;
        return [];
      }
      case 'child.exited':
        return this.exited(heard, now);
      case 'peer.judged':
        return this.judged(heard.member, heard.verdict === 'down', now);
      case 'timer.fired':
        return this.timer(heard.timer);
      case 'drain.requested':
        this.draining = true;
        return [];
    }
    return [];
  }

  private exited(exited: Extract<Heard, { type: 'child.exited' }>, now: number): Effect[] {
    const slot = this.slots[exited.slot] as Slot;
    if (slot.member !== exited.member) return [];
    slot.running = false;
    const { member: worker, detail } = exited;
    const cause = slot.killed ? 'unknown' : exited.cause;
    const effects: Effect[] = this.links
      .withAny('router', 'scheduler', 'health')
      .map((member) => send(member, { type: 'worker.exited', worker, cause, detail }));
    effects.push({ type: 'disarm', timer: `kill ${exited.slot}` });
    if (this.draining) return effects;
    // Ended by an outside hand it proved nothing against itself, however young it was.
    const livedMs = cause === 'killed' ? Number.POSITIVE_INFINITY : now - slot.spawnedAt;
    const delayMs = slot.budget.next(livedMs, now);
    effects.push(note('warn', 'worker.exited', { worker, cause, detail, restartInMs: delayMs }));
    if (delayMs === 0) effects.push({ type: 'spawn', slot: exited.slot, name: slot.name });
    else effects.push({ type: 'arm', timer: `spawn ${exited.slot}`, at: now + delayMs });
    return effects;
  }

  private judged(member: MemberId, down: boolean, now: number): Effect[] {
    const index = this.slots.findIndex((slot) => slot.member === member && slot.running);
    if (index < 0) return [];
    if (!down) return [{ type: 'disarm', timer: `kill ${index}` }];
    return [{ type: 'arm', timer: `kill ${index}`, at: now + this.settings.hungKillMs }];
  }

  private timer(timer: string): Effect[] {
    const [kind, number] = timer.split(' ');
    const index = Number(number);
    const slot = this.slots[index];
    if (slot === undefined) return [];
    if (kind === 'spawn' && !slot.running && !this.draining)
      return [{ type: 'spawn', slot: index, name: slot.name }];
    if (kind === 'kill' && slot.running) {
      slot.killed = true;
      return [
        {
          type: 'kill',
          slot: index,
          reason: `silent for ${this.settings.hungKillMs} ms after it was given up`,
        },
      ];
    }
    return [];
  }
}
