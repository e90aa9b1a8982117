// What makes a simulated process a member of a cluster that finds itself by NATS: a node has the real membership and the
// real upkeep of it, its workers hear from it who else is there.
import type { Actor, Heard } from '../../actors/actor.js';
import type { Effect } from '../../actors/effects.js';
import { handOver } from '../../cluster/handover.js';
import { LocalMembership, listedOf } from '../../cluster/local.js';
import type { Member, Membership, Step } from '../../cluster/membership.js';
import { Steward } from '../../cluster/steward.js';
import { StoredMembership } from '../../cluster/stored.js';
import type { MemberId } from '../../proto/ids.js';
import type { NodeState, Said } from '../../proto/messages.js';
import type { Clock, Timer } from '../../runtime/clock.js';
import type { Log, LogFields } from '../../runtime/log.js';
import { OwnersUpkeep } from '../../runtime/membership/owners.js';
import { Upkeep } from '../../runtime/membership/upkeep.js';
import { beatsPerLease } from './cluster.js';
import { Client } from './nats.js';
import type { Process } from './process.js';
import type { Town } from './town.js';

const ticksPerBeat = 4;
const waits = { againFirstMs: 4, againMostMs: 16, inMostMs: 80, goodbyeMs: 16 };
const handOverMostMs = 20;
const quiet: readonly string[] = ['nats.unreachable', 'owners.unreachable'];
export const ownersStore = 'owners';
export const membersStore = 'members';
const noEffects: Effect[] = [];

/** Tells a membership of the links, and carries out what it wants with them. */
abstract class Presence implements Actor {
  readonly hears: ReadonlySet<Heard['type']> = new Set([
    'link.opened',
    'link.lost',
    'member.left',
    'members.listed',
  ] as const);
  abstract readonly membership: Membership;
  protected readonly process: Process;
  protected readonly town: Town;
  private readonly joined = new Set<string>();

  constructor(process: Process, town: Town) {
    this.process = process;
    this.town = town;
  }

  /** Calls there for as long as the process lives, as in the runtime: the list may have had another at that endpoint. */
  join(endpoint: string): void {
    this.joined.add(endpoint);
    this.town.wiring.dial(this.process.id, endpoint);
  }

  receive(heard: Heard, from: MemberId): Effect[] {
    const step = this.stepOf(heard, from);
    if (step !== undefined) this.take(step);
    return noEffects;
  }

  protected take({ dial, hangUp }: Step): void {
    for (const endpoint of dial) this.town.wiring.dial(this.process.id, endpoint);
    for (const endpoint of hangUp)
      if (!this.joined.has(endpoint)) this.town.wiring.hangUp(this.process.id, endpoint);
  }

  private stepOf(heard: Heard, from: MemberId): Step | undefined {
    const { membership, process, town } = this;
    if (heard.type === 'members.listed') return membership.heard(heard, from);
    if (heard.type === 'member.left') {
      process.hear({ type: 'link.lost', member: from, reason: heard.reason });
      return membership.heard(heard, from);
    }
    if (heard.type === 'link.lost') return membership.lost(heard.member);
    if (heard.type !== 'link.opened' || heard.member === process.id) return undefined;
    const member = town.wiring.memberOf(heard.member);
    return member === undefined ? undefined : membership.opened(member);
  }
}

export class WorkerPresence extends Presence {
  readonly membership: Membership;

  constructor(process: Process, member: Member, town: Town) {
    super(process, town);
    this.membership = new LocalMembership(member, false);
  }
}

export class NodePresence extends Presence {
  readonly membership: StoredMembership;
  readonly member: Member;
  readonly client: Client;
  readonly startedAt: number;
  readonly steward: Steward;
  state: NodeState = 'starting';
  private readonly upkeep: Upkeep;
  private readonly owners: OwnersUpkeep;
  private readonly clock: Clock;
  private revision = 0;

  constructor(process: Process, member: Member, town: Town) {
    super(process, town);
    const { leaseMs } = town.plan;
    const beatMs = leaseMs / beatsPerLease;
    this.member = member;
    this.startedAt = town.timeline.now;
    this.clock = clockOf(process, town);
    this.client = new Client(member.id, (act) => process.whenAwake(() => town.stir(act)));
    this.membership = new StoredMembership({
      self: member,
      cluster: 'simulated',
      build: '',
      machine: '',
      condition: () => ({
        state: this.state,
        models: member.roles.includes('router') ? town.models : [],
        labels: [],
        workers: [],
        jobs: 0,
        ownersEpoch: this.steward.list().epoch,
      }),
      beatMs,
      leaseMs,
    });
    const tickMs = beatMs / ticksPerBeat;
    this.steward = new Steward({
      self: member.id,
      nodes: () => this.membership.nodes(),
      changes: () => this.membership.changes,
      standing: () => this.membership.standing().state,
      patienceMs: leaseMs / 2,
      spaceMs: tickMs,
    });
    town.watch(this);
    const { clock } = this;
    const log = this.log();
    this.owners = new OwnersUpkeep({
      steward: this.steward,
      store: { name: ownersStore, keepMs: 0 },
      tickMs,
      log,
      told: (list) => town.guard(() => process.hear({ type: 'owners.told', ...list })),
      clock,
      waits: { againFirstMs: waits.againFirstMs, againMs: waits.againMostMs },
    });
    this.upkeep = new Upkeep({
      membership: this.membership,
      connect: (events) => town.connect(this, events),
      store: { name: membersStore, keepMs: 0 },
      where: 'nats',
      startMs: Number.MAX_SAFE_INTEGER,
      tickMs,
      log,
      take: (step) => town.guard(() => this.take(step)),
      changed: () => {
        this.revision++;
        this.owners.membersChanged();
        town.tellWorkers(process, this.list());
      },
      connected: (connection) => this.owners.connected(connection),
      clock,
      waits,
    });
  }

  now(): number {
    return this.clock.now();
  }

  begin(): void {
    void this.upkeep.start().then(() => this.turn('serving'));
  }

  /** Gives away what it owns, then says goodbye, in the store and over its links. */
  async leave(): Promise<void> {
    this.turn('draining');
    const { clock, membership, steward } = this;
    const { kept } = await handOver(
      {
        self: this.member.id,
        list: () => steward.list(),
        nodes: () => membership.nodes(),
        standing: () => membership.standing().state,
        mostMs: handOverMostMs,
        lookMs: 1,
      },
      clock,
    );
    if (kept > 0) this.town.happened(`${this.member.id} goes with ${kept} models that nobody took`);
    this.owners.stop();
    await this.upkeep.stop();
    this.town.sayGoodbye(this.process);
  }

  list(): Said<'members.listed'> {
    const others = this.membership.nodes().filter(({ member }) => member.id !== this.member.id);
    const members = others.map(({ member }) => listedOf(member));
    return { type: 'members.listed', revision: this.revision, members };
  }

  private turn(state: NodeState): void {
    this.state = state;
    this.upkeep.renew();
    this.owners.membersChanged();
  }

  private log(): Log {
    const note = (event: string, fields: LogFields = {}): void => {
      if (!quiet.includes(event))
        this.town.happened(
          `${this.member.id} ${event} ${fields.member ?? fields.epoch ?? fields.reason ?? ''}`,
        );
    };
    return { debug: note, info: note, warn: note, error: note, takes: () => true };
  }
}

/** Its own: no two begin at the same number. */
function clockOf(process: Process, town: Town): Clock {
  const begins = town.random.between(0, 1e6);
  const after = (delayMs: number, run: () => void): Timer => {
    let isCancelled = false;
    town.timeline.after(delayMs + town.random.between(0, 1), () =>
      process.whenAwake(() => {
        if (!isCancelled) town.stir(run);
      }, town.random.chance(0.5)),
    );
    return { cancel: () => void (isCancelled = true) };
  };
  return {
    now: () => begins + town.timeline.now,
    after,
    pause: (delayMs) => new Promise((resolve) => void after(delayMs, resolve)),
  };
}
