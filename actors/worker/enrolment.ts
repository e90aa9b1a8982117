// Where a worker is registered: with which schedulers, under which epoch of each, and what they are told of its models.
import type { MemberId } from '../../proto/ids.js';
import type { Place } from '../../proto/messages.js';
import type { Chart } from '../chart.js';
import { note } from '../effects.js';
import type { Shares, WorkerShare } from './shares.js';
import type { Wants } from './wants.js';

export interface Introduction {
  readonly name: string;
  readonly device: string;
  /** What models may ask for in a worker. */
  readonly tags: readonly string[];
  readonly credits: Readonly<Record<Place, number>>;
}

export class Enrolment {
  /** Why it takes nothing; empty while it does. */
  private confinedFor = '';
  /** 0 while the registration is not answered. */
  private readonly epochs = new Map<MemberId, number>();
  private readonly introduction: Introduction;
  private readonly chart: Chart;
  private readonly shares: Shares;
  private readonly wants: Wants;

  constructor(introduction: Introduction, chart: Chart, shares: Shares, wants: Wants) {
    this.introduction = introduction;
    this.chart = chart;
    this.shares = shares;
    this.wants = wants;
  }

  /** The epoch of the registration there; undefined where it never asked for one. */
  epochAt(scheduler: MemberId): number | undefined {
    return this.epochs.get(scheduler);
  }

  /** With which it is registered, or is about to be. */
  schedulers(): MemberId[] {
    return [...this.epochs.keys()];
  }

  ask(scheduler: MemberId): void {
    const { name, device, tags, credits } = this.introduction;
    this.epochs.set(scheduler, 0);
    this.review();
    const { inline: inlineCredits, thread: threadCredits } = credits;
    this.wants.tell(scheduler, { type: 'worker.register', name, device, tags, inlineCredits, threadCredits });
  }

  registered(scheduler: MemberId, epoch: number): void {
    if (!this.epochs.has(scheduler)) return;
    this.epochs.set(scheduler, epoch);
    this.review();
    if (this.confinedFor !== '') this.tellConfined(scheduler, epoch);
    for (const share of this.shares.all())
      for (const message of share.toldAs(epoch)) this.wants.tell(scheduler, message);
    if (this.chart.has('draining')) this.wants.tell(scheduler, { type: 'worker.leaving', epoch });
  }

  confine(reason: string): void {
    this.confinedFor = reason;
    for (const [scheduler, epoch] of this.epochs) if (epoch > 0) this.tellConfined(scheduler, epoch);
  }

  release(): void {
    this.confine('');
    this.review();
  }

  /** What was agreed before does not count any more: it asks everybody anew. */
  rejoin(): void {
    this.confinedFor = '';
    for (const scheduler of this.schedulers()) this.ask(scheduler);
    this.review();
  }

  lost(member: MemberId): void {
    if (this.epochs.delete(member)) this.review();
  }

  leave(): void {
    for (const [scheduler, epoch] of this.epochs)
      this.wants.tell(scheduler, { type: 'worker.leaving', epoch });
  }

  /** Says which batches it holds, and asks once more whoever did not answer. */
  report(heldFrom: (scheduler: MemberId) => number[]): void {
    // Word of it may have been lost, and it may stand by for long.
    if (this.chart.has('draining')) this.leave();
    for (const [scheduler, epoch] of this.epochs) {
      if (epoch === 0) this.ask(scheduler);
      else
        this.wants.tell(scheduler, {
          type: 'worker.reported',
          epoch,
          held: heldFrom(scheduler),
        });
    }
  }

  tellOf(share: WorkerShare): void {
    for (const [scheduler, epoch] of this.epochs) {
      if (epoch === 0) continue;
      for (const message of share.toldAs(epoch)) this.wants.tell(scheduler, message);
    }
  }

  private tellConfined(scheduler: MemberId, epoch: number): void {
    const reason = this.confinedFor;
    this.wants.tell(scheduler, { type: 'worker.confined', epoch, confined: reason !== '', reason });
  }

  private review(): void {
    const registered = [...this.epochs.values()].some((epoch) => epoch > 0);
    if (!this.chart.can('register')) return;
    const before = this.chart.state;
    if (this.chart.move(registered ? 'register' : 'unregister'))
      this.wants.add(note('info', 'worker.moved', { from: before, to: this.chart.state }));
  }
}
