// The actor host of a process: hands messages, facts and the time to the actors that live here, and performs what they
// want done. What needs the world beyond post and timers (running models, processes, clients) is done by performers
// that the process brings along.
import type { Actor, Heard } from '../../actors/actor.js';
import type { Effect, Note } from '../../actors/effects.js';
import { jobId, type MemberId } from '../../proto/ids.js';
import type { Message } from '../../proto/messages.js';
import { after, now, settle, type Timer } from '../clock.js';
import type { Log } from '../log.js';

export type Frames = readonly Uint8Array[];

/** What is being heard while an effect is performed: a reply finds its rows in the frames that came along. */
export interface Occasion {
  readonly heard: Heard;
  readonly frames: Frames;
}

export interface Carrier {
  send(to: MemberId, message: Message, frames: Frames): void;
  /** Nothing more will come in this tick: what waits to be joined may go. */
  flush(): void;
}

export type Performer<T extends Effect['type']> = (
  effect: Extract<Effect, { type: T }>,
  occasion: Occasion,
) => void;
type Own = 'send' | 'arm' | 'disarm' | 'settle' | 'note';
export type Performers = { readonly [T in Exclude<Effect['type'], Own>]?: Performer<T> };

interface Resident {
  readonly name: string;
  readonly actor: Actor;
  readonly timers: Map<string, Timer>;
}

interface Delivery extends Occasion {
  readonly from: MemberId;
  /** Undefined: everybody who hears the type. */
  readonly only: Resident | undefined;
}

const noFrames: Frames = [];

export class Host {
  private readonly self: MemberId;
  private readonly log: Log;
  private readonly residents: Resident[] = [];
  private readonly hearers = new Map<Heard['type'], Resident[]>();
  private readonly watchers = new Map<Heard['type'], ((heard: Heard) => void)[]>();
  private readonly deliveries: Delivery[] = [];
  private readonly performers: Performers;
  private readonly payloadOf: (message: Message, outputsOf: string) => Frames;
  private readonly carrier: Carrier;
  private delivering = false;
  private closed = false;

  constructor(options: {
    self: MemberId;
    log: Log;
    carrier: Carrier;
    performers: Performers;
    /** The tensor frames that go along with a message. */
    payloadOf: (message: Message, outputsOf: string) => Frames;
  }) {
    this.self = options.self;
    this.log = options.log;
    this.carrier = options.carrier;
    this.performers = options.performers;
    this.payloadOf = options.payloadOf;
  }

  add(name: string, actor: Actor): void {
    const resident: Resident = { name, actor, timers: new Map() };
    this.residents.push(resident);
    for (const type of actor.hears) this.hearers.set(type, [...(this.hearers.get(type) ?? []), resident]);
  }

  /** Runs after the actors here have heard something of these types. */
  watch(types: readonly Heard['type'][], run: (heard: Heard) => void): void {
    for (const type of types) this.watchers.set(type, [...(this.watchers.get(type) ?? []), run]);
  }

  /** Tells the actors here; returns when all that follows from it here has been performed. */
  hear(heard: Heard, from: MemberId = this.self, frames: Frames = noFrames): void {
    if (this.closed) return;
    this.deliveries.push({ heard, from, frames, only: undefined });
    this.deliverAll();
  }

  perform(actorName: string, effects: readonly Effect[]): void {
    const resident = this.residents.find((other) => other.name === actorName);
    if (resident === undefined) throw new Error(`no actor ${actorName} lives here`);
    for (const effect of effects) this.performOne(effect, resident, { heard: settled, frames: noFrames });
    this.deliverAll();
  }

  close(): void {
    this.closed = true;
    for (const resident of this.residents) for (const timer of resident.timers.values()) timer.cancel();
  }

  private deliverAll(): void {
    if (this.delivering) return;
    this.delivering = true;
    try {
      for (let at = 0; at < this.deliveries.length; at++) this.deliver(this.deliveries[at] as Delivery);
    } finally {
      this.deliveries.length = 0;
      this.delivering = false;
    }
  }

  private deliver(delivery: Delivery): void {
    const residents = delivery.only === undefined ? this.hearers.get(delivery.heard.type) : [delivery.only];
    if (residents === undefined) return;
    for (const resident of residents) {
      const effects = resident.actor.receive(delivery.heard, delivery.from, now());
      for (const effect of effects) this.performOne(effect, resident, delivery);
    }
    const watchers = this.watchers.get(delivery.heard.type);
    if (watchers !== undefined) for (const run of watchers) run(delivery.heard);
  }

  private performOne(effect: Effect, resident: Resident, occasion: Occasion): void {
    switch (effect.type) {
      case 'send':
        return this.send(effect.to, effect.message, effect.outputsOf);
      case 'settle':
        return settle(() => {
          this.tell(resident, settled);
          this.carrier.flush();
        });
      case 'arm':
        return this.arm(resident, effect.timer, effect.at);
      case 'disarm':
        return this.disarm(resident, effect.timer);
      case 'note':
        if (this.log.takes(effect.level)) this.log[effect.level](effect.event, this.shown(effect.fields));
        return;
      default: {
        const performer = this.performers[effect.type] as Performer<typeof effect.type> | undefined;
        if (performer === undefined) throw new Error(`nobody here performs ${effect.type}`);
        (performer as (effect: Effect, occasion: Occasion) => void)(effect, occasion);
      }
    }
  }

  /** A job by the id that its client was told. */
  private shown(fields: Note['fields']): Note['fields'] {
    const { job } = fields;
    return typeof job === 'number' ? { ...fields, job: jobId(this.self, job) } : fields;
  }

  private send(to: MemberId, message: Message, outputsOf: string): void {
    if (to === this.self)
      this.deliveries.push({ heard: message, from: to, frames: noFrames, only: undefined });
    else this.carrier.send(to, message, this.payloadOf(message, outputsOf));
  }

  private arm(resident: Resident, timer: string, at: number): void {
    this.disarm(resident, timer);
    const armed = after(Math.max(0, at - now()), () => {
      resident.timers.delete(timer);
      this.tell(resident, { type: 'timer.fired', timer });
    });
    resident.timers.set(timer, armed);
  }

  private disarm(resident: Resident, timer: string): void {
    resident.timers.get(timer)?.cancel();
    resident.timers.delete(timer);
  }

  private tell(resident: Resident, heard: Heard): void {
    if (this.closed) return;
    this.deliveries.push({ heard, from: this.self, frames: noFrames, only: resident });
    this.deliverAll();
  }
}

const settled = { type: 'tick.settled' } as const;
