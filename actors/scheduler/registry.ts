// Who is registered at a scheduler, under which epoch, and whether health trusts them. Here credits are taken back: by
// the worker's word, by the router's, or when the worker's own reports no longer know of a batch.
import type { Batching } from '../../proto/batching.js';
import type { MemberId } from '../../proto/ids.js';
import { modelKey } from '../../proto/ids.js';
import { limits } from '../../proto/limits.js';
import type { Said, ShareState, Verdict } from '../../proto/messages.js';
import { Directory } from '../directory.js';
import { type Effect, note, send } from '../effects.js';
import { Numbered } from '../numbered.js';
import { Attention } from './attention.js';
import { crewOf, loadersOf, type Member } from './crew.js';
import { isAtRest } from './shares.js';
import { type Batch, Shapes, WorkerRecord } from './workers.js';

export type ModelCount = Omit<Said<'model.reported'>, 'type' | 'model' | 'version' | 'policy' | 'why'>;

const reportsToMiss = 2;

export class Registry {
  readonly links = new Directory();
  readonly attention = new Attention();
  private readonly costShapes = new Shapes();
  private readonly workers = new Map<MemberId, WorkerRecord>();
  /** By model the names of workers that had it ready: should they have ended, they may have it again. */
  private readonly proven = new Map<string, Set<string>>();
  private readonly verdicts = new Map<MemberId, Verdict>();
  /** Which worker holds which batch, for routers know batches only. */
  private readonly holders = new Numbered<MemberId>();
  /** Counts up with everything that changes what can be expected of the workers. */
  stamp = 0;
  private readonly crews = new Map<string, readonly Member[]>();
  private readonly comers = new Map<string, readonly WorkerRecord[]>();
  private epoch = 0;
  private readonly reconcileMs: number;

  constructor(reconcileMs: number) {
    this.reconcileMs = reconcileMs;
  }

  all(): IterableIterator<WorkerRecord> {
    return this.workers.values();
  }

  *trusted(): Iterable<WorkerRecord> {
    for (const worker of this.workers.values()) if (this.trusts(worker.id)) yield worker;
  }

  /** Who can run a lane's jobs, until `changed` says that this may be others. */
  crew(model: string, batching: Batching): readonly Member[] {
    let crew = this.crews.get(model);
    if (crew === undefined) {
      crew = crewOf(this, model, batching);
      this.crews.set(model, crew);
    }
    return crew;
  }

  /** Who is loading its model, as long. */
  loaders(model: string, batching: Batching): readonly WorkerRecord[] {
    let loaders = this.comers.get(model);
    if (loaders === undefined) {
      loaders = loadersOf(this, model, batching);
      this.comers.set(model, loaders);
    }
    return loaders;
  }

  /** Who can run that model may be others; without one, who can run any. */
  changed(model?: string): void {
    this.stamp++;
    for (const known of [this.crews, this.comers]) {
      if (model === undefined) known.clear();
      else known.delete(model);
    }
  }

  /** Some worker has a model at rest, or about to be. */
  get hasRest(): boolean {
    for (const { shares } of this.workers.values()) if (shares.hasRest) return true;
    return false;
  }

  /** Some worker is to be told when nothing of a model is on its way there any more. */
  get hasYielding(): boolean {
    for (const { shares } of this.workers.values()) if (shares.hasYielding) return true;
    return false;
  }

  measured(from: MemberId, measured: Said<'costs.measured'>): void {
    const worker = this.workers.get(from);
    if (worker?.epoch !== measured.epoch) return;
    this.stamp++;
    worker.seed(modelKey(measured.model, measured.version), measured.runs);
  }

  isRegistered(member: MemberId, epoch: number): boolean {
    return this.workers.get(member)?.epoch === epoch;
  }

  /** Whose node is gone is about to end. */
  trusts(member: MemberId): boolean {
    return (this.verdicts.get(member) ?? 'trusted') === 'trusted' && !this.links.isOrphan(member);
  }

  /** Without health nobody is left to take back what it said of others. */
  lose(member: MemberId): void {
    if (this.links.close(member).includes('health')) this.verdicts.clear();
  }

  judge(member: MemberId, verdict: Verdict): void {
    if (verdict === 'trusted') this.verdicts.delete(member);
    else this.verdicts.set(member, verdict);
  }

  register(id: MemberId, register: Said<'worker.register'>): WorkerRecord {
    const worker = new WorkerRecord(id, ++this.epoch, register, this.costShapes);
    this.workers.set(id, worker);
    return worker;
  }

  drop(id: MemberId): WorkerRecord | undefined {
    const worker = this.workers.get(id);
    this.workers.delete(id);
    if (!this.links.has(id)) this.verdicts.delete(id);
    for (const batch of worker?.batches.keys() ?? []) this.holders.delete(batch);
    return worker;
  }

  leave(id: MemberId, epoch: number): void {
    const worker = this.workers.get(id);
    if (worker?.epoch === epoch) worker.leaving = true;
  }

  /** False when it is not from the registration that counts. */
  confine(id: MemberId, { epoch, confined, reason }: Said<'worker.confined'>): boolean {
    const worker = this.workers.get(id);
    if (worker?.epoch !== epoch) return false;
    worker.confinedFor = confined ? reason || 'in doubt' : '';
    return true;
  }

  give(worker: WorkerRecord, batch: Batch, now: number): void {
    this.stamp++;
    worker.give(batch, now);
    this.holders.set(batch.batch, worker.id);
  }

  /** True when a credit came back. */
  released(from: MemberId, released: Said<'batch.released'>, now: number): boolean {
    const worker = this.workers.get(from);
    if (worker === undefined || worker.epoch !== released.epoch) return false;
    const batch = worker.release(released.batch, now);
    if (batch === undefined) return false;
    this.stamp++;
    this.holders.delete(released.batch);
    worker.learn(batch, released, now, this.attention.awayMs(batch.assignedAt));
    return true;
  }

  /** The router had nothing to run any more. */
  declined(from: MemberId, number: number, now: number): boolean {
    const worker = this.workers.get(this.holders.get(number) ?? '');
    if (worker?.batches.get(number)?.router !== from) return false;
    this.stamp++;
    this.holders.delete(number);
    return worker.release(number, now) !== undefined;
  }

  /** Compares a worker's word with the record: an unknown epoch must register again, a lost batch frees its credit. */
  reported(from: MemberId, reported: Said<'worker.reported'>, now: number): Effect[] {
    const worker = this.workers.get(from);
    if (worker === undefined || worker.epoch !== reported.epoch) {
      const { epoch } = reported;
      return [send(from, { type: 'worker.fenced', epoch, reason: 'this epoch is over: register again' })];
    }
    const effects: Effect[] = [];
    const held = new Set(reported.held);
    for (const batch of worker.batches.values()) {
      if (held.has(batch.batch)) batch.missing = 0;
      else if (now - batch.assignedAt >= this.reconcileMs && ++batch.missing >= reportsToMiss) {
        worker.release(batch.batch, now);
        this.holders.delete(batch.batch);
        const { jobs } = batch;
        effects.push(note('warn', 'batch.wasLost', { worker: from, batch: batch.batch, jobs: jobs.length }));
        effects.push(lost(worker, batch, 'unanswered'));
      }
    }
    return effects;
  }

  /** It has told of a model since it registered. */
  hasTold(from: MemberId): boolean {
    return (this.workers.get(from)?.shares.size ?? 0) > 0;
  }

  stateOf(from: MemberId, { model, version }: Said<'share.changed'>): ShareState | undefined {
    return this.workers.get(from)?.shares.get(modelKey(model, version))?.state;
  }

  /** False when it is not from the registration that counts. */
  shareChanged(from: MemberId, changed: Said<'share.changed'>): boolean {
    const worker = this.workers.get(from);
    if (worker === undefined || worker.epoch !== changed.epoch) return false;
    const key = modelKey(changed.model, changed.version);
    const { state, place, rowsMax, reason, runsOn } = changed;
    // One stays, whatever it is: who has told of none at all may have any.
    if (state === 'unloaded' && worker.shares.size > 1) worker.shares.delete(key);
    else worker.shares.set(key, { state, place, rowsMax, reason, runsOn });
    if (state === 'ready') this.proven.set(key, (this.proven.get(key) ?? new Set()).add(worker.name));
    else if (state === 'failed' && worker.takesWork) this.disprove(key, worker.name);
    return true;
  }

  /** No worker has the model in any state. */
  isOver(model: string): boolean {
    for (const worker of this.workers.values()) {
      const state = worker.shares.get(model)?.state;
      if ((state !== undefined && state !== 'unloaded') || worker.holds(model)) return false;
    }
    return true;
  }

  forgetModel(model: string): void {
    this.proven.delete(model);
    this.crews.delete(model);
    this.comers.delete(model);
  }

  /** A worker of that name has come back and could not load it. */
  private disprove(key: string, name: string): void {
    const names = this.proven.get(key);
    if (names?.delete(name) && names.size === 0) this.proven.delete(key);
  }

  /** Somebody could not load it: who only lacks a tag says nothing of others who may come. */
  isRefused(model: string): boolean {
    if (this.proven.has(model)) return false;
    for (const { shares } of this.workers.values()) if (shares.get(model)?.state === 'failed') return true;
    return false;
  }

  /** How many trusted workers have the model ready, how many may have it yet, how many could not load it, and why. */
  count(model: string, needs: readonly string[]): ModelCount {
    let ready = 0;
    let loading = 0;
    let failed = 0;
    let resting = 0;
    let reason = '';
    const places = new Map<string, number>();
    for (const worker of this.workers.values()) {
      const share = worker.shares.get(model);
      const lacking = needs.find((tag) => !worker.tags.has(tag));
      if (lacking !== undefined) {
        failed++;
        reason ||= `no worker has the tag ${lacking} that its configuration asks for`;
        continue;
      }
      // One that is only suspect is as good as back: a doubt of some milliseconds must not make a node unready.
      const serves = share?.state === 'ready' || share?.state === 'retiring';
      const isConfined = worker.confinedFor !== '';
      const isOut = worker.leaving || isConfined || this.verdicts.get(worker.id) === 'down';
      if (serves && !isOut) {
        ready++;
        places.set(share.runsOn, (places.get(share.runsOn) ?? 0) + 1);
      }
      if (share !== undefined && isAtRest(share) && !isOut) resting++;
      // Who has just registered has not told of its models yet.
      const isComing = share?.state === 'loading' || share?.state === 'warming';
      if (worker.shares.size === 0 || isComing || ((serves || share?.state === 'resting') && isConfined))
        loading++;
      if (share?.state === 'failed' && !this.proven.has(model)) {
        failed++;
        reason = share.reason;
      }
    }
    const runsOn = [...places].filter(([place]) => place !== '').slice(0, limits.placesShownMax);
    return { ready, loading, failed, resting, reason, runsOn };
  }
}

/** Word to the routers whose batches were at a worker that is off the record: not all of them may have noticed. */
export function abandoned(worker: WorkerRecord): Effect[] {
  return worker.batches.values().map((batch) => lost(worker, batch, 'silent'));
}

function lost(worker: WorkerRecord, batch: Batch, cause: Said<'batch.lost'>['cause']): Effect {
  const { id, epoch } = worker;
  const { batch: number, jobs, attempts } = batch;
  return send(batch.router, { type: 'batch.lost', batch: number, worker: id, epoch, jobs, attempts, cause });
}
