// Watches the schedulers: that everything which was told to wait waits there or was answered for, that nothing goes out
// which can't be in time, out of its order or to a worker that does not suit, and that no lane starves beside others.
import type { Effect, Send } from '../../actors/effects.js';
import type { Lane } from '../../actors/lane/lane.js';
import type { Scheduler } from '../../actors/scheduler/scheduler.js';
import type { WorkerRecord } from '../../actors/scheduler/workers.js';
import { heldKey } from '../../actors/worker/held.js';
import { type MemberId, modelKey } from '../../proto/ids.js';
import type { Said } from '../../proto/messages.js';
import type { Delivery, Process } from './process.js';
import { tags } from './scenario.js';
import { name, type Truth } from './truth.js';
import { require } from './violation.js';

interface Waiter {
  readonly router: MemberId;
  readonly job: number;
  readonly attempt: number;
  readonly lane: string;
  readonly shapeKey: string;
  readonly rows: number;
  readonly priority: number;
  readonly deadline: number;
  readonly arrival: number;
  /** Whose place in the order is its own: it may go with anybody to anywhere. */
  readonly free: boolean;
}

interface View {
  readonly waiting: Map<string, Waiter>;
  /** By lane: worker time, by the weight of those who got it, that went to others while somebody waited here. */
  readonly passedOver: Map<string, number>;
  /** By lane and priority: the latest arrival. */
  readonly latest: Map<string, number>;
  arrivals: number;
}

type Assigned = Send & { readonly message: Said<'batch.assign'> };

/** A worker is given something so long before it is free, at most; and a timer that may be late is waited for. */
const leadMs = 2;
/** Of a batch whose jobs can't be in time as many may be tried in hope. */
const hopeful = 0.79;
/** So many of the dearest batches may go to others before it is a lane's turn. */
const batchesPassedMost = 8;

export class SchedulingWitness {
  private readonly truth: Truth;
  private readonly views = new Map<MemberId, View>();

  constructor(truth: Truth) {
    this.truth = truth;
  }

  observe(
    process: Process,
    actor: Scheduler,
    { heard, from }: Delivery,
    effects: readonly Effect[],
    now: number,
  ): void {
    const view = this.viewOf(process.id);
    const { waiting } = view;
    if (heard.type === 'job.enqueue') {
      if (!heard.admitted) this.bounded(process, actor, heard, waiting);
      takes(view, heard, from, now);
    } else if (heard.type === 'job.withdraw') {
      const key = `${from} ${heard.job}`;
      if ((waiting.get(key)?.attempt ?? Number.POSITIVE_INFINITY) <= heard.attempt) waiting.delete(key);
    } else if (heard.type === 'link.lost') {
      for (const [key, { router }] of waiting) if (router === heard.member) waiting.delete(key);
    } else if (heard.type === 'batch.declined') declined(process, actor, heard.batch, from);
    const assigned: Assigned[] = [];
    for (const effect of effects) {
      if (effect.type !== 'send') continue;
      if (effect.message.type === 'job.refused') this.refused(view, effect.to, effect.message);
      if (effect.message.type === 'batch.assign') assigned.push(effect as Assigned);
    }
    const gone = assigned.map((effect) => this.assigned(process, actor, effect, waiting, now));
    const dropped = this.dropped(process, actor, waiting, now);
    if (gone.length === 0) return;
    this.inOrder(process, actor, assigned, gone, waiting, now);
    assigned.forEach((effect, at) => {
      if (dropped === 0) this.notMadeLate(process, actor, effect, gone[at] as Waiter[], now);
    });
    if (this.truth.scenario.steady) this.turns(process, actor, view, assigned, gone);
  }

  /** Who was admitted before may bring a lane over its bound; nobody else does, be it in the place of one of those. */
  private bounded(
    process: Process,
    actor: Scheduler,
    { model, version }: Said<'job.enqueue'>,
    waiting: ReadonlyMap<string, Waiter>,
  ): void {
    const key = modelKey(model, version);
    const lane = actor.lanes.get(key);
    const count = lane?.queue.count ?? 0;
    if (count <= Math.max(this.truth.scenario.queueDepthMax, lane?.batching.depthMax ?? 0)) return;
    const before = [...waiting.values()].filter((waiter) => waiter.lane === key).length;
    require(count <= before, 'I5', () =>
      `${process.id} has ${count} jobs waiting for ${key}, and had ${before} when one more came`);
  }

  private refused(view: View, router: MemberId, refused: Said<'job.refused'>): void {
    const { waiting, latest } = view;
    const key = `${router} ${refused.job}`;
    const job = this.truth.job(router, refused.job);
    const waiter = waiting.get(key);
    require(waiter !== undefined, 'I1', () => `${name(job)} is refused, and does not wait there`);
    waiting.delete(key);
    if (refused.code !== 'DISPLACED' || waiter === undefined) return;
    // It gives way to somebody more important that came since all were looked at.
    let isPressed = false;
    for (let level = 0; level < waiter.priority; level++) isPressed ||= latest.has(`${waiter.lane} ${level}`);
    require(isPressed, 'admission', () => `${name(job)} gives way, though nobody more important came`);
    require(waiter.attempt === 1, 'I1', () => `${name(job)} gives way, though it may have begun before`);
  }

  private assigned(
    process: Process,
    actor: Scheduler,
    { to, message }: Assigned,
    waiting: Map<string, Waiter>,
    now: number,
  ): Waiter[] {
    if (message.solo) this.truth.soloBatches.add(heldKey(process.id, message.batch));
    const worker = workerOf(actor, message.worker);
    const cost = worker?.batches.get(message.batch)?.cost;
    return message.jobs.map((number, member) => {
      const key = `${to} ${number}`;
      const entry = waiting.get(key);
      const job = this.truth.job(to, number);
      if (entry === undefined || entry.attempt !== message.attempts[member]) {
        require(false, 'I4', () => `${process.id} assigns ${name(job)}, which does not wait there`);
      }
      const waiter = entry as Waiter;
      waiting.delete(key);
      const leastMs = cost?.hoped(waiter.rows) ?? 0;
      require(now + leastMs * hopeful <= waiter.deadline, 'I4', () =>
        `${name(job)} is assigned though it can't be in time`);
      const { needs } = job.plan.model.batching;
      const has = tags[worker?.name ?? ''] ?? [];
      // On a lossy network word of what a model needs may come behind word that it is ready, or never.
      const suits = !this.truth.scenario.network.honest || needs.every((tag) => has.includes(tag));
      require(suits, 'I5', () =>
        `${name(job)} is assigned to ${message.worker}, which has only ${has}, not ${needs}`);
      return waiter;
    });
  }

  /** What waits no more without a word was hopeless; how many that were. */
  private dropped(process: Process, actor: Scheduler, waiting: Map<string, Waiter>, now: number): number {
    let count = 0;
    for (const lane of actor.lanes.values()) count += lane.queue.count;
    if (count === waiting.size) return 0;
    require(count < waiting.size, 'I5', () =>
      `${process.id} counts ${count} that wait, told to wait there were ${waiting.size}`);
    const gone = [...waiting].filter(
      ([, { router, job, lane }]) => actor.lanes.get(lane)?.queue.find(router, job) === undefined,
    );
    for (const [key, waiter] of gone) {
      waiting.delete(key);
      const lane = actor.lanes.get(waiter.lane) as Lane;
      let mostMs = 0;
      for (const { worker } of actor.registry.crew(lane.key, lane.batching)) {
        const runMs = worker.outlook(lane.key, waiter.shapeKey).cost.high(waiter.rows);
        mostMs = Math.max(mostMs, runMs + worker.transport.highMs * 1.5 + leadMs);
      }
      require(waiter.deadline - mostMs <= now + 0.001, 'I1', () =>
        `${process.id} has forgotten job ${waiter.job} of ${waiter.router}, ${waiter.deadline - now} ms before its deadline`);
    }
    return gone.length;
  }

  /** Of those who could have gone in its place nobody is more important than who went. */
  private inOrder(
    process: Process,
    actor: Scheduler,
    assigned: readonly Assigned[],
    gone: readonly Waiter[][],
    waiting: Map<string, Waiter>,
    now: number,
  ): void {
    gone.forEach((members, at) => {
      const [first] = members;
      const priority = members.reduce((least, member) => Math.max(least, member.priority), 0);
      if (first === undefined || priority === 0) return;
      const message = assigned[at]?.message;
      const worker = workerOf(actor, message?.worker ?? '');
      const batch = worker?.batches.get(message?.batch ?? 0);
      // What it has there is overdue, and may be as long again: who would be late behind that isn't known here.
      if (worker !== undefined && batch !== undefined && worker.used[batch.place] > 1) {
        if (worker.freeAtBest(batch.place, 0) <= now + batch.costMs) return;
      }
      for (const other of waiting.values()) {
        if (!other.free || other.priority >= priority || other.lane !== first.lane) continue;
        if (other.router !== first.router || other.shapeKey !== first.shapeKey) continue;
        // Who would be late there waits for another worker.
        const doneAt =
          (worker?.freeAtBest(batch?.place ?? 'thread', 0) ?? 0) + (worker?.transport.highMs ?? 0);
        if (other.deadline <= doneAt + (batch?.cost.high(other.rows) ?? 0)) continue;
        require(false, 'order', () =>
          `${process.id} lets job ${other.job} of priority ${other.priority} wait behind one of ${priority}`);
      }
    });
  }

  /** No batch grows so large that its first member is late for it. */
  private notMadeLate(
    process: Process,
    actor: Scheduler,
    { message }: Assigned,
    members: readonly Waiter[],
    now: number,
  ): void {
    const [first] = members;
    if (first === undefined || members.length === 1) return;
    if (actor.lanes.get(first.lane)?.batching.policy === 'eager') return;
    const batch = workerOf(actor, message.worker)?.batches.get(message.batch);
    if (batch === undefined) return;
    const estimateMs = batch.cost.mean(batch.rows) * hopeful;
    require(now + estimateMs <= first.deadline, 'I4', () =>
      `${process.id} makes job ${first.job} of ${first.router} late by a batch of ${batch.rows} rows`);
  }

  private turns(
    process: Process,
    actor: Scheduler,
    { passedOver }: View,
    assigned: readonly Assigned[],
    gone: readonly Waiter[][],
  ): void {
    const { models } = this.truth.scenario;
    const threads = models.filter(({ place }) => place === 'thread').map(({ model }) => modelKey(model, '1'));
    const dearestMs = Math.max(...models.map((plan) => plan.alphaMs + plan.betaMs * plan.rowsMax));
    const lightest = Math.min(...models.map(({ batching }) => batching.weight));
    assigned.forEach(({ message }, at) => {
      const served = gone[at]?.[0]?.lane ?? '';
      if (!threads.includes(served)) return;
      const batch = workerOf(actor, message.worker)?.batches.get(message.batch);
      const weight = actor.lanes.get(served)?.batching.weight ?? 1;
      passedOver.set(served, 0);
      for (const key of threads) {
        if (key === served) continue;
        const waits = (actor.lanes.get(key)?.queue.count ?? 0) > 0;
        const passed = waits ? (passedOver.get(key) ?? 0) + (batch?.costMs ?? 0) / weight : 0;
        passedOver.set(key, passed);
        require(passed <= (batchesPassedMost * dearestMs) / lightest, 'turns', () =>
          `${process.id} lets ${key} starve: others got ${passed.toFixed(0)} ms by weight since its last turn`);
      }
    });
  }

  private viewOf(scheduler: MemberId): View {
    let view = this.views.get(scheduler);
    if (view === undefined) {
      view = { waiting: new Map(), passedOver: new Map(), latest: new Map(), arrivals: 0 };
      this.views.set(scheduler, view);
    }
    return view;
  }
}

function takes(view: View, enqueue: Said<'job.enqueue'>, router: MemberId, now: number): void {
  const { waiting, latest } = view;
  const key = `${router} ${enqueue.job}`;
  const { job, attempt, model, version, shapeKey, rows, priority, budgetMs, company, avoid } = enqueue;
  if ((waiting.get(key)?.attempt ?? 0) >= attempt) return;
  const free = company === 'any' && avoid === '';
  const lane = modelKey(model, version);
  const arrival = ++view.arrivals;
  latest.set(`${lane} ${priority}`, arrival);
  const deadline = now + budgetMs;
  waiting.set(key, { router, job, attempt, lane, shapeKey, rows, priority, deadline, arrival, free });
}

function declined(process: Process, actor: Scheduler, batch: number, from: MemberId): void {
  for (const worker of actor.registry.all()) {
    const kept = worker.batches.get(batch)?.router === from;
    require(!kept, 'I5', () => `${process.id} keeps the credit of batch ${batch}, which was declined`);
  }
}

function workerOf(actor: Scheduler, id: MemberId): WorkerRecord | undefined {
  for (const worker of actor.registry.all()) if (worker.id === id) return worker;
  return undefined;
}
