// Watches what each actor hears and wants done, and holds it against what is true: who may own a model, which epoch
// counts, what was called back. Its own view is built from the same facts that the actors get, by simpler means.

import { Directory } from '../../actors/directory.js';
import type { Effect, Send } from '../../actors/effects.js';
import type { Scheduler } from '../../actors/scheduler/scheduler.js';
import { heldKey } from '../../actors/worker/held.js';
import type { Worker } from '../../actors/worker/worker.js';
import { invalid } from '../../proto/codec.js';
import type { MemberId } from '../../proto/ids.js';
import type { Said } from '../../proto/messages.js';
import type { Delivery, Process, Resident } from './process.js';
import { name, require, type Truth } from './truth.js';

interface RouterView {
  readonly links: Directory;
  readonly distrusted: Set<MemberId>;
  schedulers: readonly MemberId[];
}

export class Witness {
  private readonly truth: Truth;
  private readonly checksWords: boolean;
  private readonly views = new Map<MemberId, RouterView>();
  /** Per worker and scheduler the epoch that counts; 0 before it is given. */
  private readonly epochs = new Map<MemberId, Map<MemberId, number>>();
  /** Per scheduler what waits there, as `router job`, with its attempt and when its time is up. */
  private readonly waiting = new Map<MemberId, Map<string, { attempt: number; deadline: number }>>();
  /** What a worker was told to leave out, as `batch job`. */
  private readonly recalled = new Map<MemberId, Set<string>>();

  constructor(truth: Truth, checksWords: boolean) {
    this.truth = truth;
    this.checksWords = checksWords;
  }

  observe(
    process: Process,
    { name: role, inner }: Resident,
    delivery: Delivery,
    effects: readonly Effect[],
    now: number,
  ): void {
    if (this.checksWords)
      for (const effect of effects) if (effect.type === 'send') checkWords(process, effect);
    if (role === 'router') this.router(process, delivery, effects, now);
    else if (role === 'scheduler') this.scheduler(process, inner as Scheduler, delivery, effects, now);
    else if (role === 'worker') this.worker(process, inner as Worker, delivery, effects, now);
    for (const effect of effects) {
      if (effect.type === 'note' && effect.level === 'error') {
        require(false, 'chart', () => `${process.id} notes ${effect.event} ${JSON.stringify(effect.fields)}`);
      }
    }
  }

  private router(process: Process, delivery: Delivery, effects: readonly Effect[], now: number): void {
    const { heard } = delivery;
    const view = this.viewOf(process.id);
    if (heard.type === 'job.submitted')
      this.truth.job(process.id, heard.job).deadline = now + heard.spec.budgetMs;
    if (heard.type === 'link.opened') view.links.open(heard.member, heard.roles);
    if (heard.type === 'link.lost') {
      // Without health nobody is left to take back what it said of others.
      if (view.links.close(heard.member).includes('health')) view.distrusted.clear();
      view.distrusted.delete(heard.member);
    }
    if (heard.type === 'peer.judged') {
      if (heard.verdict === 'down') view.distrusted.add(heard.member);
      else view.distrusted.delete(heard.member);
    }
    if (heard.type.startsWith('link.') || heard.type === 'peer.judged') {
      view.schedulers = view.links.with('scheduler').filter((member) => !view.distrusted.has(member));
    }
    for (const effect of effects) {
      if (effect.type === 'reply') this.truth.replied(process, effect, delivery, now);
      if (effect.type !== 'send') continue;
      const { to, message } = effect;
      if (message.type === 'job.enqueue') this.truth.enqueued(process, to, message, view.schedulers, now);
      if (message.type === 'batch.run') this.truth.dispatched(process, to, message, now);
    }
  }

  private viewOf(router: MemberId): RouterView {
    let view = this.views.get(router);
    if (view === undefined) {
      view = { links: new Directory(), distrusted: new Set(), schedulers: [] };
      this.views.set(router, view);
    }
    return view;
  }

  private scheduler(
    process: Process,
    actor: Scheduler,
    { heard, from }: Delivery,
    effects: readonly Effect[],
    now: number,
  ): void {
    const waiting = mapOf(this.waiting, process.id);
    if (heard.type === 'job.enqueue') {
      const key = `${from} ${heard.job}`;
      if ((waiting.get(key)?.attempt ?? 0) < heard.attempt) {
        waiting.set(key, { attempt: heard.attempt, deadline: now + heard.budgetMs });
      }
    }
    if (heard.type === 'job.withdraw') {
      const key = `${from} ${heard.job}`;
      if ((waiting.get(key)?.attempt ?? Number.POSITIVE_INFINITY) <= heard.attempt) waiting.delete(key);
    }
    if (heard.type === 'batch.declined') {
      for (const worker of actor.registry.all()) {
        const kept = worker.batches.get(heard.batch)?.router === from;
        require(!kept, 'I5', () =>
          `${process.id} keeps the credit of batch ${heard.batch}, which was declined`);
      }
    }
    for (const effect of effects) {
      if (effect.type !== 'send') continue;
      if (effect.message.type === 'job.refused') waiting.delete(`${effect.to} ${effect.message.job}`);
      if (effect.message.type !== 'batch.assign') continue;
      this.assigned(process, actor, effect as Send & { message: Said<'batch.assign'> }, waiting, now);
    }
  }

  private assigned(
    process: Process,
    actor: Scheduler,
    { to, message }: Send & { readonly message: Said<'batch.assign'> },
    waiting: Map<string, { attempt: number; deadline: number }>,
    now: number,
  ): void {
    if (message.solo) this.truth.soloBatches.add(heldKey(process.id, message.batch));
    const worker = [...actor.registry.all()].find(({ id }) => id === message.worker);
    const leastMs = worker?.batches.get(message.batch)?.cost.mean(1) ?? 0;
    message.jobs.forEach((number, member) => {
      const key = `${to} ${number}`;
      const entry = waiting.get(key);
      const job = this.truth.job(to, number);
      if (entry === undefined || entry.attempt !== message.attempts[member]) {
        require(false, 'I4', () => `${process.id} assigns ${name(job)}, which does not wait there`);
        return;
      }
      waiting.delete(key);
      require(now + leastMs * 0.79 <= entry.deadline, 'I4', () =>
        `${name(job)} is assigned though it can't be in time`);
    });
  }

  private worker(
    process: Process,
    actor: Worker,
    { heard, from }: Delivery,
    effects: readonly Effect[],
    now: number,
  ): void {
    const epochs = mapOf(this.epochs, process.id);
    if (heard.type === 'link.opened' && heard.roles.includes('scheduler')) epochs.set(heard.member, 0);
    if (heard.type === 'link.lost') epochs.delete(heard.member);
    if (heard.type === 'worker.registered' && epochs.has(from)) epochs.set(from, heard.epoch);
    if (heard.type === 'worker.fenced' && epochs.get(from) === heard.epoch) epochs.set(from, 0);
    if (heard.type === 'batch.run') this.taken(process, actor, heard, epochs, now);
    if (heard.type === 'batch.recall') this.recall(process, actor, heard);
    for (const effect of effects)
      if (effect.type === 'run') this.runs(process, actor, effect.key, effect.members);
  }

  private taken(
    process: Process,
    actor: Worker,
    run: Said<'batch.run'>,
    epochs: Map<MemberId, number>,
    now: number,
  ): void {
    for (const held of actor.heldBatches()) {
      // Of a second copy nothing is taken.
      if (held.run !== run || held.takenAt !== now) continue;
      const epoch = epochs.get(run.scheduler);
      require(run.epoch === epoch, 'I3', () =>
        `${process.id} takes a batch of epoch ${run.epoch}, it is in ${epoch}`);
    }
  }

  private recall(process: Process, actor: Worker, { scheduler, batch, jobs }: Said<'batch.recall'>): void {
    const key = heldKey(scheduler, batch);
    for (const held of actor.heldBatches()) {
      if (held.key !== key || held.startedAt !== undefined) continue;
      for (const job of jobs) setOf(this.recalled, process.id).add(`${key} ${job}`);
    }
  }

  private runs(process: Process, actor: Worker, key: string, members: readonly number[]): void {
    const recalled = this.recalled.get(process.id);
    if (recalled === undefined) return;
    for (const held of actor.heldBatches()) {
      if (held.key !== key) continue;
      for (const member of members) {
        const job = held.run.jobs[member];
        require(!recalled.has(`${key} ${job}`), 'I4', () =>
          `${process.id} runs job ${job} of ${key}, called back before`);
      }
    }
  }
}

function checkWords(process: Process, { to, message }: Send): void {
  const reason = invalid(message);
  require(reason === undefined, 'words', () => `${process.id} says to ${to}: ${reason}`);
}

function mapOf<K, V>(maps: Map<MemberId, Map<K, V>>, member: MemberId): Map<K, V> {
  let map = maps.get(member);
  if (map === undefined) {
    map = new Map();
    maps.set(member, map);
  }
  return map;
}

function setOf(sets: Map<MemberId, Set<string>>, member: MemberId): Set<string> {
  let set = sets.get(member);
  if (set === undefined) {
    set = new Set();
    sets.set(member, set);
  }
  return set;
}
