// How models come to a worker and go again: what is listed is loaded, what is listed no more is retired, and unloaded once
// every scheduler has said that nothing more comes for it, and what had come has been run.
import type { MemberId } from '../../proto/ids.js';
import type { Said } from '../../proto/messages.js';
import { note } from '../effects.js';
import type { ListedModel } from '../facts.js';
import type { Enrolment } from './enrolment.js';
import type { Runs } from './runs.js';
import type { Shares, WorkerShare } from './shares.js';
import type { Wants } from './wants.js';

export class Stock {
  private readonly shares: Shares;
  private readonly runs: Runs;
  private readonly enrolment: Enrolment;
  private readonly wants: Wants;
  /** How many models wait for the end of their last run. */
  private emptying = 0;

  constructor(shares: Shares, runs: Runs, enrolment: Enrolment, wants: Wants) {
    this.shares = shares;
    this.runs = runs;
    this.enrolment = enrolment;
    this.wants = wants;
  }

  list(models: readonly ListedModel[], now: number): void {
    const { load, changed } = this.shares.list(models);
    for (const share of load) this.load(share, now);
    for (const share of changed) {
      this.enrolment.tellOf(share);
      const isOver = share.chart.state === 'unloaded' || this.runs.spare(share);
      if (isOver) this.remove(share, now);
    }
    this.review(now);
  }

  /** Whether it can be used or not: its loading is over. */
  loaded(share: WorkerShare | undefined, isThere: boolean, now: number): void {
    if (share === undefined) return;
    if (share.chart.state !== 'unloaded') this.enrolment.tellOf(share);
    else if (isThere) this.unload(share, now);
    else this.remove(share, now);
    this.runs.loaded(share, now);
  }

  dismissed({ epoch, model, version }: Said<'share.dismissed'>, from: MemberId, now: number): void {
    const share = this.shares.get(model, version);
    if (share?.chart.state !== 'retiring' || epoch !== this.enrolment.epochAt(from)) return;
    share.dismissedBy.add(from);
    this.review(now);
  }

  /** Of a scheduler that is gone nothing more comes either. */
  review(now: number): void {
    const schedulers = this.enrolment.schedulers();
    for (const share of this.shares.in('retiring')) {
      const isOver = schedulers.every((scheduler) => share.dismissedBy.has(scheduler));
      if (isOver && share.chart.move('dismiss')) this.empty(share, now);
    }
  }

  /** Something has been run: it may have been the last of a model that goes. */
  clear(now: number): void {
    if (this.emptying === 0) return;
    for (const share of this.shares.in('emptying')) this.unloadEmpty(share, now);
  }

  /** Word that it waits for may have been lost on the way. */
  remind(): void {
    for (const share of this.shares.in('retiring')) this.enrolment.tellOf(share);
  }

  private load(share: WorkerShare, now: number): void {
    this.enrolment.tellOf(share);
    this.runs.load(share, now);
  }

  /** With its schedulers gone a batch of theirs may still run here. */
  private empty(share: WorkerShare, now: number): void {
    this.emptying++;
    this.unloadEmpty(share, now);
    if (share.chart.state === 'emptying') this.enrolment.tellOf(share);
  }

  private unloadEmpty(share: WorkerShare, now: number): void {
    if (this.runs.uses(share) || !share.chart.move('empty')) return;
    this.emptying--;
    this.unload(share, now);
  }

  private unload(share: WorkerShare, now: number): void {
    const { model, version } = share.listed;
    this.wants.add({ type: 'unload', model, version });
    this.wants.add(note('info', 'share.unloaded', { model, version }));
    this.enrolment.tellOf(share);
    this.remove(share, now);
  }

  private remove(share: WorkerShare, now: number): void {
    const next = this.shares.remove(share);
    if (next !== undefined) this.load(next, now);
  }
}
