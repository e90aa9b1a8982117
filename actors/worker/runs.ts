// The batches that a worker holds: what it takes, what starts when, and how each is answered. Nothing starts that is too
// late or was called back, and batches under watch (solo) have the worker to themselves.
import { type MemberId, modelKey, versionOf } from '../../proto/ids.js';
import { type Place, places, type Said } from '../../proto/messages.js';
import type { Chart } from '../chart.js';
import { send } from '../effects.js';
import type { RunFinished } from '../facts.js';
import type { Enrolment } from './enrolment.js';
import { Hanging } from './hanging.js';
import { finishedMessage, Held, heldKey, startedMessage } from './held.js';
import { Places } from './places.js';
import type { Shares, WorkerShare } from './shares.js';
import type { Wants } from './wants.js';

export interface RunSettings {
  readonly credits: Readonly<Record<Place, number>>;
  /** How long a batch under watch waits for its router's word to start. */
  readonly goWaitMs: number;
  readonly runMaxMs: number;
}

const quietMostMs = 50;
/** Ends of a run that speak against the worker, not against the model or what it was given. */
const faults: ReadonlySet<RunFinished['code']> = new Set(['DEVICE_LOST', 'RESULT_INVALID', 'INTERNAL']);
const doneMost = 64;
const inDoubt = 'the worker is in doubt: it gave an invalid answer, or failed a golden input';

export class Runs {
  /** Copies of batches that it already has, batches of an epoch that is over, batches beyond its credits. */
  turnedAway = 0;
  private readonly held = new Map<string, Held>();
  /** Batches answered lately, by key: a copy that comes behind its original is not run. */
  private readonly done = new Set<string>();
  private readonly places = new Places();
  private readonly hanging: Hanging;
  /** The batch under watch whose answer has yet to reach its router; empty for none. */
  private quietFor = '';
  private readonly settings: RunSettings;
  private readonly chart: Chart;
  private readonly shares: Shares;
  private readonly enrolment: Enrolment;
  private readonly wants: Wants;
  /** Is told how each run ended, before it is answered. */
  judge: (held: Held, code: string, reason: string, now: number) => void = () => {};
  /** Is told when nothing is left of what it had before it is to come back. */
  emptied: (now: number) => void = () => {};

  constructor(settings: RunSettings, chart: Chart, shares: Shares, enrolment: Enrolment, wants: Wants) {
    this.settings = settings;
    this.chart = chart;
    this.shares = shares;
    this.enrolment = enrolment;
    this.wants = wants;
    this.hanging = new Hanging(wants);
  }

  all(): IterableIterator<Held> {
    return this.held.values();
  }

  heldFrom(scheduler: MemberId): number[] {
    const batches: number[] = [];
    for (const { run } of this.held.values()) if (run.scheduler === scheduler) batches.push(run.batch);
    return batches;
  }

  take(run: Said<'batch.run'>, router: MemberId, now: number): void {
    const key = heldKey(run.scheduler, run.batch);
    if (this.held.has(key)) {
      this.turnedAway++;
      return;
    }
    if (this.done.has(key)) {
      this.turnedAway++;
      return this.wants.add({ type: 'forget', key });
    }
    const share = this.shares.get(run.model, run.version);
    const held = new Held(key, router, run, share?.place ?? 'thread', now);
    const reason = this.refusal(run, share?.ready === true);
    if (reason === undefined) {
      if (share !== undefined) share.usedAt = now;
      held.share = share;
      this.held.set(key, held);
      this.places.add(held);
      return this.pump(now);
    }
    this.turnedAway++;
    this.remember(key);
    this.wants.add({ type: 'forget', key });
    this.wants.add(
      send(
        router,
        finishedMessage(held, () => 'returned', reason),
      ),
    );
    // Under the epoch that counts the credit is given back; under another it is not ours to give.
    if (run.epoch === this.enrolment.epochAt(run.scheduler)) this.release(held, undefined);
  }

  /** Something of it waits or runs, be it that nobody waits for that any more. */
  uses({ listed: { model, version } }: WorkerShare): boolean {
    const isOf = ({ run }: Held): boolean => run.model === model && run.version === version;
    for (const held of this.held.values()) if (isOf(held)) return true;
    return this.places.runs().some(isOf);
  }

  load(share: WorkerShare, now: number): void {
    this.places.addLoad(share);
    this.pump(now);
  }

  /** True when its loading had not begun, and will not. */
  spare(share: WorkerShare): boolean {
    return this.places.removeLoad(share);
  }

  /** Whether it can be used or not: its loading is over. */
  loaded(share: WorkerShare, now: number): void {
    this.places.loaded(share);
    this.pump(now);
  }

  /** The router's word that a batch under watch may start, or that it has its answer. */
  go(key: string, now: number): void {
    if (key === this.quietFor) return this.endQuiet(now);
    const held = this.held.get(key);
    if (held?.go !== 'asked') return;
    held.go = 'given';
    this.wants.disarm(`go ${key}`);
    this.unqueue(held);
    this.start(held, now);
  }

  ran(result: RunFinished, now: number): void {
    const held = this.held.get(result.key);
    if (held === undefined) return this.ranUnheard(result.key, now);
    if (!this.places.ran(held)) return;
    if (held.place === 'thread') this.wants.disarm(`run ${held.key}`);
    held.result = result;
    held.hangsAt = Number.POSITIVE_INFINITY;
    if (this.chart.has('confined')) return;
    // Before anything else starts here.
    this.judge(held, result.code, result.reason, now);
    if (this.held.has(held.key)) this.finish(held, now);
  }

  recall(key: string, from: MemberId, jobs: readonly number[], now: number): void {
    const held = this.held.get(key);
    if (held === undefined || held.router !== from) return;
    held.withdraw(jobs);
    if (held.startedAt === undefined && held.alive().length === 0) {
      this.unqueue(held);
      this.finish(held, now);
    }
  }

  /** Batches that nobody wants any more: what waits goes, what runs runs on and is not answered, but under watch. */
  drop(unwanted: (held: Held) => boolean, now: number): void {
    for (const held of this.held.values()) if (unwanted(held)) held.unwanted = true;
    this.handBack(unwanted, now);
  }

  /** What has not started goes back to its router, where that still wants it. */
  handBack(which: (held: Held) => boolean, now: number): void {
    const waiting = [...this.held.values()].filter((held) => held.startedAt === undefined && which(held));
    // All leave their queues first, so that the end of one doesn't start another.
    for (const held of waiting) {
      held.codes.fill('returned');
      this.unqueue(held);
    }
    for (const held of waiting) this.finish(held, now);
  }

  /** In doubt: what waits goes back, and what runs is answered only once the doubt is over. */
  confine(now: number): void {
    this.handBack(() => true, now);
  }

  /** Its answers count for nothing: whatever was begun is to be run elsewhere, but keeps its place here until it is over. */
  withhold(now: number): void {
    for (const held of [...this.held.values()]) {
      if (held.startedAt === undefined) continue;
      for (const member of held.alive()) held.codes[member] = 'withheld';
      held.result = undefined;
      this.finish(held, now);
    }
  }

  /** The doubt is over: what it kept back goes out, and it may start work again. */
  goOn(now: number): void {
    for (const held of [...this.held.values()]) if (held.result !== undefined) this.finish(held, now);
    this.pump(now);
  }

  isIdle(): boolean {
    return this.held.size === 0 && this.places.idle();
  }

  isLoading(): boolean {
    return this.places.isLoading();
  }

  /** Nothing new begins: what has not started goes back, and the last that runs is waited for. */
  drain(now: number): void {
    this.places.dropLoads();
    this.handBack(() => true, now);
    this.stopWhenEmpty(now);
  }

  timer(timer: string, now: number): void {
    if (timer === 'quiet') return this.endQuiet(now);
    const [kind, key] = [timer.slice(0, timer.indexOf(' ')), timer.slice(timer.indexOf(' ') + 1)];
    const held = this.held.get(key) ?? this.places.runOf(key);
    if (held === undefined) return;
    if (kind === 'run' && held.startedAt !== undefined)
      this.hanging.overdue(held, held.startedAt, this.runMaxMs(held), now);
    if (kind === 'go' && held.go === 'asked') {
      // The router doesn't say: it may try elsewhere.
      held.codes.fill('returned');
      this.unqueue(held);
      this.finish(held, now);
    }
  }

  excuse(lateMs: number): void {
    this.hanging.excuse(this.places.runs(), lateMs);
  }

  /** It was withheld: nobody is told how it ended, but others may begin in its place. */
  private ranUnheard(key: string, now: number): void {
    const held = this.places.runOf(key);
    if (held === undefined || !this.places.ran(held)) return;
    this.wants.disarm(`run ${key}`);
    this.wants.add({ type: 'forget', key });
    this.pump(now);
  }

  private refusal(run: Said<'batch.run'>, ready: boolean): string | undefined {
    if (run.epoch !== this.enrolment.epochAt(run.scheduler)) return 'the epoch of this registration is over';
    if (this.chart.has('draining')) return 'the worker is draining';
    if (this.chart.has('confined')) return inDoubt;
    if (!ready) return `${modelKey(run.model, versionOf(run.version))} is not ready here`;
    const granted = places.reduce((sum, place) => sum + this.settings.credits[place], 0);
    let taken = 0;
    for (const held of this.held.values()) if (held.run.scheduler === run.scheduler) taken++;
    return taken >= granted ? 'no credit is left' : undefined;
  }

  /** Starts what can be started. A batch under watch waits for an idle worker, and everything behind it for its end. */
  private pump(now: number): void {
    if (this.quietFor !== '') return;
    const watched = this.places.watched();
    if (watched !== undefined) {
      if (watched.go === 'none' && this.places.idle()) this.prepare(watched, now);
      return;
    }
    const load = this.places.takeLoad();
    if (load !== undefined) {
      const { model, version } = load.listed;
      load.loadingSince = now;
      this.wants.add({ type: 'load', model, version });
    }
    for (const place of places) {
      for (;;) {
        const next = this.places.takeNext(place);
        if (next === undefined) break;
        this.start(next, now);
      }
    }
  }

  private prepare(held: Held, now: number): void {
    if (held.dropLate(now) === 0) {
      this.unqueue(held);
      return this.finish(held, now);
    }
    held.go = 'asked';
    const { scheduler, batch, epoch, jobs, attempts } = held.run;
    this.wants.tell(held.router, { type: 'batch.prepared', scheduler, batch, epoch, jobs, attempts });
    this.wants.arm(`go ${held.key}`, now + this.settings.goWaitMs);
  }

  private start(held: Held, now: number): void {
    if (held.dropLate(now) === 0) return this.finish(held, now);
    held.startedAt = now;
    this.places.run(held);
    // Tiny models are done before word of their start would be out; under watch the router knows already.
    if (held.place === 'thread' && !held.run.solo) this.wants.tell(held.router, startedMessage(held));
    if (held.place === 'thread') this.hanging.watch(held, now + this.runMaxMs(held));
    this.wants.add({ type: 'run', key: held.key, place: held.place, members: held.alive() });
  }

  private runMaxMs(held: Held): number {
    return this.shares.get(held.run.model, held.run.version)?.runMaxMs ?? this.settings.runMaxMs;
  }

  /** Answers for every member, gives the credit back, and goes on. */
  private finish(held: Held, now: number): void {
    this.held.delete(held.key);
    this.remember(held.key);
    if (held.share !== undefined) held.share.usedAt = now;
    const { result } = held;
    const message = finishedMessage(
      held,
      (member) => held.codes[member] || result?.code || '',
      result?.reason ?? '',
    );
    const outputsOf = result?.code === '' ? held.key : '';
    // Under watch its end is told in any case: the job may be under suspicion that it ends its worker.
    if (!held.unwanted || held.run.solo)
      this.wants.add({ type: 'send', to: held.router, message, outputsOf });
    if (held.run.solo && result !== undefined) this.beQuiet(held.key, now);
    this.wants.add({ type: 'forget', key: held.key });
    this.release(held, result);
    this.pump(now);
    this.stopWhenEmpty(now);
  }

  /** Whatever starts next might end this process before the answer has left it: then who ran last would be blamed. */
  private beQuiet(key: string, now: number): void {
    this.quietFor = key;
    this.wants.arm('quiet', now + quietMostMs);
  }

  private endQuiet(now: number): void {
    this.quietFor = '';
    this.wants.disarm('quiet');
    this.pump(now);
  }

  private release(held: Held, result: RunFinished | undefined): void {
    const { scheduler, batch, epoch } = held.run;
    const code = result?.code ?? 'CANCELLED';
    const rows = code === '' ? held.aliveRows() : 0;
    const computeMs = result?.computeMs ?? 0;
    const fault = faults.has(code);
    this.wants.tell(scheduler, { type: 'batch.released', batch, epoch, rows, computeMs, fault });
  }

  private remember(key: string): void {
    this.done.add(key);
    if (this.done.size <= doneMost) return;
    for (const oldest of this.done) {
      this.done.delete(oldest);
      return;
    }
  }

  private unqueue(held: Held): void {
    if (held.go === 'asked') this.wants.disarm(`go ${held.key}`);
    this.places.remove(held);
  }

  /** Tells when the last that was held is over, where that is waited for. */
  stopWhenEmpty(now: number): void {
    if (this.held.size > 0) return;
    const { state } = this.chart;
    if (state === 'returning') return this.emptied(now);
    if (state !== 'draining' && state !== 'vacating') return;
    this.chart.move('empty');
    this.wants.add(state === 'draining' ? { type: 'stopped' } : { type: 'vacated', vacant: true });
  }
}
