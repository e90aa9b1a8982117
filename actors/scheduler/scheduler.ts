// The scheduler actor: keeps a lane per model and a record per worker, takes what can be answered in time, and decides as
// late as it can which jobs go together to which worker. It sees headers only; the payload goes from router to worker.
import type { WorkerChoice } from '../../proto/batching.js';
import { editionText, type MemberId } from '../../proto/ids.js';
import type { Said } from '../../proto/messages.js';
import type { Actor, Heard } from '../actor.js';
import { type Effect, note, nothing, send } from '../effects.js';
import type { Lane, LaneLimits } from '../lane/lane.js';
import type { Waiting } from '../lane/queue.js';
import { isUnavailable } from '../router/coverage.js';
import { Admission, type Refusal } from './admission.js';
import { Dispatcher } from './dispatcher.js';
import { Lanes } from './lanes.js';
import { reviewManner } from './manner.js';
import { Notices } from './notices.js';
import { abandoned, Registry } from './registry.js';
import { Retirements } from './retirements.js';
import { solesOf } from './soles.js';
import { Turns } from './turns.js';
import { Waking } from './waking.js';

export interface SchedulerSettings {
  readonly lane: LaneLimits;
  readonly choice: WorkerChoice;
  /** Whether jobs are refused that could only be late. */
  readonly admission: boolean;
  /** How old an assignment must be before a worker that does not know of it is believed. */
  readonly reconcileMs: number;
  /** How long nobody must have asked for a model before a worker may let it go. */
  readonly retireQuietMs?: number;
  /** How long a worker that was asked to load a model is given before it is asked again. */
  readonly wakeAgainMs?: number;
  /** How long a lane is kept that no worker has and in which nobody waits. */
  readonly laneKeptMs?: number;
}

export class Scheduler implements Actor {
  readonly hears: ReadonlySet<Heard['type']> = new Set<Heard['type']>([
    'job.enqueue',
    'job.withdraw',
    'batch.declined',
    'batch.released',
    'worker.register',
    'worker.reported',
    'worker.leaving',
    'worker.confined',
    'worker.exited',
    'share.changed',
    'model.described',
    'costs.measured',
    'peer.judged',
    'owners.told',
    'soles.ask',
    'link.opened',
    'link.lost',
    'tick.settled',
    'timer.fired',
  ]);
  readonly lanes: ReadonlyMap<string, Lane>;
  readonly registry: Registry;
  private readonly settings: SchedulerSettings;
  private readonly book: Lanes;
  private readonly turns = new Turns();
  private readonly dispatcher: Dispatcher;
  private readonly admission: Admission;
  private readonly retirements: Retirements;
  private readonly waking: Waking;
  private readonly notices = new Notices();
  private arrivals = 0;
  private settling = false;
  /** When it is to look again without having heard anything. */
  private wakesAt = Number.POSITIVE_INFINITY;
  private out: Effect[] = [];

  constructor(settings: SchedulerSettings) {
    this.settings = settings;
    this.book = new Lanes(settings.lane, settings.laneKeptMs);
    this.lanes = this.book.all;
    this.registry = new Registry(settings.reconcileMs);
    this.dispatcher = new Dispatcher(this.registry, this.turns, settings);
    this.admission = new Admission(this.registry, this.turns);
    this.retirements = new Retirements(this.registry, settings.retireQuietMs);
    this.waking = new Waking(this.registry, settings.wakeAgainMs);
  }

  receive(heard: Heard, from: MemberId, now: number): Effect[] {
    this.registry.attention.hear(now);
    this.hear(heard, from, now);
    const effects = this.out;
    if (effects.length === 0) return nothing;
    this.out = [];
    return effects;
  }

  /** Jobs that wait here. */
  get waitingJobs(): number {
    let count = 0;
    for (const { queue } of this.lanes.values()) count += queue.count;
    return count;
  }

  private hear(heard: Heard, from: MemberId, now: number): void {
    switch (heard.type) {
      case 'job.enqueue':
        return this.enqueue(heard, from, now);
      case 'batch.released':
        if (this.registry.released(from, heard, now)) this.settleSoon();
        return;
      case 'tick.settled':
        this.settling = false;
        return this.dispatch(now);
      case 'timer.fired':
        if (heard.timer === 'retirements') return this.retire(now);
        if (heard.timer === 'lanes') return this.forgetVacant(now);
        this.wakesAt = Number.POSITIVE_INFINITY;
        return this.dispatch(now);
      case 'job.withdraw':
        return this.withdraw(heard.job, heard.attempt, from);
      case 'batch.declined':
        if (this.registry.declined(from, heard.batch, now)) this.settleSoon();
        return;
      default:
        return this.hearOfWorkers(heard, from, now);
    }
  }

  private hearOfWorkers(heard: Heard, from: MemberId, now: number): void {
    switch (heard.type) {
      case 'link.opened':
        this.registry.links.open(heard.member, heard.roles, heard.node);
        this.notices.forget(heard.member);
        if (heard.roles.includes('host')) this.reviewLanes();
        if (heard.roles.includes('router'))
          for (const lane of this.lanes.values()) this.report(lane, [heard.member]);
        return;
      case 'link.lost':
        this.registry.lose(heard.member);
        this.notices.forget(heard.member);
        for (const lane of this.lanes.values()) lane.removeRouter(heard.member);
        this.dropWorker(heard.member, heard.reason, now);
        return this.reviewLanes();
      case 'worker.exited':
        return this.dropWorker(heard.worker, heard.cause, now, true);
      case 'peer.judged':
        this.registry.judge(heard.member, heard.verdict);
        if (heard.verdict === 'down') this.dropWorker(heard.member, heard.reason, now);
        return this.reviewLanes();
      case 'worker.register': {
        this.dropWorker(from, 'it registers anew', now);
        const worker = this.registry.register(from, heard);
        this.out.push(send(from, { type: 'worker.registered', epoch: worker.epoch }));
        return this.reviewLanes();
      }
      case 'worker.reported':
        this.out.push(...this.registry.reported(from, heard, now));
        return this.settleSoon();
      case 'worker.leaving':
        this.registry.leave(from, heard.epoch);
        return this.reviewLanes();
      case 'worker.confined':
        if (this.registry.confine(from, heard)) this.reviewLanes();
        return;
      case 'share.changed':
        return this.shareChanged(heard, from, now);
      case 'model.described':
        return this.described(heard, from, now);
      case 'costs.measured':
        return this.registry.measured(from, heard);
      case 'soles.ask': {
        const soles = solesOf(this.registry, heard, this.lanes);
        this.out.push(send(from, { type: 'soles.told', asked: heard.asked, ...soles }));
        return;
      }
      case 'owners.told':
        return this.notices.follow(heard, this.out);
    }
  }

  private enqueue(enqueue: Said<'job.enqueue'>, from: MemberId, now: number): void {
    const lane = this.book.of(enqueue, this.out, now);
    lane.askedAt = now;
    // One that is new: nobody has looked yet who can run it.
    if (lane.word === '') this.reviewOnly(lane);
    this.notices.review(enqueue, from, this.out);
    // It may wait yet for what its model was before: word that it does not may have been lost.
    if (enqueue.attempt > 1) this.withdraw(enqueue.job, enqueue.attempt - 1, from);
    const known = lane.queue.find(from, enqueue.job);
    if (known !== undefined) {
      if (known.attempt >= enqueue.attempt) return;
      lane.queue.remove(known);
    }
    if (this.book.hasGoneOn(lane, from, enqueue.job, enqueue.attempt)) return;
    const entry: Waiting = {
      router: from,
      job: enqueue.job,
      attempt: enqueue.attempt,
      shapeKey: enqueue.shapeKey,
      rows: enqueue.rows,
      bytes: enqueue.bytes,
      priority: enqueue.priority,
      deadline: now + enqueue.budgetMs,
      company: enqueue.company,
      avoid: enqueue.avoid,
      admitted: enqueue.admitted,
      arrival: ++this.arrivals,
      arrivedAt: now,
      strand: undefined,
    };
    if (lane.lack !== '') return this.refuse(entry, unavailable(lane));
    lane.demand.arrive(entry.rows, enqueue.budgetMs, now);
    // Whoever was taken before is not turned away.
    if (!enqueue.admitted && this.settings.admission) {
      const refusal = this.admission.refusalOf(lane, entry, now);
      const mayWait =
        refusal !== undefined && lane.rests && this.waking.missed(lane, entry, this.lanes, this.out, now);
      if (refusal !== undefined && !mayWait) return this.refuse(entry, refusal);
    }
    if (lane.queue.count === 0) this.turns.enter(lane);
    if (!lane.accept(entry)) {
      if (!enqueue.admitted && !this.makeRoom(lane, entry, now)) {
        return this.refuse(entry, this.admission.fullLane(lane));
      }
      lane.queue.add(entry);
    }
    lane.pressed ||= lane.queue.backlog.hasBelow(entry.priority);
    this.settleSoon();
  }

  /** Whoever is of the lowest priority, and the last of those, leaves a full lane for one of higher priority. */
  private makeRoom(lane: Lane, { priority }: Waiting, now: number): boolean {
    if (!lane.queue.backlog.hasBelow(priority)) return false;
    const last = lane.queue.lastToLeave(priority);
    if (last === undefined) return false;
    lane.queue.remove(last);
    this.refuse(last, this.admission.displacement(lane, last, now));
    return true;
  }

  private refuse({ router, job, attempt }: Waiting, why: Refusal): void {
    this.out.push(send(router, { type: 'job.refused', job, attempt, ...why }));
  }

  private withdraw(job: number, attempt: number, from: MemberId): void {
    for (const lane of this.lanes.values()) {
      const entry = lane.queue.find(from, job);
      if (entry === undefined || entry.attempt > attempt) continue;
      lane.queue.remove(entry);
      lane.ease();
    }
  }

  private settleSoon(): void {
    if (this.settling) return;
    this.settling = true;
    this.out.push({ type: 'settle' });
  }

  private dispatch(now: number): void {
    for (const lane of this.lanes.values()) {
      if (lane.queue.count > 0) this.reviewManner(lane, now);
      if (lane.pressed && this.settings.admission) this.displace(lane, now);
    }
    const wakeAt = this.dispatcher.run(this.lanes.values(), this.out, now);
    for (const lane of this.lanes.values()) lane.ease();
    this.waking.review(this.lanes, this.out, now);
    if (wakeAt === Number.POSITIVE_INFINITY || (wakeAt >= this.wakesAt && this.wakesAt > now)) return;
    this.wakesAt = wakeAt;
    this.out.push({ type: 'arm', timer: 'dispatch', at: wakeAt });
  }

  private displace(lane: Lane, now: number): void {
    lane.pressed = false;
    for (const entry of this.admission.displaced(lane, now)) {
      this.refuse(entry, this.admission.displacement(lane, entry, now));
    }
    lane.ease();
  }

  private reviewManner(lane: Lane, now: number): void {
    if (!reviewManner(lane, this.registry, this.turns, now)) return;
    this.report(lane, this.registry.links.with('router'));
  }

  private described(described: Said<'model.described'>, from: MemberId, now: number): void {
    if (!this.registry.isRegistered(from, described.epoch)) return;
    const lane = this.book.of(described, this.out, now);
    lane.describe(described);
    this.reviewOnly(lane);
  }

  private shareChanged(changed: Said<'share.changed'>, from: MemberId, now: number): void {
    const before = this.registry.stateOf(from, changed);
    const hadTold = this.registry.hasTold(from);
    if (!this.registry.shareChanged(from, changed)) return;
    if (changed.state === 'failed') {
      const { model, version, reason } = changed;
      this.out.push(note('warn', 'share.failed', { worker: from, model, version, reason }));
    }
    const lane = this.book.of(changed, this.out, now);
    // Who has told of nothing yet may have anything: from its first word on that is no more so.
    if (hadTold) this.reviewOnly(lane);
    else this.reviewLanes();
    if (changed.state === 'unloaded') this.forgetIfOver(lane);
    const isGoing = changed.state === 'retiring' || changed.state === 'fading';
    if (!isGoing || before === changed.state) return;
    // Routers may have sent the last before they hear of it.
    lane.askedAt = Math.max(lane.askedAt, now);
    this.retire(now);
  }

  /** An edition that nobody has any more, and that nobody waits for. */
  private forgetIfOver(lane: Lane): void {
    if (this.isOver(lane)) this.forget(lane);
  }

  private forget(lane: Lane): void {
    this.registry.forgetModel(lane.key);
    this.book.remove(lane);
    for (const desk of [this.waking, this.turns, this.admission]) desk.forget(lane);
  }

  /** Those whose workers ended and did not come back. */
  private forgetVacant(now: number): void {
    const over = this.book.overSince((lane) => this.isOver(lane), this.out, now);
    for (const lane of over) this.forget(lane);
  }

  private isOver(lane: Lane): boolean {
    return lane.queue.count === 0 && this.registry.isOver(lane.key);
  }

  /** Lets go of models that retire and for which nothing comes any more. */
  private retire(now: number): void {
    const lookAt = this.retirements.review(this.lanes, this.out, now);
    if (lookAt < Number.POSITIVE_INFINITY) this.out.push({ type: 'arm', timer: 'retirements', at: lookAt });
    this.reviewLanes();
  }

  private dropWorker(id: MemberId, reason: string, now: number, ended = false): void {
    const worker = this.registry.drop(id);
    if (worker === undefined) return;
    // Of one that is known to have ended routers hear how it did, which tells them more.
    if (!ended) this.out.push(...abandoned(worker));
    this.out.push(note('info', 'worker.dropped', { worker: id, epoch: worker.epoch, reason }));
    this.reviewLanes();
    this.book.lookLater(this.out, now);
  }

  /** After something changed about who can run what. */
  private reviewLanes(): void {
    this.registry.changed();
    for (const lane of this.lanes.values()) this.review(lane);
    this.settleSoon();
  }

  /** After something that is of no account to the other lanes: of those there may be many. */
  private reviewOnly(lane: Lane): void {
    this.registry.changed(lane.key);
    this.review(lane);
    this.settleSoon();
  }

  private review(lane: Lane): void {
    const counts = this.registry.count(lane.key, lane.batching.needs);
    const { ready, loading, failed, resting, reason, runsOn } = counts;
    lane.serve(ready > 0);
    lane.rests = resting > 0;
    const isInVain = isUnavailable(counts) && this.registry.isRefused(lane.key);
    lane.lack = isInVain ? reason || 'no worker could load it' : '';
    if (lane.lack !== '') this.giveUp(lane);
    const word = `${ready} ${loading} ${failed} ${resting} ${reason} ${lane.batching.policy} ${runsOn}`;
    if (word === lane.word) return;
    lane.word = word;
    this.report(lane, this.registry.links.with('router'));
  }

  /** Nobody will run what waits there. */
  private giveUp(lane: Lane): void {
    for (const entry of [...lane.queue.all()]) {
      lane.queue.remove(entry);
      this.refuse(entry, unavailable(lane));
    }
    lane.ease();
  }

  private report(lane: Lane, routers: readonly MemberId[]): void {
    const { model, version, manner } = lane;
    const counts = this.registry.count(lane.key, lane.batching.needs);
    const report = { type: 'model.reported', model, version, ...counts, ...manner } as const;
    for (const router of routers) this.out.push(send(router, report));
  }
}

function unavailable({ model, version, lack }: Lane): Refusal {
  const reason = `model ${model} version ${editionText(version)}: ${lack}`;
  return { code: 'MODEL_UNAVAILABLE', reason, retryAfterMs: 0 };
}
