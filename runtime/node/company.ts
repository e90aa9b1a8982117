// A node's company where nodes find each other by NATS: its presence among the others and its supply of the models that all
// share. They begin in this order, can both be told not to wait for a store, also before they are there, and end together.
import { LocalMembership } from '../../cluster/local.js';
import type { Membership } from '../../cluster/membership.js';
import type { NodeState } from '../../proto/messages.js';
import type { Config } from '../config/schema.js';
import type { Supply } from '../distribution/supply.js';
import type { Log } from '../log.js';
import { Presence } from '../membership/presence.js';
import type { Shelf } from '../models/shelf.js';
import type { Children } from '../supervise/children.js';
import type { NodeWord } from '../worker/order.js';
import type { Catalogue } from './catalogue.js';
import type { NodeEngine } from './engine.js';
import type { Keeper } from './keeper.js';
import type { MemberProcess } from './member.js';
import type { Plan } from './plan.js';

interface Around {
  readonly config: Config;
  readonly plan: Plan;
  readonly log: Log;
  readonly children: Children;
  readonly shelf: Shelf;
  readonly state: () => NodeState;
  /** Undefined until it is made, with the membership that is made here. */
  readonly member: () => MemberProcess | undefined;
}

export class Company {
  /** Undefined where the node is told of no NATS. */
  presence: Presence | undefined;
  private readonly around: Around;
  private supply: Supply | undefined;
  private isHurried = false;

  constructor(around: Around) {
    this.around = around;
  }

  enter(catalogue: Pick<Catalogue, 'available'>, engine: NodeEngine): Membership {
    const { config, plan, log, children, state, member } = this.around;
    if (config.nats === '') return new LocalMembership(plan.self, plan.founder);
    const presence = new Presence({
      config,
      self: plan.self,
      log,
      condition: () => ({
        state: state(),
        models: catalogue.available(),
        labels: config.workerTags === '' ? [] : config.workerTags.split(','),
        workers: children.list(),
        jobs: engine.liveJobs,
        holdings: this.supply?.holdings() ?? [],
      }),
      isLinked: (other) => member()?.isLinked(other) ?? false,
      take: (step) => member()?.take(step),
      changed: () => {
        for (const word of this.words()) children.tell(word);
        engine.readinessChanged();
        this.supply?.review();
      },
      owned: (list) => member()?.host.hear({ type: 'owners.told', ...list }),
    });
    this.presence = presence;
    if (this.isHurried) presence.hurry();
    return presence.membership;
  }

  async share(catalogue: Catalogue, keeper: Keeper, engine: NodeEngine): Promise<void> {
    const { presence } = this;
    if (presence === undefined) return;
    const { supplyOf } = await import('./supplying.js');
    const { config, plan, log, shelf, children } = this.around;
    this.supply = supplyOf({ config, plan, log, presence, shelf, keeper, catalogue, children, engine });
    if (this.isHurried) this.supply.hurry();
  }

  async start(): Promise<void> {
    await this.presence?.start();
    await this.supply?.start();
  }

  /** A start is not to wait any longer: the node stops. */
  hurry(): void {
    this.isHurried = true;
    this.presence?.hurry();
    this.supply?.hurry();
  }

  /** What worker processes are told of the others. */
  words(): NodeWord[] {
    return this.presence === undefined ? [] : [{ type: 'members', listed: this.presence.list() }];
  }

  /** How many models its workers have that others are to have and have not yet. */
  get uncovered(): number {
    return this.supply?.uncovered ?? 0;
  }

  /** Resolves when others own and have what this node did, or when that has taken long enough. */
  async takeLeave(mostMs: number): Promise<void> {
    await Promise.all([this.presence?.handedOver(), this.supply?.passedOn(mostMs)]);
  }

  async stop(): Promise<void> {
    await Promise.all([this.supply?.stop(), this.presence?.stop()]);
  }
}
