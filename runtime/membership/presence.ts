// A node's presence in a cluster that finds itself by NATS: what it says of itself there, whom it is told of, and what its
// worker processes are told, who ask nobody themselves.
import { hostname } from 'node:os';
import { handOver } from '../../cluster/handover.js';
import { listedOf } from '../../cluster/local.js';
import type { Member, Step } from '../../cluster/membership.js';
import type { Condition, NodeRecord } from '../../cluster/record.js';
import { Steward } from '../../cluster/steward.js';
import type { ConnectionEvents } from '../../cluster/store.js';
import { StoredMembership } from '../../cluster/stored.js';
import type { Said } from '../../proto/messages.js';
import type { Ownership } from '../../proto/ownership.js';
import { after, realClock, type Timer } from '../clock.js';
import type { Config } from '../config/schema.js';
import type { Log } from '../log.js';
import { keyIn } from '../post/endpoint.js';
import { version } from '../version.js';
import { natsOptions } from './access.js';
import { Bursts } from './bursts.js';
import { OwnersUpkeep } from './owners.js';
import { Upkeep } from './upkeep.js';

export interface PresenceOptions {
  readonly config: Config;
  readonly self: Member;
  readonly log: Log;
  readonly condition: () => Condition;
  readonly isLinked: (member: string) => boolean;
  readonly take: (step: Step) => void;
  /** Who is there, or how far that can be trusted, has changed. */
  readonly changed: () => void;
  /** Who owns which model has changed. */
  readonly owned: (list: Ownership) => void;
}

/** Far above every lease: only what nobody cleared away is dropped by it. */
const keepMs = 3_600_000;
const beatsPerLease = 4;
/** Of a thousand that join at once worker processes are told a few times, not a thousand times. */
const burstMs = 20;
const ticksPerBeat = 4;
/** Who goes gives its models away first, within so long: what is left goes over when its links are lost. */
const handOverMostMs = 3000;
const handOverLookMs = 20;
/** A member that is listed and not linked for so long gets a line in the log. */
const linkWaitMs = 5000;

export class Presence {
  readonly membership: StoredMembership;
  private readonly options: PresenceOptions;
  private readonly upkeep: Upkeep;
  private readonly steward: Steward;
  private readonly owners: OwnersUpkeep;
  private linkWatch: Timer | undefined;
  private readonly noticed = new Set<string>();
  private revision = 0;
  private readonly bursts: Bursts;

  constructor(options: PresenceOptions) {
    this.options = options;
    const { config, self, log, take } = options;
    const access = natsOptions(config, self.id);
    const beatMs = config.leaseMs / beatsPerLease;
    const about = { self, cluster: config.cluster, build: version, machine: hostname() };
    const condition = (): Condition => ({ ...options.condition(), ownersEpoch: this.steward.list().epoch });
    this.membership = new StoredMembership({ ...about, condition, beatMs, leaseMs: config.leaseMs });
    const tickMs = beatMs / ticksPerBeat;
    this.steward = new Steward({
      self: self.id,
      nodes: () => this.membership.nodes(),
      changes: () => this.membership.changes,
      standing: () => this.membership.standing().state,
      patienceMs: config.leaseMs / 2,
      spaceMs: tickMs,
    });
    const ownersStore = { name: `signalbox-${config.cluster}-owners`, keepMs: 0 };
    const { steward } = this;
    this.owners = new OwnersUpkeep({ steward, store: ownersStore, tickMs, log, told: options.owned });
    this.bursts = new Bursts(burstMs, () => {
      this.revision++;
      this.owners.membersChanged();
      options.changed();
    });
    this.upkeep = new Upkeep({
      membership: this.membership,
      connect: async (events: ConnectionEvents) => {
        // The library takes its time to load: only who asks for NATS pays for that.
        const { connectNats } = await import('../../cluster/nats.js');
        return connectNats(access, events);
      },
      store: { name: `signalbox-${config.cluster}-members`, keepMs },
      where: config.nats,
      startMs: config.natsWaitMs,
      tickMs,
      log,
      take,
      changed: () => this.bursts.tell(),
      connected: (connection) => this.owners.connected(connection),
    });
  }

  async start(): Promise<void> {
    await this.upkeep.start();
    this.watchLinks(new Set());
  }

  /** A start is not to wait any longer: the node stops. */
  hurry(): void {
    this.upkeep.hurry();
  }

  /** This node has changed. */
  renew(): void {
    this.upkeep.renew();
    this.owners.membersChanged();
  }

  /** Resolves when others own what this node did, or when nobody takes it. */
  async handedOver(): Promise<void> {
    const { self, log } = this.options;
    const { models, kept } = await handOver(
      {
        self: self.id,
        list: () => this.steward.list(),
        nodes: () => this.nodes(),
        standing: () => this.membership.standing().state,
        mostMs: handOverMostMs,
        lookMs: handOverLookMs,
      },
      realClock,
    );
    if (kept > 0) log.info('owners.kept', { models: kept, hint: 'nobody took them before this node goes' });
    else if (models > 0) log.info('owners.handedOver', { models });
  }

  /** Off the list with a dead one. */
  evict(member: string): void {
    this.upkeep.evict(member);
  }

  stop(): Promise<void> {
    this.linkWatch?.cancel();
    this.bursts.stop();
    this.owners.stop();
    return this.upkeep.stop();
  }

  /** What worker processes of this node have to know of the others; to it they are linked in any case. */
  list(): Said<'members.listed'> {
    const others = this.membership.nodes().filter(({ member }) => member.id !== this.options.self.id);
    return {
      type: 'members.listed',
      revision: this.revision,
      members: others.map(({ member }) => listedOf(member)),
    };
  }

  /** Why this node is not let into NATS, as far as its membership has tried; empty while it is in. */
  get outside(): string {
    return this.upkeep.trouble;
  }

  get isLive(): boolean {
    return this.membership.standing().state === 'live';
  }

  nodes(): readonly NodeRecord[] {
    return this.membership.nodes();
  }

  /** What was missing twice gets a line, once: an address that is no good from here looks like that. */
  private watchLinks(missedBefore: ReadonlySet<string>): void {
    this.linkWatch = after(
      linkWaitMs,
      () => {
        const { self, isLinked, log } = this.options;
        const missed = this.nodes()
          .map(({ member }) => member)
          .filter((other) => other.id !== self.id && !isLinked(other.id))
          .filter((other) => self.endpoint !== '' || other.endpoint !== '');
        for (const id of this.noticed) if (!missed.some((other) => other.id === id)) this.noticed.delete(id);
        for (const { id, endpoint } of missed) {
          if (!missedBefore.has(id) || this.noticed.has(id)) continue;
          this.noticed.add(id);
          const keys = keyIn(endpoint) + keyIn(self.endpoint);
          const hint =
            `it is listed and no link to it opens: can ${endpoint === '' ? 'it reach this node' : 'it be reached there'}?` +
            (keys === '' ? '' : ' Are keys set on both sides, and does each trust the key of the other?');
          log.warn('member.unlinked', { member: id, endpoint, hint });
        }
        this.watchLinks(new Set(missed.map(({ id }) => id)));
      },
      false,
    );
  }
}
