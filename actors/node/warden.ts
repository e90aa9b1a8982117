// Which orders to nodes go out: a node is drained only while another that serves can do what it does and has, or can take,
// the models that only its workers have. Routers settle this among themselves before anything is ordered, so that of two drains
// at one moment that would leave nobody one is refused.
import type { ErrorCode } from '../../proto/errors.js';
import type { MemberId, Role } from '../../proto/ids.js';
import { limits } from '../../proto/limits.js';
import type { NodeState, Said } from '../../proto/messages.js';
import type { Takers } from '../../proto/takers.js';
import type { Actor, Heard } from '../actor.js';
import { Directory } from '../directory.js';
import { type Effect, nothing, send } from '../effects.js';
import { Claim } from './claim.js';
import { type Doubt, Doubts } from './doubts.js';
import { Grants } from './grants.js';
import { loneText, neededText, uncheckedText } from './refusals.js';

export interface Known {
  readonly id: MemberId;
  readonly roles: readonly Role[];
  readonly host: MemberId;
}

export interface WardenOptions {
  readonly self: MemberId;
  /** Everybody who is there: nodes and worker processes. */
  members(): readonly Known[];
  isLinked(member: MemberId): boolean;
  /** Among nodes other than these; undefined for a model that is not shared. */
  takers(model: string, version: string, without: ReadonlySet<MemberId>): Takers | undefined;
}

/** Who does not answer by then is not waited for: another router, or a scheduler. */
const settleWaitMs = 500;
const answerWaitMs = 3000;

export class Warden implements Actor {
  readonly hears: ReadonlySet<Heard['type']> = new Set<Heard['type']>([
    'order.given',
    'drain.claim',
    'drain.noted',
    'soles.told',
    'node.reported',
    'node.answered',
    'peer.judged',
    'link.opened',
    'link.lost',
    'timer.fired',
  ]);
  private readonly options: WardenOptions;
  private readonly links = new Directory();
  private readonly doubts = new Doubts();
  private readonly reports = new Map<MemberId, Said<'node.reported'>>();
  private readonly claims = new Map<number, Claim>();
  private readonly grants = new Grants();
  private out: Effect[] = [];

  constructor(options: WardenOptions) {
    this.options = options;
  }

  reportOf(member: MemberId): Said<'node.reported'> | undefined {
    return this.reports.get(member);
  }

  doubtOf(member: MemberId): Doubt | undefined {
    return this.doubts.of(member);
  }

  receive(heard: Heard, from: MemberId, now: number): Effect[] {
    this.hear(heard, from, now);
    if (this.out.length === 0) return nothing;
    const effects = this.out;
    this.out = [];
    return effects;
  }

  private hear(heard: Heard, from: MemberId, now: number): void {
    switch (heard.type) {
      case 'order.given':
        return this.take(new Claim(heard), now);
      case 'drain.claim':
        return this.note(heard, from, now);
      case 'drain.noted':
        return this.noted(heard, from, now);
      case 'soles.told':
        return this.told(heard, from, now);
      case 'node.reported':
        this.reports.set(from, heard);
        return this.grants.reported(from);
      case 'node.answered':
        return this.answered(heard, from);
      case 'peer.judged':
        return this.doubts.hear(heard, from);
      case 'link.opened':
        return this.links.open(heard.member, heard.roles);
      case 'link.lost':
        return this.lose(heard.member, now);
      case 'timer.fired':
        return this.wait(Number(heard.timer), now);
    }
  }

  private take(claim: Claim, now: number): void {
    this.claims.set(claim.asked, claim);
    if (claim.order === 'undrain') {
      this.grants.undo(claim.node, claim.asked, now);
      return this.order(claim, false, now);
    }
    const { asked, node } = claim;
    for (const router of this.links.with('router')) {
      // What this router itself knows is looked at when it decides.
      if (router === this.options.self) continue;
      claim.waiting.add(router);
      this.out.push(send(router, { type: 'drain.claim', asked, node }));
    }
    if (claim.waiting.size === 0) return this.decide(claim, now);
    this.arm(claim, now + settleWaitMs);
  }

  /** Another router is about to order a drain: it is told of all that are away, or may be in a moment. */
  private note({ asked, node }: Said<'drain.claim'>, from: MemberId, now: number): void {
    for (const claim of this.pending()) claim.meet(node);
    const away = [...this.away(now)].slice(0, limits.membersMax);
    const claimed = [...this.pending()].map((claim) => claim.node).slice(0, limits.membersMax);
    this.out.push(send(from, { type: 'drain.noted', asked, away, claimed }));
  }

  private noted({ asked, away, claimed }: Said<'drain.noted'>, from: MemberId, now: number): void {
    const claim = this.claims.get(asked);
    if (claim === undefined || !claim.waiting.delete(from)) return;
    for (const node of away) claim.away.add(node);
    for (const node of claimed) claim.meet(node);
    // One that comes too late counts all the same while a scheduler is asked: what that says is looked at in its light.
    if (claim.phase === 'claiming' && claim.waiting.size === 0) this.decide(claim, now);
  }

  private decide(claim: Claim, now: number): void {
    const gone = this.goneFor(claim, now);
    const needed = this.needed(claim, gone);
    if (needed.length > 0 && !claim.forced) {
      const roles = needed.map((role) => ({ role, others: this.whyNot(claim, gone, role) }));
      return this.end(claim, 'NODE_NEEDED', neededText(claim.node, roles));
    }
    const leaving = this.workersOf(new Set([claim.node]));
    const scheduler = this.schedulerFor(claim, gone);
    if (leaving.length === 0) return this.order(claim, needed.length > 0, now);
    if (scheduler === undefined) return this.orderUnchecked(claim, needed.length > 0, now);
    claim.ask(scheduler, gone);
    const workers = this.workersOf(gone);
    this.out.push(send(scheduler, { type: 'soles.ask', asked: claim.asked, leaving, gone: workers }));
    this.arm(claim, now + settleWaitMs);
  }

  /** Nobody says what its workers have: that can wait, unless there is nobody who could. */
  private orderUnchecked(claim: Claim, last: boolean, now: number): void {
    const schedulers = this.options.members().filter(({ roles }) => roles.includes('scheduler'));
    const mute = schedulers.map(({ id }) => `${id} ${claim.mute.get(id) ?? 'has no link to this router'}`);
    if (mute.length === 0 || claim.forced) return this.order(claim, last, now);
    this.end(claim, 'NODE_UNREACHABLE', uncheckedText(claim.node, mute));
  }

  private told({ asked, models, unknown }: Said<'soles.told'>, from: MemberId, now: number): void {
    const claim = this.claims.get(asked);
    if (claim?.phase !== 'asking' || claim.scheduler !== from) return;
    const gone = this.goneFor(claim, now);
    if (unknown.some((id) => this.serves(id))) {
      claim.mute.set(from, 'has just started and does not know its workers yet');
      return this.decide(claim, now);
    }
    // Somebody else has claimed another node meanwhile: what was asked is not what counts.
    if (!claim.askedWith(gone)) return this.decide(claim, now);
    const without = new Set([...gone, claim.node]);
    const lone = models.flatMap(([model, version, had]) => {
      const takers = this.options.takers(model, version, without);
      const { able = [], unable = [] } = takers ?? {};
      if (able.some((id) => this.serves(id))) return [];
      const idle = this.hostsOf(had).flatMap((host) => this.whyIdle(host, gone));
      const others = [...idle, ...able.map((id) => this.whyMute(id)), ...unable];
      return [{ model: `${model}:${version}`, others }];
    });
    if (lone.length > 0 && !claim.forced) return this.end(claim, 'NODE_NEEDED', loneText(claim.node, lone));
    this.order(claim, lone.length + this.needed(claim, gone).length > 0, now);
  }

  private order(claim: Claim, last: boolean, now: number): void {
    const { asked, node, order } = claim;
    claim.phase = 'ordered';
    if (order !== 'undrain') this.grants.order(node, asked, now);
    this.out.push(send(node, { type: 'node.order', asked, order, last }));
    this.arm(claim, now + answerWaitMs);
  }

  private answered({ asked, state, reason }: Said<'node.answered'>, from: MemberId): void {
    // Be it too late for whoever gave the order.
    this.grants.answered(from, asked);
    const claim = this.claims.get(asked);
    if (claim?.phase !== 'ordered' || claim.node !== from) return;
    if (reason !== '') return this.end(claim, 'NODE_UNREACHABLE', `${from} did not follow: ${reason}`);
    this.end(claim, '', '', state);
  }

  private lose(member: MemberId, now: number): void {
    this.links.close(member);
    this.doubts.forget(member);
    if (isAway(this.reports.get(member)?.state)) this.grants.lose(member, now);
    this.reports.delete(member);
    for (const claim of [...this.claims.values()]) {
      if (claim.node === member) {
        this.end(claim, 'NODE_UNREACHABLE', `the link to ${member} was lost before it answered`);
      } else if (claim.phase === 'claiming' && claim.waiting.delete(member) && claim.waiting.size === 0) {
        this.decide(claim, now);
      } else if (claim.phase === 'asking' && claim.scheduler === member) this.decide(claim, now);
    }
  }

  private wait(asked: number, now: number): void {
    const claim = this.claims.get(asked);
    if (claim === undefined) return;
    if (claim.phase === 'claiming') return this.decide(claim, now);
    if (claim.phase === 'asking') {
      claim.mute.set(claim.scheduler, `did not answer within ${settleWaitMs} ms`);
      return this.decide(claim, now);
    }
    this.end(
      claim,
      'NODE_UNREACHABLE',
      `${claim.node} did not answer within ${answerWaitMs / 1000} s; it may follow the order yet`,
    );
  }

  private end({ asked }: Claim, code: '' | ErrorCode, reason: string, state: NodeState = 'serving'): void {
    this.claims.delete(asked);
    this.out.push({ type: 'disarm', timer: String(asked) }, { type: 'ordered', asked, state, code, reason });
  }

  private arm({ asked }: Claim, at: number): void {
    this.out.push({ type: 'arm', timer: String(asked), at });
  }

  private *pending(): Iterable<Claim> {
    for (const claim of this.claims.values()) if (claim.phase !== 'ordered') yield claim;
  }

  /** By what nodes report, and by what this router has ordered. */
  private away(now: number): Set<MemberId> {
    const away = new Set(this.grants.at(now));
    for (const [member, { state }] of this.reports) if (isAway(state)) away.add(member);
    return away;
  }

  /** Who can't be counted on beside the node of the claim. */
  private goneFor(claim: Claim, now: number): Set<MemberId> {
    for (const other of this.pending()) if (other !== claim) claim.meet(other.node);
    const gone = new Set([...this.away(now), ...claim.away, ...claim.rivals]);
    gone.delete(claim.node);
    return gone;
  }

  /** What nobody else that serves could do. */
  private needed({ node }: Claim, gone: ReadonlySet<MemberId>): Role[] {
    const members = this.options.members();
    const own = members.find(({ id }) => id === node)?.roles ?? [];
    const others = members.filter(({ id }) => id !== node && !gone.has(id) && this.serves(id));
    return own.filter((role) => !others.some(({ roles }) => roles.includes(role)));
  }

  private serves(id: MemberId): boolean {
    const isThere = this.options.isLinked(id) && this.doubts.of(id)?.verdict !== 'down';
    return isThere && (this.reports.get(id)?.state ?? 'serving') === 'serving';
  }

  /** Of others with the role, why each does not count. */
  private whyNot({ node }: Claim, gone: ReadonlySet<MemberId>, role: Role): string[] {
    const others = this.options.members().filter(({ id, roles }) => id !== node && roles.includes(role));
    return others.flatMap(({ id }) => {
      const away = this.whyAway(id, gone);
      return away.length > 0 ? away : [this.whyMute(id)];
    });
  }

  /** Of one that is not away and does not serve: on lists it stays for a while after its death. */
  private whyMute(id: MemberId): string {
    if (!this.options.isLinked(id)) return `${id} has no link to this router`;
    return `${id} is ${this.doubts.of(id) === undefined ? 'starting' : 'silent'}`;
  }

  private whyAway(id: MemberId, gone: ReadonlySet<MemberId>): string[] {
    const state = this.reports.get(id)?.state;
    if (isAway(state)) return [`${id} is ${state}`];
    return gone.has(id) ? [`${id} is being drained at this moment`] : [];
  }

  private whyIdle(host: MemberId, gone: ReadonlySet<MemberId>): string[] {
    const away = this.whyAway(host, gone);
    return away.length > 0 ? away : [`${host} has it and takes no work at present`];
  }

  private workersOf(nodes: ReadonlySet<MemberId>): MemberId[] {
    const workers = this.options
      .members()
      .filter(({ roles, host }) => roles.includes('worker') && nodes.has(host));
    return workers.map(({ id }) => id).slice(0, limits.membersMax);
  }

  private hostsOf(workers: readonly MemberId[]): MemberId[] {
    const hosts = this.options.members().flatMap(({ id, host }) => (workers.includes(id) ? [host] : []));
    return [...new Set(hosts)];
  }

  /** Who knows what workers have; one that stays, where there is one. */
  private schedulerFor({ node, mute }: Claim, gone: ReadonlySet<MemberId>): MemberId | undefined {
    const asked = this.links.with('scheduler').filter((scheduler) => !mute.has(scheduler));
    return asked.find((scheduler) => scheduler !== node && !gone.has(scheduler)) ?? asked[0];
  }
}

function isAway(state: NodeState | undefined): boolean {
  return state === 'draining' || state === 'drained';
}
