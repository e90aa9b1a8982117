// A simulated process: its actors, their timers and its mailbox. It hears, settles and performs exactly as the host in
// the runtime does, and can besides be frozen or ended between two steps.
import type { Actor, Heard } from '../../actors/actor.js';
import type { Effect } from '../../actors/effects.js';
import type { MemberId, Role } from '../../proto/ids.js';
import type { Message } from '../../proto/messages.js';
import type { Happening, Timeline } from './timeline.js';

/** Stands for tensors: one token per row. */
export type Tokens = readonly number[];

export interface Resident {
  readonly name: string;
  /** What is spoken to: the actor, or a planted bug around it. */
  readonly actor: Actor;
  readonly inner: Actor;
  readonly timers: Map<string, Happening>;
}

export interface Delivery {
  readonly heard: Heard;
  readonly from: MemberId;
  readonly tokens: Tokens;
  /** Undefined: everybody who hears the type. */
  readonly only: Resident | undefined;
  /** A timer may be disarmed while it waits in a frozen process. */
  readonly timer: Happening | undefined;
}

type Outward = Exclude<Effect['type'], 'arm' | 'disarm' | 'settle'>;

/** The world around a process. */
export interface Surroundings {
  readonly timeline: Timeline;
  /** How late, or a little early, a timer comes. */
  timerNoiseMs(): number;
  send(from: Process, to: MemberId, message: Message, outputsOf: string): void;
  /** Before the actors hear a message that came with rows. */
  received(process: Process, message: Message, tokens: Tokens): void;
  observe(process: Process, resident: Resident, delivery: Delivery, effects: readonly Effect[]): void;
  settled(process: Process): void;
  perform(process: Process, effect: Extract<Effect, { type: Outward }>, delivery: Delivery): void;
}

export const noTokens: Tokens = [];
const tickSettled = { type: 'tick.settled' } as const;
const settleMs = 0.02;

export class Process {
  readonly id: MemberId;
  readonly roles: readonly Role[];
  readonly residents: Resident[] = [];
  alive = true;
  frozen = false;
  /** Frozen for good: its main thread will never come back. */
  stuck = false;
  /** What it computes is garbage, golden inputs too, and only a check now and then sees it. */
  sick = false;
  /** It was sick once: what it finds out then may show after it is cured. */
  hasBeenSick = false;
  /** What it computes takes longer until then. */
  slowUntil = 0;
  /** When it last came back from being frozen. */
  resumedAt = 0;
  private readonly hearers = new Map<Heard['type'], Resident[]>();
  private readonly around: Surroundings;
  private mailbox: (Delivery | (() => void))[] = [];
  private late: (() => void)[] = [];
  private readonly deliveries: Delivery[] = [];
  private delivering = false;

  constructor(id: MemberId, roles: readonly Role[], around: Surroundings) {
    this.id = id;
    this.roles = roles;
    this.around = around;
  }

  /** `inner` is the actor itself where a planted bug has been put around it. */
  add(name: string, actor: Actor, inner = actor): Resident {
    const resident: Resident = { name, actor, inner, timers: new Map() };
    this.residents.push(resident);
    for (const type of actor.hears) this.hearers.set(type, [...(this.hearers.get(type) ?? []), resident]);
    return resident;
  }

  hear(heard: Heard, from: MemberId = this.id, tokens: Tokens = noTokens): void {
    this.take({ heard, from, tokens, only: undefined, timer: undefined });
  }

  /** The first effects of an actor, before it has heard anything. */
  begin(resident: Resident, effects: readonly Effect[]): void {
    const delivery = {
      heard: tickSettled,
      from: this.id,
      tokens: noTokens,
      only: resident,
      timer: undefined,
    };
    for (const effect of effects) this.performOne(effect, resident, delivery);
  }

  freeze(): void {
    this.frozen = true;
  }

  resume(): void {
    if (!this.frozen || this.stuck || !this.alive) return;
    this.frozen = false;
    this.resumedAt = this.around.timeline.now;
    const waiting = [...this.mailbox, ...this.late];
    this.mailbox = [];
    this.late = [];
    for (const one of waiting) {
      if (typeof one === 'function') this.whenAwake(one);
      else this.take(one);
    }
  }

  /** Now, or when it is no longer frozen: then in its turn, or after all that waits. */
  whenAwake(act: () => void, isLate = false): void {
    if (!this.alive) return;
    if (!this.frozen) act();
    else if (isLate) this.late.push(act);
    else this.mailbox.push(act);
  }

  end(): void {
    this.alive = false;
    this.mailbox = [];
    this.late = [];
    for (const resident of this.residents)
      for (const timer of resident.timers.values()) timer.cancelled = true;
  }

  private take(delivery: Delivery): void {
    if (!this.alive) return;
    if (this.frozen) {
      this.mailbox.push(delivery);
      return;
    }
    if (delivery.timer?.cancelled === true) return;
    this.around.received(this, delivery.heard as Message, delivery.tokens);
    this.deliveries.push(delivery);
    if (this.delivering) return;
    this.delivering = true;
    for (let at = 0; at < this.deliveries.length; at++) this.deliver(this.deliveries[at] as Delivery);
    this.deliveries.length = 0;
    this.delivering = false;
    this.around.settled(this);
  }

  private deliver(delivery: Delivery): void {
    const { heard, from, only, timer } = delivery;
    if (timer !== undefined && only !== undefined && heard.type === 'timer.fired')
      only.timers.delete(heard.timer);
    const hearers = only === undefined ? this.hearers.get(heard.type) : [only];
    if (hearers === undefined) return;
    for (const resident of hearers) {
      const effects = resident.actor.receive(heard, from, this.around.timeline.now);
      this.around.observe(this, resident, delivery, effects);
      for (const effect of effects) this.performOne(effect, resident, delivery);
    }
  }

  private performOne(effect: Effect, resident: Resident, delivery: Delivery): void {
    switch (effect.type) {
      case 'send':
        if (effect.to !== this.id) return this.around.send(this, effect.to, effect.message, effect.outputsOf);
        this.deliveries.push({
          heard: effect.message,
          from: this.id,
          tokens: noTokens,
          only: undefined,
          timer: undefined,
        });
        return;
      case 'arm':
        return this.arm(resident, effect.timer, effect.at);
      case 'disarm':
        return this.disarm(resident, effect.timer);
      case 'settle':
        this.around.timeline.after(settleMs, () => this.tell(resident, tickSettled, undefined));
        return;
      default:
        return this.around.perform(this, effect, delivery);
    }
  }

  private arm(resident: Resident, timer: string, at: number): void {
    this.disarm(resident, timer);
    const { timeline } = this.around;
    const armed = timeline.at(Math.max(at, timeline.now) + this.around.timerNoiseMs(), () =>
      this.tell(resident, { type: 'timer.fired', timer }, armed),
    );
    resident.timers.set(timer, armed);
  }

  private disarm(resident: Resident, timer: string): void {
    const armed = resident.timers.get(timer);
    if (armed === undefined) return;
    armed.cancelled = true;
    resident.timers.delete(timer);
  }

  private tell(resident: Resident, heard: Heard, timer: Happening | undefined): void {
    this.take({ heard, from: this.id, tokens: noTokens, only: resident, timer });
  }
}
