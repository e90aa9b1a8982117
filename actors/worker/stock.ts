// How models come to a worker and go again: what is listed is loaded, at once or when it is asked for, and what is listed
// no more is retired, and unloaded once every scheduler has said that nothing more comes for it, and what had come has been
// run. So is one that makes room for others, but it rests, and comes back when it is asked for.
import type { MemberId } from '../../proto/ids.js';
import type { Said } from '../../proto/messages.js';
import type { Chart } from '../chart.js';
import { note } from '../effects.js';
import type { ListedModel } from '../facts.js';
import type { Enrolment } from './enrolment.js';
import type { Room } from './room.js';
import type { Runs } from './runs.js';
import type { Shares, WorkerShare } from './shares.js';
import type { Wants } from './wants.js';

export class Stock {
  private readonly chart: Chart;
  private readonly shares: Shares;
  private readonly room: Room;
  private readonly runs: Runs;
  private readonly enrolment: Enrolment;
  private readonly wants: Wants;
  /** How many models wait for the end of their last run. */
  private emptying = 0;

  constructor(chart: Chart, shares: Shares, room: Room, runs: Runs, enrolment: Enrolment, wants: Wants) {
    this.chart = chart;
    this.shares = shares;
    this.room = room;
    this.runs = runs;
    this.enrolment = enrolment;
    this.wants = wants;
  }

  list(models: readonly ListedModel[], now: number): void {
    const { fresh, wanted, changed } = this.shares.list(models);
    for (const share of fresh) this.welcome(share, now);
    for (const share of wanted) this.room.wish(share, true, now);
    for (const share of changed) {
      this.enrolment.tellOf(share);
      const isOver = share.chart.state === 'unloaded' || this.runs.spare(share);
      if (isOver) this.remove(share, now);
    }
    this.review(now);
    this.makeRoom(now);
  }

  /** Whether it can be used or not: its loading is over. */
  loaded(share: WorkerShare | undefined, isThere: boolean, now: number): void {
    if (share === undefined) return;
    if (share.chart.state !== 'unloaded') this.enrolment.tellOf(share);
    else if (isThere) this.unload(share, now);
    else this.leave(share, now);
    this.runs.loaded(share, now);
    this.makeRoom(now);
  }

  dismissed({ epoch, model, version }: Said<'share.dismissed'>, from: MemberId, now: number): void {
    const share = this.shares.get(model, version);
    if (share?.chart.has('dismissible') !== true || epoch !== this.enrolment.epochAt(from)) return;
    share.dismissedBy.add(from);
    this.review(now);
  }

  /** Somebody waits for it, or would like it here too. */
  wake({ epoch, model, version, must }: Said<'share.wake'>, from: MemberId, now: number): void {
    const share = this.shares.get(model, version);
    if (share === undefined || epoch !== this.enrolment.epochAt(from)) return;
    // It may not have heard what has become of it.
    if (share.chart.state === 'ready' || share.chart.state === 'loading') return this.enrolment.tellOf(share);
    if (share.isStale) return;
    this.room.wish(share, must, now);
    this.makeRoom(now);
  }

  /** Of a scheduler that is gone nothing more comes either. */
  review(now: number): void {
    const schedulers = this.enrolment.schedulers();
    for (const share of this.shares.dismissible()) {
      const isOver = schedulers.every((scheduler) => share.dismissedBy.has(scheduler));
      if (!isOver || !share.chart.move('dismiss')) continue;
      share.dismissedBy.clear();
      if (share.chart.state === 'unloaded') this.leave(share, now);
      else this.empty(share, now);
    }
  }

  /** Something has been run: it may have been the last of a model that goes. */
  clear(now: number): void {
    if (this.emptying === 0) return;
    for (const share of this.shares.emptying()) this.unloadEmpty(share, now);
  }

  /** Word that it waits for may have been lost on the way. */
  remind(): void {
    for (const share of this.shares.dismissible()) this.enrolment.tellOf(share);
  }

  /** Loads what is asked for, where there is room, and has others make room where there is none. */
  makeRoom(now: number): void {
    if (this.chart.has('draining')) return;
    const plan = this.room.plan(
      () => this.shares.all(),
      (share) => this.runs.uses(share),
      now,
    );
    for (const share of plan.load) this.load(share, now);
    for (const share of plan.yield) {
      share.chart.move('yield');
      this.enrolment.tellOf(share);
    }
    if (plan.lookAt < Number.POSITIVE_INFINITY) this.wants.arm('room', plan.lookAt);
    if (plan.yield.length > 0) this.review(now);
  }

  private welcome(share: WorkerShare, now: number): void {
    const lack = this.room.lack(share);
    if (lack !== '') {
      share.reason = lack;
      share.chart.move('load');
      share.chart.move('fail');
      return this.enrolment.tellOf(share);
    }
    const { load = 'start' } = share.listed;
    if (load !== 'demand' && this.room.fits(share, this.shares.all())) return this.load(share, now);
    share.chart.move('rest');
    this.enrolment.tellOf(share);
    if (load === 'now') this.room.wish(share, true, now);
  }

  private load(share: WorkerShare, now: number): void {
    share.chart.move('load');
    this.enrolment.tellOf(share);
    this.runs.load(share, now);
  }

  /** With its schedulers gone a batch of theirs may still run here. */
  private empty(share: WorkerShare, now: number): void {
    this.emptying++;
    const { state } = share.chart;
    this.unloadEmpty(share, now);
    if (share.chart.state === state) this.enrolment.tellOf(share);
  }

  private unloadEmpty(share: WorkerShare, now: number): void {
    if (this.runs.uses(share) || !share.chart.move('empty')) return;
    this.emptying--;
    if (share.chart.state === 'resting') this.rest(share, now);
    else this.unload(share, now);
  }

  private rest(share: WorkerShare, now: number): void {
    const { model, version } = share.listed;
    share.hasServed = false;
    this.wants.add({ type: 'unload', model, version });
    this.wants.add(note('info', 'share.rested', { model, version }));
    if (share.isDelisted) share.chart.move('retire');
    this.enrolment.tellOf(share);
    this.makeRoom(now);
  }

  private unload(share: WorkerShare, now: number): void {
    const { model, version } = share.listed;
    this.wants.add({ type: 'unload', model, version });
    this.wants.add(note('info', 'share.unloaded', { model, version }));
    this.leave(share, now);
    this.makeRoom(now);
  }

  private leave(share: WorkerShare, now: number): void {
    this.enrolment.tellOf(share);
    this.remove(share, now);
  }

  private remove(share: WorkerShare, now: number): void {
    const next = this.shares.remove(share);
    if (next !== undefined) this.welcome(next, now);
  }
}
