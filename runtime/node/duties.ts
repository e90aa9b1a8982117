// What orders mean for this node: they are carried out by its worker processes, its doors and its entry in the cluster.

import type { Chart } from '../../actors/chart.js';
import { Duty, type Left } from '../../actors/node/duty.js';
import { Warden, type WardenOptions } from '../../actors/node/warden.js';
import type { Member } from '../../cluster/membership.js';
import type { MemberId } from '../../proto/ids.js';
import type { NodeState } from '../../proto/messages.js';
import type { Config } from '../config/schema.js';
import type { Performers } from '../host/host.js';
import type { Presence } from '../membership/presence.js';
import type { Children } from '../supervise/children.js';
import type { NodeEngine } from './engine.js';
import type { MemberProcess } from './member.js';
import { Orders } from './orders.js';

export interface DutiesOptions {
  readonly chart: Chart;
  readonly children: Children;
  readonly left: () => Omit<Left, 'workers'>;
  /** So long a drain waits for others to have what it has. */
  readonly patienceMs: number;
}

export class Duties {
  readonly performers: Pick<Performers, 'vacate' | 'moved' | 'leave' | 'ordered'>;
  private readonly chart: Chart;
  private readonly duty: Duty;
  private member: MemberProcess | undefined;
  private orders: Orders | undefined;

  constructor({ chart, children, left, patienceMs }: DutiesOptions) {
    this.chart = chart;
    this.duty = new Duty(chart, () => ({ ...left(), workers: children.moving }), patienceMs);
    this.performers = {
      vacate: ({ away }) => children.vacate(away),
      moved: () => this.moved(),
      ordered: (ordered) => this.orders?.ordered(ordered),
      // As whoever started it would end it.
      leave: () => process.kill(process.pid, 'SIGTERM'),
    };
  }

  private moved: () => void = () => {};

  get state(): NodeState {
    return this.duty.state;
  }

  attach(
    member: MemberProcess,
    engine: NodeEngine,
    presence: Presence | undefined,
    { clusterControl }: Config,
    self: MemberId,
  ): { orders: Orders; warden: Warden } {
    this.member = member;
    this.moved = () => {
      const { state } = this.chart;
      const isLeaving = this.chart.has('draining');
      const isAway = state === 'vacating' || state === 'vacant';
      engine.standAside(
        isLeaving ? 'the node is about to stop' : isAway ? 'the node is drained by order; undrain it' : '',
      );
      presence?.renew();
    };
    const members = (): readonly Member[] => member.members();
    const isLinked = (other: MemberId): boolean => other === self || member.isLinked(other);
    const orders = new Orders({
      control: clusterControl,
      ...{ members, isLinked },
      hear: (fact) => member.host.hear(fact),
      evict: presence && ((dead) => presence.evict(dead)),
    });
    this.orders = orders;
    const takers: WardenOptions['takers'] = (...asked) => engine.supply?.takers(...asked);
    const warden = new Warden({ self, members, isLinked, takers });
    member.add('duty', this.duty);
    member.add('warden', warden);
    return { orders, warden };
  }

  /** The node has come further in its start or its stop: the others are to know. */
  tell(): void {
    this.moved();
    this.member?.host.hear({ type: 'node.moved' });
  }
}
