// A worker in doubt: it answers nobody and takes nothing until the golden inputs of its models have passed. Should one
// fail, its process is ended, and a fresh one has to pass them before it is ready.
import { modelKey } from '../../proto/ids.js';
import type { Chart } from '../chart.js';
import { note } from '../effects.js';
import type { Fact } from '../facts.js';
import { Doubts } from './doubts.js';
import type { Enrolment } from './enrolment.js';
import { lagMostMs } from './hanging.js';
import type { Held } from './held.js';
import type { Runs } from './runs.js';
import type { Shares, WorkerShare } from './shares.js';
import type { Wants } from './wants.js';

export interface QuarantineSettings {
  /** Golden inputs that take longer have not passed. */
  readonly runMaxMs: number;
  /** While a worker has nothing to do, one of its golden inputs is run after so long; 0: never. */
  readonly probeEveryMs?: number;
  /** How long a fresh worker that failed shows why before another is tried. */
  readonly shownMs?: number;
}

const shownUsualMs = 2000;

type Probed = Extract<Fact, { type: 'device.probed' }>;

export class Quarantine {
  private readonly doubts = new Doubts();
  private readonly settings: QuarantineSettings;
  private readonly chart: Chart;
  private readonly shares: Shares;
  private readonly enrolment: Enrolment;
  private readonly runs: Runs;
  private readonly wants: Wants;
  /** Whose answer brought the doubt; undefined when a golden input did. */
  private suspect: WorkerShare['listed'] | undefined;
  private reason = '';
  /** Probes that are under way: one by schedule may be when a doubt comes up, and proves nothing about that. */
  private outstanding = 0;
  private isLookedInto = false;
  /** It is tested before it comes back. */
  private isReadmitting = false;
  private overdueAt = 0;
  /** Is told when it takes work again after it stood by. */
  returned: (now: number) => void = () => {};
  /** Which of the models is next to be probed by schedule. */
  private turn = 0;
  /** A turn was left out, for it had something to do: the next is not. */
  private isOverdue = false;
  private readonly everyMs: number;

  constructor(
    settings: QuarantineSettings,
    chart: Chart,
    shares: Shares,
    enrolment: Enrolment,
    runs: Runs,
    wants: Wants,
  ) {
    this.settings = settings;
    this.chart = chart;
    this.shares = shares;
    this.enrolment = enrolment;
    this.runs = runs;
    this.wants = wants;
    this.everyMs = settings.probeEveryMs ?? 0;
    if (this.everyMs > 0) this.wants.arm('probe', this.everyMs);
  }

  /** How a run ended. */
  ran({ run }: Held, code: string, reason: string, now: number): void {
    const { model, version } = run;
    if (code === '') return this.doubts.good(model, version);
    if (code !== 'RESULT_INVALID' || !this.doubts.invalid(model, version, now)) return;
    this.suspect = this.shares.get(model, version)?.listed;
    this.doubt(`${modelKey(model, version)} gave an invalid answer: ${reason}`, now);
    if (this.chart.state === 'probing') this.probe(this.golden(), now);
  }

  /** A freshly loaded model's golden input gave something else: the models that passed must pass again. */
  failedGolden(share: WorkerShare, now: number): void {
    const { model, version } = share.listed;
    this.doubt(`${modelKey(model, version)} has failed its golden input: ${share.reason}`, now);
  }

  /** Asked to leave while it is in doubt: nothing of what it began counts. */
  drained(now: number): void {
    this.isReadmitting = false;
    if (this.chart.has('confined')) this.runs.withhold(now);
  }

  /** Wanted again after it stood by: it has to pass as if it were fresh. */
  readmit(now: number): void {
    this.suspect = undefined;
    this.isReadmitting = true;
    const shares = this.golden();
    if (shares.length === 0) return this.admit(now);
    this.test(shares, now);
  }

  /** A model has been loaded, or could not be. */
  loaded(share: WorkerShare, now: number): void {
    if (this.chart.state !== 'probing' || this.outstanding > 0 || this.suspect !== undefined) return;
    if (share.ready && share.golden === 'passed') this.acquit(now);
    else this.review(now);
  }

  probed({ failed, reason }: Probed, now: number): void {
    this.outstanding--;
    if (this.outstanding === 0) this.wants.disarm('probed');
    this.judge(failed, reason, now);
  }

  timer(timer: string, now: number): void {
    if (timer === 'probed') this.overdue(now);
    else if (timer === 'quarantined')
      this.wants.add({ type: 'abort', cause: 'stopped', reason: this.reason });
    else this.probeBySchedule(now);
  }

  private wait(until: number): void {
    this.overdueAt = until;
    this.wants.arm('probed', until);
  }

  /** While this process was held up, its golden inputs were too. */
  private overdue(now: number): void {
    const lateMs = now - this.overdueAt;
    if (lateMs > lagMostMs) this.wait(now + Math.min(lateMs, this.settings.runMaxMs));
    else this.judge(true, 'its golden inputs take too long', now);
  }

  private judge(failed: boolean, reason: string, now: number): void {
    if (failed && !this.chart.has('confined')) this.doubt(reason, now);
    else if (this.isReadmitting && this.outstanding === 0) this.admit(now);
    if (this.chart.state !== 'probing') return;
    if (failed) this.condemn(reason, 0, now);
    else if (this.outstanding > 0) return;
    else if (this.isLookedInto) this.acquit(now);
    else this.review(now);
  }

  private doubt(reason: string, now: number): void {
    if (this.chart.has('draining')) return this.leave(reason, now);
    if (this.chart.has('confined')) return;
    const from = this.chart.state;
    this.isLookedInto = false;
    this.chart.move('doubt');
    this.reason = reason;
    this.wants.add(note('warn', 'worker.moved', { from, to: this.chart.state, reason }));
    this.enrolment.confine(reason);
    this.runs.confine(now);
  }

  /** It is on its way out: the doubt is not looked into any more. */
  private leave(reason: string, now: number): void {
    this.runs.confine(now);
    this.runs.withhold(now);
    this.wants.add({ type: 'abort', cause: 'stopped', reason });
  }

  private golden(): WorkerShare[] {
    const { suspect } = this;
    const known = [...this.shares.all()].filter((share) => share.ready && share.golden !== 'none');
    return known.sort((one, other) => Number(other.listed === suspect) - Number(one.listed === suspect));
  }

  private probe(shares: readonly WorkerShare[], now: number): void {
    if (shares.length === 0) return this.acquit(now);
    this.isLookedInto = this.chart.state === 'probing';
    this.test(shares, now);
  }

  private test(shares: readonly WorkerShare[], now: number): void {
    this.outstanding++;
    // Behind a run that may take as long, which is watched by itself.
    const longest = [...this.shares.all()].map((share) => share.runMaxMs);
    this.wait(now + 2 * Math.max(this.settings.runMaxMs, ...longest));
    const models = shares.map(({ listed: { model, version } }) => ({ model, version }));
    this.wants.add({ type: 'probe', models });
  }

  /** With nobody left who could pass, it is the device's fault. */
  private review(now: number): void {
    const passed = this.golden().filter((share) => share.golden === 'passed');
    if (passed.length > 0) this.probe(passed, now);
    else if (!this.runs.isLoading()) this.condemn(this.reason, this.settings.shownMs ?? shownUsualMs, now);
  }

  private acquit(now: number): void {
    const { suspect } = this;
    if (suspect !== undefined) this.doubts.blame(suspect.model, suspect.version, now);
    this.suspect = undefined;
    this.isLookedInto = false;
    this.chart.move('pass');
    const reason = 'the golden inputs pass: not the device is at fault, but the model or what it was given';
    this.wants.add(note('info', 'worker.acquitted', { doubt: this.reason, reason }));
    this.reason = '';
    this.enrolment.release();
    this.runs.goOn(now);
  }

  private admit(now: number): void {
    this.isReadmitting = false;
    this.chart.move('pass');
    this.reason = '';
    this.wants.add({ type: 'vacated', vacant: false });
    this.enrolment.rejoin();
    this.returned(now);
  }

  private condemn(reason: string, delayMs: number, now: number): void {
    this.chart.move('fail');
    this.reason = reason;
    this.wants.add(note('error', 'worker.quarantined', { reason }));
    this.enrolment.confine(reason);
    this.runs.withhold(now);
    if (delayMs === 0) this.timer('quarantined', now);
    else this.wants.arm('quarantined', now + delayMs);
  }

  private probeBySchedule(now: number): void {
    const shares = this.golden();
    const share = shares[this.turn % Math.max(1, shares.length)];
    this.wants.arm('probe', now + this.everyMs);
    if (share === undefined || this.outstanding > 0 || this.chart.state !== 'serving') return;
    if (!this.runs.isIdle() && !this.isOverdue) {
      this.isOverdue = true;
      return;
    }
    this.isOverdue = false;
    this.turn++;
    this.probe([share], now);
  }
}
