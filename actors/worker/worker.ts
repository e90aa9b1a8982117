// The worker actor: joins the schedulers, has its models loaded one after the other, and runs batches within the credits
// that it granted.
import type { MemberId } from '../../proto/ids.js';
import type { Actor, Heard } from '../actor.js';
import { type Chart, startChart } from '../chart.js';
import type { Effect } from '../effects.js';
import { Enrolment, type Introduction } from './enrolment.js';
import { type Held, heldKey } from './held.js';
import { Quarantine, type QuarantineSettings } from './quarantine.js';
import { Room, type RoomSettings } from './room.js';
import { type RunSettings, Runs } from './runs.js';
import { Shares, type WorkerShare } from './shares.js';
import { Stock } from './stock.js';
import { Wants } from './wants.js';
import { workerMachine } from './worker.machine.js';

export interface WorkerSettings extends Introduction, RunSettings, QuarantineSettings, RoomSettings {
  readonly reportMs: number;
}

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
    'share.dismissed',
    'share.wake',
    'device.probed',
    'link.opened',
    'link.lost',
    'timer.fired',
    'vacancy.requested',
    'return.requested',
    'drain.requested',
  ]);
  readonly chart: Chart = startChart(workerMachine);
  readonly shares = new Shares();
  readonly runs: Runs;
  private readonly wants = new Wants();
  private readonly enrolment: Enrolment;
  private readonly stock: Stock;
  private readonly quarantine: Quarantine;
  private readonly reportMs: number;
  /** NaN while there is nobody to report to. */
  private reportDueAt = Number.NaN;

  constructor(settings: WorkerSettings) {
    const { chart, shares, wants } = this;
    this.reportMs = settings.reportMs;
    this.enrolment = new Enrolment(settings, chart, shares, wants);
    this.runs = new Runs(settings, chart, shares, this.enrolment, wants);
    this.stock = new Stock(chart, shares, new Room(settings), this.runs, this.enrolment, wants);
    this.quarantine = new Quarantine(settings, chart, shares, this.enrolment, this.runs, wants);
    this.runs.emptied = (now) => this.quarantine.readmit(now);
    this.quarantine.returned = (now) => this.stock.makeRoom(now);
    this.runs.judge = (held, code, reason, now) => this.quarantine.ran(held, code, reason, now);
  }

  receive(heard: Heard, from: MemberId, now: number): Effect[] {
    this.hear(heard, from, now);
    this.stock.clear(now);
    return this.wants.take();
  }

  heldBatches(): IterableIterator<Held> {
    return this.runs.all();
  }

  private hear(heard: Heard, from: MemberId, now: number): void {
    switch (heard.type) {
      case 'batch.run':
        return this.runs.take(heard, from, now);
      case 'run.finished':
        return this.runs.ran(heard, now);
      case 'batch.go':
        return this.runs.go(heldKey(heard.scheduler, heard.batch), now);
      case 'batch.recall':
        return this.runs.recall(heldKey(heard.scheduler, heard.batch), from, heard.jobs, now);
      case 'timer.fired':
        return this.timer(heard.timer, now);
      case 'models.listed':
        return this.stock.list(heard.models, now);
      case 'model.loaded':
        return this.loaded(this.shares.loaded(heard, now), true, now);
      case 'model.failed':
        return this.failed(heard, now);
      case 'device.probed':
        return this.quarantine.probed(heard, now);
      case 'share.dismissed':
        return this.stock.dismissed(heard, from, now);
      case 'share.wake':
        return this.stock.wake(heard, from, now);
      default:
        return this.hearOfOthers(heard, from, now);
    }
  }

  private hearOfOthers(heard: Heard, from: MemberId, now: number): void {
    switch (heard.type) {
      case 'link.opened':
        this.wants.links.open(heard.member, heard.roles);
        if (heard.roles.includes('scheduler')) this.register(heard.member, now);
        return;
      case 'link.lost':
        this.wants.links.close(heard.member);
        this.enrolment.lost(heard.member);
        this.stock.review(now);
        // Nobody is left to hear their answers.
        return this.runs.drop((batch) => batch.router === heard.member, now);
      case 'worker.registered':
        return this.enrolment.registered(from, heard.epoch);
      case 'worker.fenced': {
        if (heard.epoch !== this.enrolment.epochAt(from)) return;
        const placedByIt = (held: Held): boolean => held.run.scheduler === from;
        this.runs.handBack(placedByIt, now);
        this.runs.drop(placedByIt, now);
        return this.register(from, now);
      }
      case 'vacancy.requested':
        return this.vacate(now);
      case 'return.requested':
        if (!this.chart.can('return')) return;
        this.chart.move('return');
        // What it holds of before is finished first: registering anew, it would give that up for lost.
        return this.runs.stopWhenEmpty(now);
      case 'drain.requested':
        this.quarantine.drained(now);
        if (this.chart.can('drain')) this.chart.move('drain');
        this.enrolment.leave();
        return this.runs.drain(now);
    }
  }

  /** What it has it finishes; what comes goes back. */
  private vacate(now: number): void {
    if (!this.chart.can('vacate')) return;
    this.quarantine.drained(now);
    this.chart.move('vacate');
    this.enrolment.leave();
    this.runs.stopWhenEmpty(now);
  }

  private register(scheduler: MemberId, now: number): void {
    this.enrolment.ask(scheduler);
    if (Number.isNaN(this.reportDueAt)) this.armReport(now);
  }

  private loaded(share: WorkerShare | undefined, isThere: boolean, now: number): void {
    this.stock.loaded(share, isThere, now);
    if (share !== undefined) this.quarantine.loaded(share, now);
  }

  private failed(failed: Extract<Heard, { type: 'model.failed' }>, now: number): void {
    const share = this.shares.failed(failed);
    if (share !== undefined && failed.suspect === true) this.quarantine.failedGolden(share, now);
    this.loaded(share, false, now);
  }

  private timer(timer: string, now: number): void {
    if (timer === 'report') this.report(now);
    else if (timer === 'room') this.stock.makeRoom(now);
    else if (timer === 'probe' || timer === 'probed' || timer === 'quarantined')
      this.quarantine.timer(timer, now);
    else this.runs.timer(timer, now);
  }

  private armReport(now: number): void {
    this.reportDueAt = now + this.reportMs;
    this.wants.arm('report', this.reportDueAt);
  }

  private report(now: number): void {
    this.runs.excuse(now - this.reportDueAt);
    this.armReport(now);
    this.enrolment.report((scheduler) => this.runs.heldFrom(scheduler));
    this.stock.remind();
  }
}
