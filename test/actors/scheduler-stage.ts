// A scheduler with routers and workers around it that say what a test has them say.
import type { Heard } from '../../actors/actor.js';
import type { Effect } from '../../actors/effects.js';
import { Scheduler, type SchedulerSettings } from '../../actors/scheduler/scheduler.js';
import type { MemberId } from '../../proto/ids.js';
import type { Said } from '../../proto/messages.js';
import { digits, router, said, scheduler } from './stage.js';

export const otherRouter = 'router-2.ffffff';
const usual: SchedulerSettings = {
  lane: { depthMax: 100, bytesMax: 1e6 },
  choice: 'round-robin',
  admission: true,
  reconcileMs: 100,
};

export class SchedulerStage {
  readonly scheduler: Scheduler;
  now = 0;
  private job = 0;

  constructor(settings: Partial<SchedulerSettings> = {}) {
    this.scheduler = new Scheduler({ ...usual, ...settings });
    for (const member of [router, otherRouter]) this.link(member, 'router');
  }

  /** Workers with one credit each and the model ready. */
  static with(workers: readonly MemberId[], settings: Partial<SchedulerSettings> = {}): SchedulerStage {
    const stage = new SchedulerStage(settings);
    for (const member of workers) stage.join(member);
    return stage;
  }

  hear(heard: Heard, from: MemberId = scheduler): Effect[] {
    return this.scheduler.receive(heard, from, this.now);
  }

  link(member: MemberId, role: 'router' | 'worker' | 'health'): void {
    this.hear({ type: 'link.opened', member, roles: [role] });
  }

  join(member: MemberId, threadCredits = 1, share: Partial<Said<'share.changed'>> = {}): number {
    this.link(member, 'worker');
    const register = { name: member, device: 'cpu', tags: [], inlineCredits: 1, threadCredits };
    const effects = this.hear({ type: 'worker.register', ...register }, member);
    const epoch = (said(effects, 'worker.registered')[0] as Said<'worker.registered'>).epoch;
    this.share(member, epoch, share);
    return epoch;
  }

  share(member: MemberId, epoch: number, share: Partial<Said<'share.changed'>> = {}): Effect[] {
    const ready = {
      state: 'ready',
      place: 'thread',
      rowsMax: 4,
      runMs: 1,
      reason: '',
      runsOn: 'cpu',
    } as const;
    return this.hear({ type: 'share.changed', epoch, ...digits, ...ready, ...share }, member);
  }

  enqueue(changes: Partial<Said<'job.enqueue'>> = {}, from: MemberId = router): Effect[] {
    const sizes = { shapeKey: 'one', rows: 1, bytes: 10, priority: 0, budgetMs: 1000, admitted: false };
    const rest = { company: 'any', avoid: '', ownersCount: 0, ownersBy: '' } as const;
    const job = { job: ++this.job, attempt: 1, ...digits, ...sizes, ...rest } as const;
    return this.hear({ type: 'job.enqueue', ...job, ...changes }, from);
  }

  settle(): Said<'batch.assign'>[] {
    return said(this.hear({ type: 'tick.settled' }), 'batch.assign');
  }

  /** Enqueues and places. */
  place(changes: Partial<Said<'job.enqueue'>> = {}): Said<'batch.assign'> | undefined {
    this.enqueue(changes);
    return this.settle()[0];
  }

  release(assign: Said<'batch.assign'>, from = assign.worker, epoch = assign.epoch, computeMs = 1): Effect[] {
    return this.hear(
      { type: 'batch.released', batch: assign.batch, epoch, rows: 1, computeMs, fault: false },
      from,
    );
  }

  waiting(): number {
    return [...this.scheduler.lanes.values()].reduce((sum, lane) => sum + lane.queue.count, 0);
  }

  credits(): number {
    return [...this.scheduler.registry.all()].reduce((sum, { used }) => sum + used.inline + used.thread, 0);
  }
}
