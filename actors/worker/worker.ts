// The worker actor: takes batches within the credits that it granted, runs one at a time in each place, and keeps those
// under watch (solo) to themselves. It never starts what is too late or was called back.
import { type MemberId, modelKey } from '../../proto/ids.js';
import { type Place, places, type Said } from '../../proto/messages.js';
import type { Actor, Heard } from '../actor.js';
import { type Chart, startChart } from '../chart.js';
import { Directory } from '../directory.js';
import { type Effect, note, send } from '../effects.js';
import type { ListedModel, RunFinished } from '../facts.js';
import { finishedMessage, Held, heldKey, hungReason, startedMessage } from './held.js';
import { Places } from './places.js';
import { Shares } from './shares.js';
import { workerMachine } from './worker.machine.js';

export interface WorkerSettings {
  readonly name: string;
  readonly device: string;
  readonly credits: Readonly<Record<Place, number>>;
  readonly reportMs: number;
  /** How long a batch under watch waits for its router's word to start. */
  readonly goWaitMs: number;
  readonly runMaxMs: number;
}

const lagMostMs = 20;
const quietMostMs = 50;

export class Worker implements Actor {
  readonly hears: ReadonlySet<Heard['type']> = new Set<Heard['type']>([
    'batch.run',
    'batch.recall',
    'batch.go',
    'run.finished',
    'worker.registered',
    'worker.fenced',
    'models.listed',
    'model.loaded',
    'model.failed',
    'link.opened',
    'link.lost',
    'timer.fired',
    'drain.requested',
  ]);
  readonly chart: Chart = startChart(workerMachine);
  readonly shares = new Shares();
  private readonly settings: WorkerSettings;
  private readonly links = new Directory();
  /** Per scheduler the epoch of the registration there; 0 while it is not answered. */
  private readonly epochs = new Map<MemberId, number>();
  private readonly held = new Map<string, Held>();
  private readonly places = new Places();
  /** The batch under watch whose answer has yet to reach its router; empty for none. */
  private quietFor = '';
  /** NaN while there is nobody to report to. */
  private reportDueAt = Number.NaN;
  private out: Effect[] = [];
  /** Copies of batches that it already has, batches of an epoch that is over, batches beyond its credits. */
  turnedAway = 0;

  constructor(settings: WorkerSettings) {
    this.settings = settings;
  }

  receive(heard: Heard, from: MemberId, now: number): Effect[] {
    this.hear(heard, from, now);
    const effects = this.out;
    this.out = [];
    return effects;
  }

  heldBatches(): IterableIterator<Held> {
    return this.held.values();
  }

  private hear(heard: Heard, from: MemberId, now: number): void {
    switch (heard.type) {
      case 'batch.run':
        return this.take(heard, from, now);
      case 'run.finished':
        return this.ran(heard, now);
      case 'batch.go':
        return this.go(heldKey(heard.scheduler, heard.batch), now);
      case 'batch.recall':
        return this.recall(heldKey(heard.scheduler, heard.batch), from, heard.jobs, now);
      case 'timer.fired':
        return this.timer(heard.timer, now);
      case 'models.listed':
        for (const model of heard.models) this.load(model);
        return;
      case 'model.loaded':
        this.shares.loaded(heard);
        return this.tellShare(heard.model, heard.version);
      case 'model.failed':
        this.shares.failed(heard);
        return this.tellShare(heard.model, heard.version);
      default:
        return this.hearOfOthers(heard, from, now);
    }
  }

  private hearOfOthers(heard: Heard, from: MemberId, now: number): void {
    switch (heard.type) {
      case 'link.opened':
        this.links.open(heard.member, heard.roles);
        if (heard.roles.includes('scheduler')) this.register(heard.member, now);
        return;
      case 'link.lost':
        this.links.close(heard.member);
        this.epochs.delete(heard.member);
        this.reviewRegistration();
        // Nobody is left to hear their answers.
        return this.drop((batch) => batch.router === heard.member, now);
      case 'worker.registered':
        if (!this.epochs.has(from)) return;
        this.epochs.set(from, heard.epoch);
        this.reviewRegistration();
        for (const share of this.shares.all()) this.tell(from, share.toldAs(heard.epoch));
        if (this.chart.has('draining')) this.tell(from, { type: 'worker.leaving', epoch: heard.epoch });
        return;
      case 'worker.fenced': {
        if (heard.epoch !== this.epochs.get(from)) return;
        const placedByIt = (held: Held): boolean => held.run.scheduler === from;
        this.handBack(placedByIt, now);
        this.drop(placedByIt, now);
        return this.register(from, now);
      }
      case 'drain.requested':
        return this.drain(now);
    }
  }

  private register(scheduler: MemberId, now: number): void {
    const { name, device, credits } = this.settings;
    this.epochs.set(scheduler, 0);
    this.reviewRegistration();
    const { inline: inlineCredits, thread: threadCredits } = credits;
    this.tell(scheduler, { type: 'worker.register', name, device, tags: [], inlineCredits, threadCredits });
    if (Number.isNaN(this.reportDueAt)) this.armReport(now);
  }

  private reviewRegistration(): void {
    const registered = [...this.epochs.values()].some((epoch) => epoch > 0);
    if (!this.chart.can('register')) return;
    const before = this.chart.state;
    if (this.chart.move(registered ? 'register' : 'unregister')) {
      this.out.push(note('info', 'worker.moved', { from: before, to: this.chart.state }));
    }
  }

  private load(model: ListedModel): void {
    if (!this.shares.list(model)) return;
    this.out.push({ type: 'load', model: model.model, version: model.version });
    this.tellShare(model.model, model.version);
  }

  private take(run: Said<'batch.run'>, router: MemberId, now: number): void {
    const key = heldKey(run.scheduler, run.batch);
    if (this.held.has(key)) {
      this.turnedAway++;
      return;
    }
    const share = this.shares.get(run.model, run.version);
    const held = new Held(key, router, run, share?.place ?? 'thread', now);
    const reason = this.refusal(run, share?.ready === true);
    if (reason === undefined) {
      this.held.set(key, held);
      this.places.add(held);
      return this.pump(now);
    }
    this.turnedAway++;
    const answer = finishedMessage(held, () => 'returned', reason);
    this.out.push({ type: 'forget', key }, send(router, answer));
    // Under the epoch that counts the credit is given back; under another it is not ours to give.
    if (run.epoch === this.epochs.get(run.scheduler)) this.release(held, 0, 0);
  }

  private refusal(run: Said<'batch.run'>, ready: boolean): string | undefined {
    if (run.epoch !== this.epochs.get(run.scheduler)) return 'the epoch of this registration is over';
    if (this.chart.has('draining')) return 'the worker is draining';
    if (!ready) return `${modelKey(run.model, run.version)} is not ready here`;
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
    this.tell(held.router, { type: 'batch.prepared', scheduler, batch, epoch, jobs, attempts });
    this.arm(`go ${held.key}`, now + this.settings.goWaitMs);
  }

  /** The router's word that a batch under watch may start, or that it has its answer. */
  private go(key: string, now: number): void {
    if (key === this.quietFor) return this.endQuiet(now);
    const held = this.held.get(key);
    if (held?.go !== 'asked') return;
    held.go = 'given';
    this.out.push({ type: 'disarm', timer: `go ${key}` });
    this.unqueue(held);
    this.start(held, now);
  }

  private start(held: Held, now: number): void {
    if (held.dropLate(now) === 0) return this.finish(held, now);
    held.startedAt = now;
    this.places.run(held);
    // Tiny models are done before word of their start would be out; under watch the router knows already.
    if (held.place === 'thread' && !held.run.solo) this.tell(held.router, startedMessage(held));
    if (held.place === 'thread') this.watchRun(held, now + this.runMaxMs(held));
    this.out.push({ type: 'run', key: held.key, place: held.place, members: held.alive() });
  }

  private watchRun(held: Held, hangsAt: number): void {
    held.hangsAt = hangsAt;
    this.arm(`run ${held.key}`, hangsAt);
  }

  private armReport(now: number): void {
    this.reportDueAt = now + this.settings.reportMs;
    this.arm('report', this.reportDueAt);
  }

  /** While this process was held up, its runs were too. */
  private excuseRuns(lateMs: number): void {
    if (lateMs <= lagMostMs) return;
    for (const held of this.held.values()) {
      if (held.hangsAt < Number.POSITIVE_INFINITY) this.watchRun(held, held.hangsAt + lateMs);
    }
  }

  /** A timer that comes much too late shows that this whole process was held up: the run gets as much time again. */
  private runOverdue(held: Held, startedAt: number, now: number): void {
    const lateMs = now - held.hangsAt;
    if (lateMs > lagMostMs) return this.watchRun(held, now + Math.min(lateMs, this.runMaxMs(held)));
    this.out.push({ type: 'abort', reason: hungReason(held, startedAt, now) });
  }

  private runMaxMs(held: Held): number {
    return this.shares.get(held.run.model, held.run.version)?.runMaxMs ?? this.settings.runMaxMs;
  }

  private ran(result: RunFinished, now: number): void {
    const held = this.held.get(result.key);
    if (held === undefined || !this.places.ran(held)) return;
    if (held.place === 'thread') this.out.push({ type: 'disarm', timer: `run ${held.key}` });
    held.result = result;
    this.finish(held, now);
  }

  /** Answers for every member, gives the credit back, and goes on. */
  private finish(held: Held, now: number): void {
    this.held.delete(held.key);
    const { result } = held;
    const message = finishedMessage(
      held,
      (member) => held.codes[member] || result?.code || '',
      result?.reason ?? '',
    );
    const outputsOf = result?.code === '' ? held.key : '';
    if (!held.unwanted) this.out.push({ type: 'send', to: held.router, message, outputsOf });
    if (held.run.solo && result !== undefined) this.beQuiet(held.key, now);
    this.out.push({ type: 'forget', key: held.key });
    this.release(held, result?.code === '' ? held.aliveRows() : 0, result?.computeMs ?? 0);
    this.pump(now);
    this.stopWhenEmpty();
  }

  /** Whatever starts next might end this process before the answer has left it: then who ran last would be blamed. */
  private beQuiet(key: string, now: number): void {
    this.quietFor = key;
    this.arm('quiet', now + quietMostMs);
  }

  private endQuiet(now: number): void {
    this.quietFor = '';
    this.out.push({ type: 'disarm', timer: 'quiet' });
    this.pump(now);
  }

  private release(held: Held, rows: number, computeMs: number): void {
    const { scheduler, batch, epoch } = held.run;
    this.tell(scheduler, { type: 'batch.released', batch, epoch, rows, computeMs });
  }

  private recall(key: string, from: MemberId, jobs: readonly number[], now: number): void {
    const held = this.held.get(key);
    if (held === undefined || held.router !== from) return;
    held.withdraw(jobs);
    if (held.startedAt === undefined && held.alive().length === 0) {
      this.unqueue(held);
      this.finish(held, now);
    }
  }

  /** Batches that nobody wants any more: what waits goes, what runs runs on and is not answered. */
  private drop(unwanted: (held: Held) => boolean, now: number): void {
    for (const held of this.held.values()) if (unwanted(held)) held.unwanted = true;
    this.handBack(unwanted, now);
  }

  private unqueue(held: Held): void {
    if (held.go === 'asked') this.out.push({ type: 'disarm', timer: `go ${held.key}` });
    this.places.remove(held);
  }

  private timer(timer: string, now: number): void {
    if (timer === 'report') return this.report(now);
    if (timer === 'quiet') return this.endQuiet(now);
    const [kind, key] = [timer.slice(0, timer.indexOf(' ')), timer.slice(timer.indexOf(' ') + 1)];
    const held = this.held.get(key);
    if (held === undefined) return;
    if (kind === 'run' && held.startedAt !== undefined) this.runOverdue(held, held.startedAt, now);
    if (kind === 'go' && held.go === 'asked') {
      // The router doesn't say: it may try elsewhere.
      held.codes.fill('returned');
      this.unqueue(held);
      this.finish(held, now);
    }
  }

  private report(now: number): void {
    this.excuseRuns(now - this.reportDueAt);
    this.armReport(now);
    for (const [scheduler, epoch] of this.epochs) {
      if (epoch === 0) {
        this.register(scheduler, now);
        continue;
      }
      const held: number[] = [];
      for (const { run } of this.held.values()) if (run.scheduler === scheduler) held.push(run.batch);
      this.tell(scheduler, { type: 'worker.reported', epoch, held });
    }
  }

  private drain(now: number): void {
    if (this.chart.can('drain')) this.chart.move('drain');
    for (const [scheduler, epoch] of this.epochs) this.tell(scheduler, { type: 'worker.leaving', epoch });
    this.handBack(() => true, now);
    this.stopWhenEmpty();
  }

  /** What has not started goes back to its router, where that still wants it. */
  private handBack(which: (held: Held) => boolean, now: number): void {
    const waiting = [...this.held.values()].filter((held) => held.startedAt === undefined && which(held));
    // All leave their queues first, so that the end of one doesn't start another.
    for (const held of waiting) {
      held.codes.fill('returned');
      this.unqueue(held);
    }
    for (const held of waiting) this.finish(held, now);
  }

  private stopWhenEmpty(): void {
    if (this.held.size > 0 || this.chart.state !== 'draining') return;
    this.chart.move('empty');
    this.out.push({ type: 'stopped' });
  }

  private tellShare(model: string, version: string): void {
    const share = this.shares.get(model, version);
    if (share === undefined) return;
    for (const [scheduler, epoch] of this.epochs) if (epoch > 0) this.tell(scheduler, share.toldAs(epoch));
  }

  private arm(timer: string, at: number): void {
    this.out.push({ type: 'arm', timer, at });
  }

  private tell(to: MemberId, message: Parameters<typeof send>[1]): void {
    if (this.links.has(to)) this.out.push(send(to, message));
  }
}
