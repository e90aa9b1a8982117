// The scheduler actor: keeps a lane per model and a record per worker, and decides as late as it can which jobs go
// together to which worker. It sees headers only; the payload goes from router to worker.
import { type MemberId, modelKey } from '../../proto/ids.js';
import type { Said } from '../../proto/messages.js';
import type { Actor, Heard } from '../actor.js';
import { type Effect, note, send } from '../effects.js';
import { formBatch } from '../lane/batch.js';
import { Lane, type LaneLimits } from '../lane/lane.js';
import type { Waiting } from '../lane/queue.js';
import { type Candidate, type Choice, chooseWorker } from './choice.js';
import { abandoned, Registry } from './registry.js';
import type { Share, WorkerRecord } from './workers.js';

export interface SchedulerSettings {
  readonly lane: LaneLimits;
  readonly choice: Choice;
  /** How old an assignment must be before a worker that does not know of it is believed. */
  readonly reconcileMs: number;
}

const asideMax = 16;

interface Option extends Candidate {
  readonly worker: WorkerRecord;
  readonly share: Share;
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
    'worker.exited',
    'share.changed',
    'peer.judged',
    'link.opened',
    'link.lost',
    'tick.settled',
  ]);
  readonly lanes = new Map<string, Lane>();
  readonly registry: Registry;
  private readonly settings: SchedulerSettings;
  private batchNumber = 0;
  private arrivals = 0;
  private chosen = 0;
  private turn = 0;
  private settling = false;
  private out: Effect[] = [];

  constructor(settings: SchedulerSettings) {
    this.settings = settings;
    this.registry = new Registry(settings.reconcileMs);
  }

  receive(heard: Heard, from: MemberId, now: number): Effect[] {
    this.hear(heard, from, now);
    const effects = this.out;
    this.out = [];
    return effects;
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
      case 'job.withdraw':
        return this.withdraw(heard, from);
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
        this.registry.links.open(heard.member, heard.roles);
        if (heard.roles.includes('router'))
          for (const lane of this.lanes.values()) this.report(lane, [heard.member]);
        return;
      case 'link.lost':
        this.registry.lose(heard.member);
        for (const lane of this.lanes.values()) lane.removeRouter(heard.member);
        this.dropWorker(heard.member, heard.reason);
        return this.reviewLanes();
      case 'worker.exited':
        return this.dropWorker(heard.worker, heard.cause, true);
      case 'peer.judged':
        this.registry.judge(heard.member, heard.verdict);
        if (heard.verdict === 'down') this.dropWorker(heard.member, heard.reason);
        return this.reviewLanes();
      case 'worker.register': {
        this.dropWorker(from, 'it registers anew');
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
      case 'share.changed':
        return this.shareChanged(heard, from);
    }
  }

  private enqueue(enqueue: Said<'job.enqueue'>, from: MemberId, now: number): void {
    const lane = this.lane(enqueue.model, enqueue.version);
    const known = lane.queue.find(from, enqueue.job);
    if (known !== undefined) {
      if (known.attempt >= enqueue.attempt) return;
      lane.queue.remove(known);
    }
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
      arrival: ++this.arrivals,
      strand: undefined,
    };
    // A job that was admitted before and lost its worker is not turned away for a full queue.
    if (!lane.accept(entry)) {
      if (enqueue.attempt === 1) return this.refuse(lane, entry, from);
      lane.queue.add(entry);
    }
    this.settleSoon();
  }

  private refuse(lane: Lane, entry: Waiting, router: MemberId): void {
    const { count, bytes } = lane.queue;
    const reason = `the queue for ${lane.key} holds ${count} jobs and ${bytes} bytes, its bound`;
    const { job, attempt } = entry;
    this.out.push(
      send(router, { type: 'job.refused', job, attempt, code: 'QUEUE_FULL', reason, retryAfterMs: 100 }),
    );
  }

  private withdraw(withdraw: Said<'job.withdraw'>, from: MemberId): void {
    for (const lane of this.lanes.values()) {
      const entry = lane.queue.find(from, withdraw.job);
      if (entry === undefined || entry.attempt > withdraw.attempt) continue;
      lane.queue.remove(entry);
      lane.ease();
    }
  }

  private settleSoon(): void {
    if (this.settling) return;
    this.settling = true;
    this.out.push({ type: 'settle' });
  }

  /** Gives out what can be given; lanes take turns at going first. */
  private dispatch(now: number): void {
    const lanes = [...this.lanes.values()];
    this.turn = lanes.length === 0 ? 0 : (this.turn + 1) % lanes.length;
    for (let at = 0; at < lanes.length; at++) {
      const lane = lanes[(this.turn + at) % lanes.length] as Lane;
      if (lane.queue.count === 0) continue;
      const aside: Waiting[] = [];
      while (this.dispatchOne(lane, aside, now));
      for (const entry of aside) lane.queue.add(entry);
      lane.ease();
    }
  }

  private dispatchOne(lane: Lane, aside: Waiting[], now: number): boolean {
    const head = lane.queue.head();
    if (head === undefined) return false;
    const options = this.options(lane, head);
    const best = chooseWorker(options, this.settings.choice);
    if (best === undefined) {
      // Whoever only waits to keep away from one worker does not hold up those behind.
      if (head.avoid === '' || aside.length === asideMax) return false;
      lane.queue.remove(head);
      aside.push(head);
      return true;
    }
    const { worker, share } = best;
    const cost = worker.cost(lane.key, head.shapeKey);
    const formed = formBatch(lane.queue, head, worker.id, share.rowsMax, now, cost.leastMs());
    if (formed.late > 0) cost.doubt();
    const first = formed.members[0];
    if (first === undefined) return lane.queue.count > 0;
    const batch = ++this.batchNumber;
    const jobs = formed.members.map((member) => member.job);
    const attempts = formed.members.map((member) => member.attempt);
    const costMs = cost.estimate(formed.rows);
    const { place } = share;
    const { rows } = formed;
    const { router } = first;
    const assigned = {
      batch,
      router,
      cost,
      place,
      rows,
      jobs,
      attempts,
      assignedAt: now,
      costMs,
      missing: 0,
    };
    this.registry.give(worker, assigned, now);
    worker.lastChosen = ++this.chosen;
    const solo = first.company === 'solo';
    const { id, epoch } = worker;
    this.out.push(
      send(router, {
        type: 'batch.assign',
        batch,
        worker: id,
        epoch,
        solo,
        jobs,
        attempts,
        costMs,
        transportMs: 0,
      }),
    );
    return lane.queue.count > 0;
  }

  private options(lane: Lane, head: Waiting): Option[] {
    const options: Option[] = [];
    let avoided: Option | undefined;
    let others = false;
    for (const worker of this.registry.trusted()) {
      const served = worker.shares.get(lane.key)?.state === 'ready';
      others ||= served && worker.id !== head.avoid;
      const share = worker.open(lane.key);
      if (share === undefined) continue;
      const option: Option = {
        worker,
        share,
        rowsHeld: worker.rowsHeld,
        freeAt: worker.freeAt[share.place],
        costMs: worker.cost(lane.key, head.shapeKey).estimate(head.rows),
        lastChosen: worker.lastChosen,
      };
      if (worker.id === head.avoid) avoided = option;
      else options.push(option);
    }
    if (avoided !== undefined && !others) options.push(avoided);
    return options;
  }

  private lane(model: string, version: string): Lane {
    const key = modelKey(model, version);
    let lane = this.lanes.get(key);
    if (lane === undefined) {
      lane = new Lane(key, model, version, this.settings.lane);
      this.lanes.set(key, lane);
    }
    return lane;
  }

  private shareChanged(changed: Said<'share.changed'>, from: MemberId): void {
    if (!this.registry.shareChanged(from, changed)) return;
    if (changed.state === 'failed') {
      const { model, version, reason } = changed;
      this.out.push(note('warn', 'share.failed', { worker: from, model, version, reason }));
    }
    this.lane(changed.model, changed.version);
    this.reviewLanes();
  }

  private dropWorker(id: MemberId, reason: string, ended = false): void {
    const worker = this.registry.drop(id);
    if (worker === undefined) return;
    // Of one that is known to have ended routers hear how it did, which tells them more.
    if (!ended) this.out.push(...abandoned(worker));
    this.out.push(note('info', 'worker.dropped', { worker: id, epoch: worker.epoch, reason }));
    this.reviewLanes();
  }

  /** After something changed about who can run what. */
  private reviewLanes(): void {
    for (const lane of this.lanes.values()) {
      const { ready, loading, failed, reason } = this.registry.count(lane.key);
      lane.serve(ready > 0);
      const word = `${ready} ${loading} ${failed} ${reason}`;
      if (word === lane.word) continue;
      lane.word = word;
      this.report(lane, this.registry.links.with('router'));
    }
    this.settleSoon();
  }

  private report(lane: Lane, routers: readonly MemberId[]): void {
    const { model, version } = lane;
    const report = {
      type: 'model.reported',
      model,
      version,
      ...this.registry.count(lane.key),
      policy: 'eager',
      why: '',
    } as const;
    for (const router of routers) this.out.push(send(router, report));
  }
}
