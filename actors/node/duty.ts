// The duty of a node: a router may order it to be drained, to come back or to end. While it drains its workers stand by,
// routers take their waiting jobs elsewhere, and it says how much is left; what it is in the middle of it finishes.
import type { MemberId } from '../../proto/ids.js';
import type { NodeState, Said } from '../../proto/messages.js';
import type { Actor, Heard } from '../actor.js';
import type { Chart } from '../chart.js';
import { Directory } from '../directory.js';
import { type Effect, note, nothing, send } from '../effects.js';

/** While it drains, what is left to do; while it serves, only its workers that are not back yet. */
export interface Left extends Omit<Said<'node.reported'>, 'type' | 'state'> {
  /** Models that its workers have and that others, who are to have them after it, have not yet. */
  readonly uncovered?: () => number;
}

const lookMs = 25;
/** That takes a look at all nodes and models. */
const uncoveredEveryMs = 250;

export class Duty implements Actor {
  readonly hears: ReadonlySet<Heard['type']> = new Set<Heard['type']>([
    'node.order',
    'node.moved',
    'link.opened',
    'link.lost',
    'timer.fired',
  ]);
  private readonly links = new Directory();
  private readonly chart: Chart;
  private readonly left: () => Left;
  /** Once nothing is left it is to end. */
  private isEnding = false;
  /** Nobody else can do what it does: its workers go on until what there is has been done. */
  private isLast = false;
  private areAway = false;
  private told = '';
  private readonly patienceMs: number;
  /** So long its workers go on with what others do not have yet. */
  private patientUntil = 0;
  private askedUncoveredAt = Number.NEGATIVE_INFINITY;

  constructor(chart: Chart, left: () => Left, patienceMs = 0) {
    this.chart = chart;
    this.left = left;
    this.patienceMs = patienceMs;
  }

  get state(): NodeState {
    const { chart } = this;
    if (chart.state === 'vacant') return 'drained';
    if (chart.state === 'vacating' || chart.has('draining')) return 'draining';
    return chart.has('serving') ? 'serving' : 'starting';
  }

  receive(heard: Heard, from: MemberId, now: number): Effect[] {
    switch (heard.type) {
      case 'node.order':
        return this.obey(heard, from, now);
      case 'link.opened':
        this.links.open(heard.member, heard.roles);
        return heard.roles.includes('router') ? [send(heard.member, this.report())] : nothing;
      case 'link.lost':
        this.links.close(heard.member);
        return nothing;
      case 'node.moved':
        return this.tell();
      case 'timer.fired':
        return this.look(now);
      default:
        return nothing;
    }
  }

  private obey({ asked, order, last }: Said<'node.order'>, from: MemberId, now: number): Effect[] {
    const amiss = this.chart.has('serving') ? '' : `it is ${this.state} and takes no orders`;
    const effects = amiss === '' ? this.follow(order, last, from, now) : [];
    effects.push(send(from, { type: 'node.answered', asked, state: this.state, reason: amiss }));
    return effects;
  }

  private follow(order: Said<'node.order'>['order'], last: boolean, by: MemberId, now: number): Effect[] {
    this.isEnding = order === 'end';
    this.isLast = last;
    const event = order === 'undrain' ? 'return' : 'vacate';
    if (!this.chart.can(event)) return this.look(now);
    this.chart.move(event);
    this.patientUntil = now + this.patienceMs;
    this.askedUncoveredAt = Number.NEGATIVE_INFINITY;
    const effects: Effect[] = [note('info', 'node.ordered', { order, by }), { type: 'moved' }];
    if (event === 'return' && this.areAway) {
      this.areAway = false;
      effects.push({ type: 'vacate', away: false });
    }
    return [...effects, ...this.look(now)];
  }

  private look(now: number): Effect[] {
    const effects: Effect[] = [];
    const { requests, waiting, workers, uncovered } = this.left();
    if (this.chart.state === 'vacating') {
      const isDone = requests + waiting === 0;
      if (!this.areAway && (isDone || !this.isLast) && this.isCovered(uncovered, now)) {
        this.areAway = true;
        effects.push({ type: 'vacate', away: true });
      } else if (this.areAway && isDone && workers === 0) {
        this.chart.move('empty');
        effects.push(note('info', 'node.drained', {}), { type: 'moved' });
      }
    }
    if (this.chart.state === 'vacant' && this.isEnding) {
      this.isEnding = false;
      effects.push({ type: 'leave' });
    }
    effects.push(...this.tell());
    const isUnderWay =
      this.chart.state === 'vacating' || (this.state === 'serving' && this.left().workers > 0);
    if (isUnderWay) effects.push({ type: 'arm', timer: 'duty', at: now + lookMs });
    return effects;
  }

  /** Others have what its workers have, or are not waited for any longer. */
  private isCovered(uncovered: Left['uncovered'], now: number): boolean {
    if (uncovered === undefined || now >= this.patientUntil) return true;
    if (now - this.askedUncoveredAt < uncoveredEveryMs) return false;
    this.askedUncoveredAt = now;
    return uncovered() === 0;
  }

  /** All routers, where there is something new. */
  private tell(): Effect[] {
    const report = this.report();
    const word = `${report.state} ${report.requests} ${report.waiting} ${report.workers}`;
    if (word === this.told) return [];
    this.told = word;
    return this.links.with('router').map((router) => send(router, report));
  }

  private report(): Said<'node.reported'> {
    const { state } = this;
    const { requests, waiting, workers } = this.left();
    if (state === 'starting') return { type: 'node.reported', state, requests: 0, waiting: 0, workers: 0 };
    if (state === 'serving') return { type: 'node.reported', state, requests: 0, waiting: 0, workers };
    return { type: 'node.reported', state, requests, waiting, workers };
  }
}
