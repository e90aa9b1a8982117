// Watches what each actor hears and wants done, and holds it against what is true: who may own a model, which epoch
// counts, what was called back. Its own view is built from the same facts that the actors get, by simpler means.

import type { Effect, Send } from '../../actors/effects.js';
import type { Router } from '../../actors/router/router.js';
import type { Scheduler } from '../../actors/scheduler/scheduler.js';
import { heldKey } from '../../actors/worker/held.js';
import type { Worker } from '../../actors/worker/worker.js';
import { invalid } from '../../proto/codec.js';
import type { MemberId } from '../../proto/ids.js';
import type { Said } from '../../proto/messages.js';
import type { Delivery, Process, Resident } from './process.js';
import { RoutingWitness } from './routing.js';
import { SchedulingWitness } from './scheduling.js';
import type { Truth } from './truth.js';
import { require } from './violation.js';

/** A request that came twice is told of, and is no fault of ours; nor is a sick device. */
const blameless: ReadonlySet<string> = new Set(['job.submittedTwice', 'worker.quarantined']);

export class Witness {
  private readonly checksWords: boolean;
  private readonly routing: RoutingWitness;
  private readonly scheduling: SchedulingWitness;
  /** Per worker and scheduler the epoch that counts; 0 before it is given. */
  private readonly epochs = new Map<MemberId, Map<MemberId, number>>();
  /** Workers that gave an invalid answer, or failed a golden input, and have passed none since. */
  private readonly suspects = new Set<MemberId>();
  /** Workers that were in doubt for nothing: from then on they may know better than to doubt. */
  private readonly acquitted = new Set<MemberId>();
  /** What a worker was told to leave out, as `batch job`. */
  private readonly recalled = new Map<MemberId, Set<string>>();

  constructor(truth: Truth, checksWords: boolean) {
    this.routing = new RoutingWitness(truth);
    this.scheduling = new SchedulingWitness(truth);
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
    if (role === 'router') this.routing.observe(process, inner as Router, delivery, effects, now);
    else if (role === 'scheduler')
      this.scheduling.observe(process, inner as Scheduler, delivery, effects, now);
    else if (role === 'worker') this.worker(process, inner as Worker, delivery, effects, now);
    for (const effect of effects) {
      if (effect.type === 'note' && effect.level === 'error' && !blameless.has(effect.event)) {
        require(false, 'chart', () => `${process.id} notes ${effect.event} ${JSON.stringify(effect.fields)}`);
      }
    }
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
    this.suspect(process, heard, effects);
    for (const effect of effects)
      if (effect.type === 'run') this.runs(process, actor, effect.key, effect.members);
  }

  /** Who is suspect answers nobody and begins nothing until a golden input has passed. */
  private suspect({ id }: Process, heard: Delivery['heard'], effects: readonly Effect[]): void {
    if (heard.type === 'run.finished' && heard.code === 'RESULT_INVALID' && !this.acquitted.has(id))
      this.suspects.add(id);
    if (heard.type === 'model.failed' && heard.suspect === true) this.suspects.add(id);
    if (heard.type === 'device.probed' && heard.failed) this.suspects.add(id);
    const passed = heard.type === 'device.probed' ? !heard.failed : hasPassed(heard);
    if (passed && this.suspects.delete(id)) this.acquitted.add(id);
    if (!this.suspects.has(id)) return;
    for (const effect of effects) {
      const answers = effect.type === 'send' && effect.message.type === 'batch.finished';
      const isAnswer = answers && (effect.message as Said<'batch.finished'>).codes.includes('');
      require(effect.type !== 'run' && !isAnswer, 'I13', () =>
        `${id} is suspect and ${isAnswer ? 'answers' : 'begins a run'} before a golden input has passed`);
    }
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

function hasPassed(heard: Delivery['heard']): boolean {
  return heard.type === 'model.loaded' && heard.golden === 'passed';
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
